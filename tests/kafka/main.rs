//! ottla against the real thing: Apache Kafka's broker, its tools, its Java producer, and kcat.
//!
//! These tests run only where `OTTLA_KAFKA_LIBS` names the folder with Kafka's jars: `tests/run` sees to that.

mod broker;
mod consumer;
mod control;
mod delivery;
mod java;
mod ledger;
mod process;
mod workload;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use java::Java;

fn main() -> ExitCode {
    let trials = match Java::from_env() {
        Some(java) => trials(&java),
        None => {
            println!("left out: the tests against a real Kafka; to run them: tests/run");
            return ExitCode::SUCCESS;
        }
    };
    let mut arguments = Arguments::from_args();
    // Each of them is a Kafka of its own.
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(java: &Java) -> Vec<Trial> {
    let trial = |name: &str, test: fn(&Java) -> Result<(), String>| {
        let java = java.clone();
        Trial::test(name, move || Ok(test(&java)?))
    };
    vec![
        trial("control_arrives", |java| {
            delivery::arrive(java, 10_000, control::produce)
        }),
        trial("control_survives_a_kill", |java| {
            delivery::survive_a_kill(java, 100_000, control::produce)
        }),
    ]
}
