//! A test of an application that uses ottla: does it lose an order when Kafka is in trouble?
//!
//!     cargo run -p ottla-sim --example application

use std::collections::BTreeMap;
use std::time::Duration;

use ottla::{Producer, Record, Undelivered};
use ottla_sim::{Clock, FaultKind, World};

/// The application: it publishes orders one by one, and sends again what was not written.
async fn publish(producer: Producer, clock: Clock) {
    for order in 0..100 {
        let value = format!("order {order}");
        loop {
            let record = Record::to("orders").key("customer-7").value(&value);
            let outcome = match producer.send(record).await {
                Ok(delivery) => delivery.await,
                Err(_) => continue, // no room, or no metadata, for max.block.ms
            };
            match outcome {
                Ok(_) => break,
                Err(Undelivered::NotWritten(_)) => continue,
                Err(Undelivered::MaybeWritten(_)) => break, // whether to risk a second copy is its own decision
            }
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
    producer.close(Duration::from_secs(30)).await;
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for seed in 0..100 {
        let mut world = World::new(3, seed);
        world.cluster.create_topic("orders", 6);
        let producer = world.producer(&[("delivery.timeout.ms", "60000")])?;
        let clock = world.clock();
        world.spawn(publish(producer, clock));
        let trouble = [
            FaultKind::Crash,
            FaultKind::HalfOpen,
            FaultKind::AppendThenClose,
        ];
        world.storm(&trouble, 30, Duration::from_secs(10));
        world.run()?;

        let mut copies = BTreeMap::new();
        for partition in 0..6 {
            for record in world.cluster.log("orders", partition) {
                *copies.entry(record.value).or_insert(0) += 1;
            }
        }
        let all_once = copies.len() == 100 && copies.values().all(|&count| count == 1);
        assert!(all_once, "seed {seed} shows a loss: {copies:?}");
    }
    println!("100 runs, 3,000 faults: every order is in the log once");
    Ok(())
}
