//! ottla and its neighbours: clusters that are not Kafka, readers of what ottla wrote, and other producers against the
//! embedded cluster.
//!
//! These tests run only where `OTTLA_NEIGHBOURS` names the folder that the neighbours were installed to: `tests/run --long`
//! and `.ci/run` see to that.

#[path = "../kafka/java.rs"]
mod java;
mod kfake;
mod letter;
mod mock;
mod neighbours;
#[path = "../kafka/process.rs"]
mod process;
mod remote;
mod stage;
mod trouble;
mod verdict;

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
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
