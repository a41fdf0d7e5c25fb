//! Plants defects in the producer, one after the other, and counts the seeds until the checkers see each.
//!
//! ```sh
//! RUSTFLAGS="--cfg planted" CARGO_TARGET_DIR=target/planted \
//!     cargo run --release -p ottla-sim --example defects -- --seeds 2000 --runs 5 [NAME..]
//! ```
//!
//! Prints a Markdown table. Without names all defects are planted; `--rotate N` takes the N-th eight of them, and
//! `--without` none. Fails if a defect is not caught, or if a rule is broken without one. A seed that breaks a rule
//! without the defect as well says nothing of it, and does not count.

#[cfg(planted)]
mod planted {
    use std::collections::BTreeSet;
    use std::panic;
    use std::process::ExitCode;
    use std::sync::Mutex;
    use std::thread;

    use ottla_core::planted::{Defect, choose};
    use ottla_sim::{Chance, Trial};

    struct Arguments {
        seeds: u64,
        runs: usize,
        start: u64,
        defects: Vec<Defect>,
        /// The same build without a defect.
        without: bool,
    }

    /// One run of a defect.
    struct Run {
        /// Its first seed.
        start: u64,
        /// How many seeds it has taken.
        taken: u64,
        /// The rule that was broken by the last of them.
        rule: Option<&'static str>,
    }

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
            let runs = runs(&arguments, defect);
            all_are_caught &= runs.iter().all(|run| run.rule.is_some());
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
                    let all = Defect::ALL;
                    let from = number()? as usize % all.len().div_ceil(AT_ONCE) * AT_ONCE;
                    arguments
                        .defects
                        .extend(all.iter().cycle().skip(from).take(AT_ONCE));
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

    /// The runs of one defect.
    fn runs(arguments: &Arguments, defect: Defect) -> Vec<Run> {
        // Somewhere else for each run and defect, and the same wherever it runs.
        let place = |run: u64| arguments.start + run * 1_000 + defect as u64;
        let mut runs: Vec<Run> = (0..arguments.runs as u64)
            .map(|run| Run {
                start: Chance::new(place(run)).next() >> 1,
                taken: 0,
                rule: None,
            })
            .collect();
        while go_on(&mut runs, arguments.seeds, defect) {}
        runs
    }

    /// Runs what is not at its end until a rule is broken by the defect, as far as anybody knows; whether some run has
    /// to go on since the same rule is broken without it.
    fn go_on(runs: &mut [Run], seeds: u64, defect: Defect) -> bool {
        let open = runs
            .iter_mut()
            .filter(|run| run.rule.is_none() && run.taken < seeds);
        let mut open: Vec<&mut Run> = open.collect();
        choose(Some(defect));
        on_all_processors(&mut open, |run| run.until_broken(seeds));
        choose(None);
        on_all_processors(&mut open, |run| run.acquit());
        open.iter()
            .any(|run| run.rule.is_none() && run.taken < seeds)
    }

    fn on_all_processors(runs: &mut [&mut Run], work: impl Fn(&mut Run) + Sync) {
        let count = runs.len();
        let runs = Mutex::new(runs.iter_mut());
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let next = || runs.lock().expect("a trial catches its panics").next();
        thread::scope(|scope| {
            for _ in 0..threads.min(count) {
                scope.spawn(|| {
                    while let Some(run) = next() {
                        work(run);
                    }
                });
            }
        });
    }

    impl Run {
        fn until_broken(&mut self, seeds: u64) {
            while self.rule.is_none() && self.taken < seeds {
                self.rule = broken(self.start + self.taken);
                self.taken += 1;
            }
        }

        /// Forgets what is broken without the defect, too.
        fn acquit(&mut self) {
            if self.rule.is_some() && broken(self.start + self.taken - 1).is_some() {
                self.rule = None;
            }
        }
    }

    /// The rule that a seed's trial breaks. What is left of it at its end may panic, too, when it is dropped.
    fn broken(seed: u64) -> Option<&'static str> {
        let trial = || Trial::new(seed).run().err().map(|broken| broken.rule);
        panic::catch_unwind(trial).unwrap_or(Some("panic"))
    }

    fn row(defect: Defect, mut runs: Vec<Run>) -> String {
        runs.sort_unstable_by_key(|run| run.taken);
        let rules: BTreeSet<&str> = runs
            .iter()
            .map(|run| run.rule.unwrap_or("**nothing**"))
            .collect();
        let rules: Vec<&str> = rules.into_iter().collect();
        let (median, most) = (runs[runs.len() / 2].taken, runs[runs.len() - 1].taken);
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
