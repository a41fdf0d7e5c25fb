//! A bounded search over everything that may happen to the machine of sequences and epochs.
//!
//! Two partitions share one identity; up to four batches and up to four faults are put between them and their leaders
//! in every order there is, breadth first, and every state is held against the rules. It is a proof up to these bounds,
//! not a sample: what a random run meets once in a million seeds is met here. A broken rule is told as the shortest
//! story that leads to it.

mod faults;
mod log;
mod rules;
mod sender;
mod step;
mod world;

use core::hash::{BuildHasherDefault, Hash, Hasher};
use std::{collections::HashSet, format, mem, panic, println, string::String, vec, vec::Vec};

use sender::Broken;
use step::Step;
use world::{Start, World};

#[test]
fn nothing_that_can_happen_breaks_a_rule() {
    let mut total = 0;
    for start in STARTS {
        let found = Search::from(start)
            .run()
            .unwrap_or_else(|story| panic!("{start:?}\n{story}"));
        let Found {
            states,
            steps,
            depth,
        } = found;
        println!("{start:?}: {states} states, {steps} steps, {depth} deep");
        total += states;
    }
    println!("{total} states in all");
    assert!(total >= 1_000_000, "{total} states are too few");
}

/// The rules have teeth: each defect of these is found. Run alone, since a defect is the whole process's.
#[cfg(planted)]
#[test]
fn what_is_planted_in_the_machine_is_found() {
    use crate::planted::{Defect, choose};
    // What only a wrap of the sequence shows is not among them.
    let planted = Defect::ALL[..=Defect::NotLeaderIsRefused as usize]
        .iter()
        .filter(|&&d| d != Defect::WrapsNegative);
    let mut missed = Vec::new();
    for &defect in planted {
        choose(Some(defect));
        let story = STARTS
            .iter()
            .find_map(|&start| Search::from(start).run().err());
        choose(None);
        match story {
            Some(story) => println!("{}: {story}", defect.name()),
            None => missed.push(defect.name()),
        }
    }
    assert_eq!(missed, [""; 0]);
}

/// Each as far as fits into a test run: more faults where there are fewer batches.
const STARTS: [Start; 6] = [
    Start {
        batches: [2, 0],
        faults: 4,
        ..COLD
    },
    Start {
        batches: [4, 0],
        faults: 2,
        ..COLD
    },
    Start {
        batches: [2, 2],
        faults: 2,
        ..WARM
    },
    Start {
        batches: [3, 1],
        faults: 2,
        most: 3,
        ..WARM
    },
    Start {
        batches: [1, 1],
        faults: 3,
        epoch: i16::MAX,
        ..COLD
    },
    Start {
        batches: [2, 1],
        faults: 2,
        epoch: i16::MAX,
        ..COLD
    },
];

const COLD: Start = Start {
    batches: [0, 0],
    faults: 0,
    warm: false,
    most: 2,
    epoch: 0,
};
const WARM: Start = Start { warm: true, ..COLD };

/// How far a search came.
struct Found {
    states: usize,
    steps: usize,
    depth: usize,
}

struct Search {
    start: Start,
    /// Fingerprints of 64 bits: of ten million states, two are taken for one with a chance of one in 300,000.
    seen: HashSet<u64, BuildHasherDefault<Itself>>,
    /// How each state was reached first: from which, by which step.
    ways: Vec<(u32, Step)>,
}

impl Search {
    fn from(start: Start) -> Self {
        Self {
            start,
            seen: HashSet::default(),
            ways: Vec::new(),
        }
    }

    /// Visits every state; the error is the story of a broken rule.
    fn run(mut self) -> Result<Found, String> {
        let first = World::new(self.start);
        self.seen.insert(fingerprint(&first));
        let mut layer = vec![(NOWHERE, first)];
        let (mut steps, mut depth) = (0, 0);
        while !layer.is_empty() {
            let mut next = Vec::new();
            for (place, world) in mem::take(&mut layer) {
                let follow = world.steps();
                world
                    .check(self.start.most, &follow)
                    .map_err(|broken| self.story(place, None, &broken))?;
                steps += follow.len();
                for step in follow {
                    let after = taken(&world, step)
                        .map_err(|broken| self.story(place, Some(step), &broken))?;
                    if self.seen.insert(fingerprint(&after)) {
                        self.ways.push((place, step));
                        next.push((self.ways.len() as u32 - 1, after));
                    }
                }
            }
            layer = next;
            depth += 1;
            // Every run comes to its end: going round in circles, a producer makes ever more attempts.
            if let Some((place, _)) = layer.first().filter(|_| depth == DEEPEST) {
                return Err(self.story(*place, None, "I15: there is no end"));
            }
        }
        let states = self.seen.len();
        Ok(Found {
            states,
            steps,
            depth,
        })
    }

    /// The way to a state, and a last step that may not have worked.
    fn story(&self, mut place: u32, last: Option<Step>, broken: &str) -> String {
        let mut steps: Vec<Step> = last.into_iter().collect();
        while place != NOWHERE {
            let (before, step) = self.ways[place as usize];
            steps.push(step);
            place = before;
        }
        let mut world = World::new(self.start);
        let mut story = format!("{broken}\n");
        for (number, step) in steps.into_iter().rev().enumerate() {
            story += &format!("{:4}. {}\n", number + 1, world.tell(step));
            match taken(&world, step) {
                Ok(after) => world = after,
                Err(_) => break,
            }
        }
        story
    }
}

/// The state after a step. A panic of the machine is a broken rule, too.
fn taken(world: &World, step: Step) -> Result<World, Broken> {
    let mut after = world.clone();
    panic::catch_unwind(panic::AssertUnwindSafe(|| after.take(step)))
        .unwrap_or_else(|_| Err("the machine panics".into()))?;
    Ok(after)
}

fn fingerprint(world: &World) -> u64 {
    let mut hasher = Folding(FOLD);
    world.hash(&mut hasher);
    hasher.finish()
}

/// Multiplies what comes in and folds the product: quick, and good enough for states.
struct Folding(u64);

impl Folding {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FOLD);
        self.0 = (product as u64 ^ (product >> 64) as u64).wrapping_add(word);
    }
}

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        let mut last = Self(self.0);
        last.fold(FOLD);
        last.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
    }
}

/// Hashes a fingerprint to itself.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("fingerprints are u64");
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

/// An odd number without a pattern: the golden ratio's.
const FOLD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Before the first step.
const NOWHERE: u32 = u32::MAX;
/// Deeper than any run with four batches and four faults.
const DEEPEST: usize = 60;
