//! ottla and its neighbours: clusters that are not Kafka, readers of what ottla wrote, and other producers against the
//! embedded cluster.
//!
//! These tests run only where `OTTLA_NEIGHBOURS` names the folder that the neighbours were installed to: `tests/run --long`
//! and `.ci/run` see to that.

mod kfake;
mod letter;
mod mock;
mod neighbours;
mod readers;
mod remote;
mod stage;
mod trouble;
mod verdict;
mod writers;

// How a real Kafka is started, of which less is needed here.
#[allow(dead_code)]
#[path = "../kafka/broker.rs"]
mod broker;
#[allow(dead_code)]
#[path = "../kafka/java.rs"]
mod java;
#[allow(dead_code)]
#[path = "../kafka/metadata.rs"]
mod metadata;
#[allow(dead_code)]
#[path = "../kafka/node.rs"]
mod node;
#[allow(dead_code)]
#[path = "../kafka/process.rs"]
mod process;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use neighbours::Neighbours;

fn main() -> ExitCode {
    let Some(neighbours) = Neighbours::from_env() else {
        println!("left out: the tests with other Kafka programs; to run them: tests/run --long");
        return ExitCode::SUCCESS;
    };
    let mut trials = vec![Trial::test("the_judge_notices_every_fault", || {
        Ok(verdict::notices_every_fault()?)
    })];
    trials.extend(kfake::trials(&neighbours));
    trials.extend(mock::trials(&neighbours));
    trials.extend(readers::trials(&neighbours));
    trials.extend(writers::trials(&neighbours));
    if neighbours.java.is_none() {
        println!("left out: Java and a real Kafka; to run them too: tests/run --long");
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
