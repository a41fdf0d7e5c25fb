//! What a producer is made of, besides a runtime.

use std::{
    error::Error,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use ottla_core::{Config, ProducerCore};

use crate::{
    clock::{Clock, TimeSource},
    runtime::Runtime,
    shared::Shared,
    warning::Warning,
};

/// A configuration, and what the facade adds to it. A [`Config`] alone will do wherever a setup is asked for.
///
/// ```
/// # use ottla::{Config, Setup};
/// let config = Config::builder().bootstrap_servers("localhost:9092").build()?;
/// let setup = Setup::new(config).on_warning(|warning| eprintln!("{warning}"));
/// # Ok::<(), ottla::ConfigError>(())
/// ```
#[must_use = "a setup does nothing until a producer is started with it"]
pub struct Setup {
    config: Config,
    on_warning: OnWarning,
    pub(crate) time: Option<Arc<dyn TimeSource>>,
    seed: Option<[u8; 32]>,
}

pub(crate) type OnWarning = Box<dyn FnMut(&Warning) + Send>;

/// Why a producer did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// There is no runtime here to run it: it has to be started from within one.
    NoRuntime,
    /// The system has no random bytes for it.
    NoEntropy,
    /// The system refuses a thread or a poller.
    System(io::ErrorKind),
}

impl StartError {
    #[cfg(feature = "blocking")]
    pub(crate) fn system(error: io::Error) -> Self {
        Self::System(error.kind())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => f.write_str("a producer has to be started from within a runtime"),
            Self::NoEntropy => f.write_str("the system has no random bytes"),
            Self::System(kind) => write!(
                f,
                "the system has no thread or poller for a producer: {kind}"
            ),
        }
    }
}

impl Error for StartError {}

impl Setup {
    /// A setup with nothing but a configuration.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            on_warning: Box::new(|_| ()),
            time: None,
            seed: None,
        }
    }

    /// Calls `hook` with everything an operator may want to see: a broker that refuses connections, for example.
    ///
    /// It runs in the driver, with no lock held: sending from it is fine, blocking in it holds up the producer. Its
    /// panic harms nobody else.
    pub fn on_warning(mut self, hook: impl FnMut(&Warning) + Send + 'static) -> Self {
        self.on_warning = Box::new(hook);
        self
    }

    /// Takes the time from `source` instead of the runtime: a simulator's clock, for example.
    pub fn time(mut self, source: impl TimeSource) -> Self {
        self.time = Some(Arc::new(source));
        self
    }

    /// Takes this seed instead of the system's random bytes: the jitter of back-offs and the choice of partitions then
    /// repeat from run to run. For simulators and tests.
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// A core with its clock started, a seed from the system, the processor's checksum and a name, for a driver of this
    /// runtime.
    pub(crate) fn build(self, runtime: &impl Runtime) -> Result<(Shared, OnWarning), StartError> {
        static PRODUCERS: AtomicU32 = AtomicU32::new(0);

        let seed = self.seed.map_or_else(entropy, Ok)?;
        let number = PRODUCERS.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let mut config = self
            .config
            .with_checksum(crc32c::crc32c_append)
            .with_parallel_works(runtime.parallelism());
        if config.client_id().is_empty() {
            config = config.with_client_id(&format!("producer-{number}"));
        }
        let clock = Clock::start(self.time.or_else(|| runtime.time()));
        let core = ProducerCore::new(config.clone(), seed, clock.now());
        let shared = Shared::new(core, config, clock, number, runtime.thread_check());
        Ok((shared, self.on_warning))
    }
}

fn entropy() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| StartError::NoEntropy)?;
    Ok(seed)
}

impl From<Config> for Setup {
    fn from(config: Config) -> Self {
        Self::new(config)
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
