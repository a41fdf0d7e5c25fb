//! A trial: one seed, one producer, one application, and everything that can go wrong.

mod application;
mod cases;
mod crowd;
mod ending;
mod finds;
mod focus;
mod judge;
mod ledger;
mod letter;
mod panics;
mod plan;
mod rarities;
mod report;
mod rules;
mod sequences;

use std::sync::Arc;
use std::time::Duration;

use ottla::{Producer, Setup};

pub use cases::ELSEWHERE;
pub use report::{Broken, Report};

use crate::{Api, Chance, Fact, FaultKind, World};
use application::{Application, GRACE};
use cases::{Hits, Scene, Watches};
use ledger::Fate;
use plan::{Ending, Plan};
use rules::Rules;
use sequences::Sequences;

/// A run of which the seed decides everything: the settings, the cluster, what the application does, which faults
/// strike and when. All invariants of a producer are checked, while it runs and at its end.
pub struct Trial {
    seed: u64,
    plan: Arc<Plan>,
    world: World,
    application: Application,
    /// Reads the producer's gauges; none where the last handle is to be dropped.
    probe: Option<Producer>,
    sequences: Sequences,
    rules: Rules,
    watches: Watches,
    hits: Hits,
    report: Report,
}

/// A rule, and how it was broken.
type Breach = (&'static str, String);

/// Far more than a trial needs: beyond them something is tried again without end.
const MOST_STEPS: usize = 10_000_000;

impl Trial {
    /// The trial of a seed.
    pub fn new(seed: u64) -> Trial {
        let mut chance = Chance::new(seed);
        let plan = Arc::new(Plan::draw(&mut chance));
        let mut world = plan.world(chance.next(), &mut chance);
        let rules = Rules::new(&world);
        let hook = rules.warning_hook(world.clock());
        let producer = world.producer_from(Setup::new(plan.config()).on_warning(hook));
        let application = Application::new(Arc::clone(&plan), world.clock(), world.spawner());
        application.ledger.borrow_mut().limits = ledger::Limits {
            delivery: plan.delivery_timeout,
            block: plan.max_block,
        };
        let of_world = plan
            .kinds
            .iter()
            .filter(|kind| !kind.is_of_the_application());
        let of_world: Vec<FaultKind> = of_world.copied().collect();
        if !of_world.is_empty() {
            world.storm(&of_world, plan.faults, plan.storm);
        }
        if plan.ending == Ending::Kill {
            let at = chance.duration(plan.most_of_the_storm()..plan.storm);
            world.after(at, World::drop_drivers);
        }
        let keeps_handle = !matches!(plan.ending, Ending::Drop | Ending::Kill);
        let probe = keeps_handle.then(|| producer.clone());
        world.spawn(application.clone().run(producer, chance.fork()));
        world.note(format_args!("seed {seed}: {plan:?}"));
        Trial {
            seed,
            plan,
            world,
            application,
            probe,
            sequences: Sequences::default(),
            rules,
            watches: Watches::new(),
            hits: Hits::default(),
            report: Report::default(),
        }
    }

    /// Has the trace keep all lines.
    pub fn keep_trace(&mut self) {
        self.world.keep_trace(usize::MAX);
    }

    /// What happened, as far as it is kept.
    pub fn trace(&self) -> impl Iterator<Item = String> {
        self.world.trace().map(ToString::to_string)
    }

    /// A number that depends on everything that happened so far, whether it is kept or not.
    pub fn digest(&self) -> u64 {
        self.world.trace_digest()
    }

    /// Runs to the end.
    ///
    /// # Errors
    ///
    /// If a rule is broken, or something panics that should not, which is then told here only.
    pub fn run(&mut self) -> Result<Report, Box<Broken>> {
        let breach = match panics::catch(|| self.run_to_the_end()) {
            Ok(Ok(())) => return Ok(self.finish()),
            Ok(Err(breach)) => breach,
            Err(said) => ("panic", said),
        };
        let trace = self.trace().collect();
        Err(Box::new(Broken {
            seed: self.seed,
            rule: breach.0,
            what: breach.1,
            trace,
        }))
    }

    fn run_to_the_end(&mut self) -> Result<(), Breach> {
        let limit = self.limit();
        let mut steps = 0;
        while !(self.world.is_done() && self.world.drivers_are_over()) {
            steps += 1;
            if steps > MOST_STEPS {
                return Err(("I15", format!("{MOST_STEPS} steps lead nowhere")));
            }
            self.world
                .step_before(limit)
                .map_err(|stuck| ("I15", stuck.to_string()))?;
            self.observe()?;
        }
        self.judge()?;
        let scene = Scene {
            plan: &self.plan,
            ledger: &self.application.ledger.borrow(),
            cluster: &self.world.cluster,
        };
        self.watches.end(&scene, &mut self.hits);
        Ok(())
    }

    /// When everything has to be over: the faults, and after them every wait that there is.
    fn limit(&self) -> Duration {
        // Where nothing expires, nothing needs to once the faults are over.
        let delivery =
            Some(self.plan.delivery_timeout).filter(|_| !self.plan.is_without_deadline());
        let waits = self.plan.max_block * 25 + delivery.unwrap_or_default() * 3;
        self.plan.storm + GRACE + waits + Duration::from_secs(600)
    }

    /// Looks at what the last step has brought.
    fn observe(&mut self) -> Result<(), Breach> {
        self.application.enter();
        let notes = std::mem::take(&mut self.application.ledger.borrow_mut().notes);
        notes.into_iter().for_each(|fact| self.world.add(fact));
        for line in self.world.take_facts() {
            if let Fact::Struck {
                kind: FaultKind::Freeze,
                ..
            } = line.fact
            {
                let until = self.world.frozen_until();
                self.application.ledger.borrow_mut().freeze(line.at, until);
            }
            let (ledger, plan) = (&self.application.ledger, &self.plan);
            if let Fact::Asked {
                api: Some(Api::Metadata),
                ..
            } = line.fact
            {
                ledger.borrow_mut().metadata_requests += 1;
            }
            let excuse = |topic: &str| ledger.borrow().has_unknown(plan, topic);
            self.sequences.see(&line.fact, excuse)?;
            self.report.see(&line.fact);
            let scene = Scene {
                plan,
                ledger: &ledger.borrow(),
                cluster: &self.world.cluster,
            };
            self.rules.see(&line, &scene)?;
            self.watches.see(&line, &scene, &mut self.hits);
        }
        self.look_at_producer()?;
        self.check_flushes()?;
        match self.application.ledger.borrow_mut().broken.take() {
            Some(breach) => Err(breach),
            None => Ok(()),
        }
    }

    /// What a flush covers has its outcome when the flush ends.
    fn check_flushes(&self) -> Result<(), Breach> {
        let mut ledger = self.application.ledger.borrow_mut();
        let now = self.world.now();
        // Whoever was to be told at the same instant has been by now.
        let ended: Vec<_> = ledger
            .flushes
            .extract_if(.., |flush| flush.at < now)
            .collect();
        for flush in ended {
            let open = |n: &&usize| {
                let entry = &ledger.entries[**n];
                entry.fate == Fate::Open || entry.ended.is_some_and(|at| at > flush.at)
            };
            if let Some(n) = flush.covered.iter().find(open) {
                return Err(("I11", format!("a flush ended before record {n}")));
            }
        }
        Ok(())
    }

    /// What the producer warns of, and what it says of itself.
    fn look_at_producer(&mut self) -> Result<(), Breach> {
        let scene = Scene {
            plan: &self.plan,
            ledger: &self.application.ledger.borrow(),
            cluster: &self.world.cluster,
        };
        self.rules.look_at_warnings(&scene)?;
        match &self.probe {
            Some(producer) if self.world.has_polled() => self.rules.audit(producer, &self.plan),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Report {
        let mut report = std::mem::take(&mut self.report);
        report.simulated = self.world.now();
        report.digest = self.digest();
        report.records = self.application.ledger.borrow().accepted;
        report.trials = 1;
        report.fewest_records = report.records;
        report.fewest_faults = report.faults.values().sum();
        let is_thin = report.fewest_records < Report::ENOUGH_RECORDS
            || report.fewest_faults < Report::ENOUGH_FAULTS;
        report.thin = u64::from(is_thin);
        report.cases = std::mem::take(&mut self.hits).0;
        report
    }
}
