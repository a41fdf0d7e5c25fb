//! The command line of ottla.

mod address;
mod args;
mod broker;
mod failure;
mod interrupt;
mod output;
mod perf;
mod produce;
mod progress;
mod runtime;
mod separator;
mod settings;
mod simulate;
mod tally;
mod target;
mod warnings;

use std::process::ExitCode;

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let ended = Cli::read().and_then(|cli| match cli.command {
        Command::Produce(args) => produce::run(&args),
        Command::Perf(args) => perf::run(&args),
        Command::Broker(args) => broker::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    });
    match ended {
        Ok(code) => code,
        Err(Failure { code, line }) => {
            output::complain(&line);
            ExitCode::from(code)
        }
    }
}
