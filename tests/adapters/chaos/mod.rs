//! Every adapter against the model cluster on loopback, with a proxy in front of each broker that cuts, resets, stalls and
//! drips, leaders that move, brokers that go and come, and answers that lie.
//!
//! The seed draws the settings, the faults of each connection, what happens to the cluster and what the application does;
//! when exactly things happen is the machine's. A failure prints all of it. The seeds are 0 to 20; others are run with
//!
//!     OTTLA_CHAOS_SEEDS=0..200 cargo test --all-features --test adapters chaos -- --nocapture

mod dice;
mod journal;
mod link;
mod plan;
mod proxy;
mod sender;
mod site;
mod verdict;
mod world;

use std::{
    env, iter,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use ottla::Setup;

use self::{
    dice::Dice,
    journal::{Journal, Kinds},
    sender::Sender,
    site::Site,
    verdict::{Counts, Verdict},
    world::World,
};
use crate::harness::{AGES, Adapter, block_on};

/// Seeds that run at the same time: they wait most of their time.
const AT_ONCE: usize = 4;

/// What no run takes, however busy the machine.
const LIMIT: Duration = Duration::from_secs(90);

#[cfg(feature = "tokio")]
#[test]
fn on_tokio() {
    run_all::<crate::harness::Tokio>();
}

#[cfg(feature = "smol")]
#[test]
fn on_smol() {
    run_all::<crate::harness::Smol>();
}

#[cfg(feature = "blocking")]
#[test]
fn on_a_thread() {
    run_all::<crate::harness::Blocking>();
}

/// Runs the seeds on an adapter.
fn run_all<A: Adapter>() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let (tally, start) = (Mutex::new(Tally::default()), Instant::now());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mine = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                for seed in mine.take_while(|seed| *seed < seeds.end) {
                    let result = run_in_time::<A>(seed);
                    tally.lock().unwrap().add(result);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    let Tally { counts, struck, .. } = &tally;
    let count = seeds.end - seeds.start;
    println!(
        "{count} seeds in {:.1?}: {counts:?}, {struck:?}",
        start.elapsed()
    );
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n"));
    assert!(tally.counts.written > 0 && !tally.struck.is_empty());
}

fn seeds() -> Range<u64> {
    let Ok(text) = env::var("OTTLA_CHAOS_SEEDS") else {
        return 0..20;
    };
    let bounds = text.split_once("..");
    let range = bounds.and_then(|(start, end)| Some(start.parse().ok()?..end.parse().ok()?));
    range.expect("OTTLA_CHAOS_SEEDS is of the form A..B")
}

#[derive(Default)]
struct Tally {
    counts: Counts,
    struck: Kinds,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, result: Result<(Counts, Kinds), String>) {
        match result {
            Err(failure) => self.failures.push(failure),
            Ok((counts, struck)) => {
                self.counts += counts;
                for (kind, count) in struck {
                    *self.struck.entry(kind).or_default() += count;
                }
            }
        }
    }
}

/// Runs one seed; the error tells everything about it.
fn run_in_time<A: Adapter>(seed: u64) -> Result<(Counts, Kinds), String> {
    let journal = Arc::new(Journal::new());
    let world = Arc::new(World::draw(&mut Dice::new(seed, 0)));
    let (tell, told) = mpsc::channel();
    let (inner, setting) = (Arc::clone(&journal), Arc::clone(&world));
    thread::spawn(move || {
        let run = AssertUnwindSafe(|| run::<A>(seed, &setting, &inner));
        // Nobody listens any more if it took too long.
        let _ = tell.send(catch_unwind(run));
    });
    let what = match told.recv_timeout(LIMIT) {
        Ok(Ok(verdict)) if verdict.broken.is_empty() => {
            return Ok((verdict.counts, journal.by_kind()));
        }
        Ok(Ok(verdict)) => verdict.broken.join("\n"),
        Ok(Err(_)) => "a panic, told above".to_owned(),
        Err(_) => "it hangs".to_owned(),
    };
    let faults = journal.text();
    Err(format!(
        "seed {seed}\n{world}\n{faults}\nseed {seed} broke:\n{what}"
    ))
}

fn run<A: Adapter>(seed: u64, world: &World, journal: &Arc<Journal>) -> Verdict {
    let site = Site::build(seed, world, journal);
    let adapter = A::new();
    let inner = Arc::clone(journal);
    let setup = Setup::new(world.config(&site.cluster.bootstrap_servers()))
        .on_warning(move |warning| inner.remark(&format!("warning: {warning}")));
    let producer = adapter.start(setup);
    let stop = AtomicBool::new(false);
    let mut stuck = Vec::new();
    let senders = thread::scope(|scope| {
        let senders: Vec<_> = (1..=world.senders)
            .map(|number| Sender::new(number, seed, &producer, world))
            .map(|sender| scope.spawn(|| sender.run(&stop)))
            .collect();
        site.trouble(&mut Dice::new(seed, 1), world);
        if let Some(grace) = world.abrupt {
            block_on(producer.close(grace));
        }
        site.heal();
        stop.store(true, Ordering::Relaxed);
        let mut senders: Vec<_> = senders.into_iter().map(|s| s.join().unwrap()).collect();
        if world.abrupt.is_none() {
            let mut last = Sender::new(world.senders + 1, seed, &producer, world);
            for partition in 0..world.partitions {
                journal.remark(&format!("partition {partition} has to take a record now"));
                if !last.insist(partition) {
                    stuck.push(partition);
                }
            }
            senders.push(last);
            journal.remark("everything has to have its outcome now");
            block_on(producer.close(AGES));
        }
        senders
    });
    drop(adapter);
    site.settle();
    let mut verdict = Verdict::new(&site.cluster, world);
    for partition in stuck {
        verdict.breach(format!("partition {partition} takes nothing any more"));
    }
    senders.into_iter().for_each(|sender| verdict.judge(sender));
    verdict.judge_metrics(&producer.metrics());
    verdict
}
