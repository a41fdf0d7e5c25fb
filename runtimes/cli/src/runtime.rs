//! The runtimes that can drive a producer: whichever it is, the rest of a command sees the same producer.

use clap::ValueEnum;
use ottla::{Producer, Setup};

use crate::Failure;

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Runtime {
    /// A task on tokio
    #[default]
    Tokio,
    /// A task on smol
    Smol,
    /// A thread of its own, without an async runtime
    Blocking,
}

impl Runtime {
    /// Starts a producer; to be called on a tokio runtime, whose task the driver becomes if it is to be tokio.
    pub(crate) fn start(self, setup: Setup) -> Result<Producer, Failure> {
        let started = match self {
            Self::Tokio => ottla::tokio::start(setup),
            Self::Smol => ottla::smol::start(setup),
            Self::Blocking => ottla::blocking::start(setup),
        };
        started.map_err(|e| Failure::failed(format!("can't start: {e}")))
    }
}
