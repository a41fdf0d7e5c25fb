//! What may be typed after `ottla simulate`.

use std::{num::NonZeroU64, ops::Range};

use clap::Args;

/// Runs randomized trials of the producer in virtual time, one a seed, and checks every rule all the time.
///
/// The seed decides everything: the settings, the cluster, what the application does, which faults strike and when. The
/// same seed gives the same trial on every machine, to the byte of its trace. What is reported, the speed aside, does
/// not depend on the number of jobs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Simulate {
    /// The seeds, from A on, without B
    #[arg(long, value_name = "A..B", default_value = "0..1000", value_parser = seeds)]
    pub(crate) seeds: Range<u64>,

    /// How many threads run trials; as many as there are cores if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,

    /// Begin no trial after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    pub(crate) limit: Option<NonZeroU64>,

    /// Fail, too, if some hard case never came up
    #[arg(long)]
    pub(crate) every_case: bool,

    /// Run this seed alone, and print all that happens
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "jobs", "limit", "every_case"])]
    pub(crate) trace: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  ottla simulate
  ottla simulate --seeds 0..100000 --for 240
  ottla simulate --trace 17

Exit codes:
  0  no rule was broken
  1  a rule was broken: the seed, the rule and the last that happened are printed; or, with --every-case, a hard case
     never came up
  2  the command is no good
  130, 143, 129  ended by Ctrl-C, SIGTERM or SIGHUP, with a report of the trials so far; a second Ctrl-C, half a second
     later or more, ends at once. With --trace a signal ends at once";

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let seeds = text
        .split_once("..")
        .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    match seeds {
        Some(seeds) if !seeds.is_empty() => Ok(seeds),
        _ => Err("expected A..B, two whole numbers of which A is the less".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_two_numbers_in_order() {
        assert_eq!(seeds("3..17"), Ok(3..17));
        for text in [
            "17", "17..3", "3..3", "..3", "3..", "-1..3", "3...17", "a..b", "",
        ] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }
}
