//! What happens once in a trial at most, and not in most.

use std::time::Duration;

use super::plan::Plan;
use crate::{Chance, Fault, Hostile, On, Resolving, World, code};

impl Plan {
    /// Plans the rarities that were drawn.
    pub(super) fn draw_rarities(&self, world: &mut World, chance: &mut Chance) {
        if chance.percent(10) {
            self.hide_new_topic(world, chance);
        }
        if chance.percent(15) {
            plan_strange_metadata(world, chance);
        }
        if chance.percent(5) {
            self.hide_names(world, chance);
        }
    }

    /// The producer's host: its clock may run back for those who look twice, and what it reads may be cut anywhere.
    pub(super) fn draw_host(&self, world: &mut World, chance: &mut Chance) {
        if chance.percent(10) {
            let back = chance.duration(Duration::from_millis(1)..Duration::from_secs(2));
            world.clock().waver(back);
        }
        if chance.percent(10) {
            for broker in 1..=i32::from(self.brokers) {
                world.set_first_piece(broker, chance.within(1..8));
            }
        }
    }

    /// A topic was created just now, and the brokers have not heard of it.
    fn hide_new_topic(&self, world: &mut World, chance: &mut Chance) {
        let name = chance.pick(&self.topics).name.clone();
        let heard = chance.duration(Duration::from_millis(1)..Duration::from_secs(1));
        world.cluster.hide_topic(&name, true);
        world.after(heard, move |world| {
            if world.cluster.topics().any(|topic| topic == name) {
                world.cluster.hide_topic(&name, false);
            }
        });
    }

    /// No name leads anywhere when the producer begins.
    fn hide_names(&self, world: &mut World, chance: &mut Chance) {
        let brokers = self.brokers;
        let set_all = move |world: &mut World, resolving| {
            for broker in 1..=brokers {
                world.set_lookup(&format!("broker-{broker}"), resolving);
            }
        };
        let nowhere = [Resolving::Failing, Resolving::Unknown, Resolving::Empty];
        set_all(world, *chance.pick(&nowhere));
        let known = chance.duration(Duration::from_millis(1)..Duration::from_secs(3));
        world.after(known, move |world| set_all(world, Resolving::Found));
    }
}

/// One of the first answers to Metadata is one that is hardly ever given.
fn plan_strange_metadata(world: &mut World, chance: &mut Chance) {
    for _ in 0..chance.below(20) {
        world.cluster.inject(On::Metadata, Fault::Pass);
    }
    let strange = [
        Fault::Refuse(code::REBOOTSTRAP_REQUIRED),
        Fault::Refuse(code::REBOOTSTRAP_REQUIRED),
        Fault::Hostile(Hostile::NoPartitions),
    ];
    world
        .cluster
        .inject(On::Metadata, chance.pick(&strange).clone());
}
