//! Plants defects in the producer, one after the other, and counts the seeds until the checkers see each.
//!
//! ```sh
//! RUSTFLAGS="--cfg planted" CARGO_TARGET_DIR=target/planted \
//!     cargo run --release -p ottla-sim --example defects -- --seeds 2000 --runs 5 [NAME..]
//! ```
//!
//! Prints a Markdown table. Without names all defects are planted; `--rotate N` takes the N-th eight of them, and
//! `--without` none. Fails if a defect is not caught, or if a rule is broken without one.

#[cfg(planted)]
mod planted {
    use std::collections::BTreeMap;
    use std::process::ExitCode;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use ottla_core::planted::{Defect, choose};
    use ottla_sim::{Chance, Trial};

    /// Defects that no run of 2,000 seeds is known to catch: a rule, or what brings it up, is missing. They are not in the
    /// rotation, and stand in every full table.
    const NOT_YET: [&str; 11] = [
        "AnyEpoch",
        "ClockRunsBack",
        "ForgetsDoubt",
        "ForgetsOnError",
        "ForgottenIsProven",
        "GrantLeaks",
        "InventsOffset",
        "LosesCutLength",
        "RefusalLeaks",
        "SplitsUncertain",
        "ThrottleTimesOut",
    ];

    struct Arguments {
        seeds: u64,
        runs: usize,
        start: u64,
        defects: Vec<Defect>,
        /// The same build without a defect.
        without: bool,
    }

    /// How many seeds one run took, and the rule that was broken by the last; no rule if none was.
    type Run = (u64, Option<&'static str>);

    /// In a rotation.
    const AT_ONCE: usize = 8;

    pub(crate) fn main() -> ExitCode {
        let arguments = match parse(std::env::args().skip(1)) {
            Ok(arguments) => arguments,
            Err(wrong) => {
                eprintln!("{wrong}");
                return ExitCode::FAILURE;
            }
        };
        if arguments.without {
            return sound(&arguments);
        }
        println!("| defect | hard case | what it does | caught by | median | most |");
        println!("|---|---|---|---|---:|---:|");
        let mut all_are_caught = true;
        for &defect in &arguments.defects {
            choose(Some(defect));
            let runs = runs(&arguments, defect);
            all_are_caught &= runs.iter().all(|(_, rule)| rule.is_some());
            println!("{}", row(defect, runs));
        }
        match all_are_caught {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }

    /// Without a defect no rule is broken.
    fn sound(arguments: &Arguments) -> ExitCode {
        let mut code = ExitCode::SUCCESS;
        for seed in arguments.start..arguments.start + arguments.seeds {
            let mut trial = Trial::new(seed);
            if arguments.seeds == 1 {
                trial.keep_trace();
            }
            if let Err(broken) = trial.run() {
                match arguments.seeds {
                    1 => println!("{broken}"),
                    _ => println!("seed {seed}: {} is broken: {}", broken.rule, broken.what),
                }
                code = ExitCode::FAILURE;
            }
        }
        println!("{} seeds without a defect", arguments.seeds);
        code
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let mut arguments = Arguments {
            seeds: 2_000,
            runs: 5,
            start: 0,
            defects: Vec::new(),
            without: false,
        };
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().and_then(|value| value.parse::<u64>().ok());
                value.ok_or(format!("{word} takes a number"))
            };
            match &*word {
                "--seeds" => arguments.seeds = number()?,
                "--runs" => arguments.runs = number()? as usize,
                "--start" => arguments.start = number()?,
                "--without" => arguments.without = true,
                "--rotate" => {
                    let is_caught = |defect: &&Defect| !NOT_YET.contains(&defect.name());
                    let caught: Vec<&Defect> = Defect::ALL.iter().filter(is_caught).collect();
                    let chunks = caught.len().div_ceil(AT_ONCE);
                    let from = number()? as usize % chunks * AT_ONCE;
                    let turn = caught.into_iter().cycle().skip(from).take(AT_ONCE);
                    arguments.defects.extend(turn);
                }
                name => {
                    let defect =
                        Defect::named(name).ok_or(format!("no defect is called {name}"))?;
                    arguments.defects.push(defect);
                }
            }
        }
        if arguments.defects.is_empty() {
            arguments.defects = Defect::ALL.to_vec();
        }
        Ok(arguments)
    }

    /// The runs of one defect, on all processors.
    fn runs(arguments: &Arguments, defect: Defect) -> Vec<Run> {
        let next = AtomicU64::new(0);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let work = || {
                let mut done = Vec::new();
                loop {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if run >= arguments.runs as u64 {
                        return done;
                    }
                    // Somewhere else for each run and defect, and the same wherever it runs.
                    let mut chance = Chance::new(arguments.start + run * 1_000 + defect as u64);
                    done.push(one_run(chance.next() >> 1, arguments.seeds));
                }
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let done = workers.into_iter().map(|worker| worker.join());
            done.flat_map(|runs| runs.expect("a trial catches its panics"))
                .collect()
        })
    }

    fn one_run(start: u64, seeds: u64) -> Run {
        for n in 0..seeds {
            if let Err(broken) = Trial::new(start + n).run() {
                return (n + 1, Some(broken.rule));
            }
        }
        (seeds, None)
    }

    fn row(defect: Defect, mut runs: Vec<Run>) -> String {
        runs.sort_unstable();
        let mut rules = BTreeMap::<&str, usize>::new();
        for (_, rule) in &runs {
            *rules.entry(rule.unwrap_or("**nothing**")).or_default() += 1;
        }
        let rules: Vec<&str> = rules.into_keys().collect();
        let (median, most) = (runs[runs.len() / 2].0, runs[runs.len() - 1].0);
        format!(
            "| {} | H{:03} | {} | {} | {median} | {most} |",
            defect.name(),
            defect.case(),
            defect.about(),
            rules.join(", "),
        )
    }
}

#[cfg(planted)]
fn main() -> std::process::ExitCode {
    // A panic is a way to be caught; its words would be in the way of the table.
    std::panic::set_hook(Box::new(|_| ()));
    planted::main()
}

#[cfg(not(planted))]
fn main() {
    eprintln!("build this with RUSTFLAGS=\"--cfg planted\"");
}
