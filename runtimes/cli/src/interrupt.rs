//! Ctrl-C: the first asks for an orderly end, the second ends the process.

use std::{io, process};

use tokio::sync::watch;

use crate::Failure;

/// The exit code of a command that was interrupted, as shells have it: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Whether the first Ctrl-C has come.
#[derive(Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Takes Ctrl-C over from the system, from now on; to be called in a runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let mut presses =
            ctrl_c().map_err(|e| Failure::failed(format!("can't listen for Ctrl-C: {e}")))?;
        let (came, interrupt) = watch::channel(false);
        tokio::spawn(async move {
            presses.recv().await;
            came.send_replace(true);
            presses.recv().await;
            process::exit(INTERRUPTED.into());
        });
        Ok(Self(interrupt))
    }

    /// Waits for the first Ctrl-C; returns at once if it has come.
    pub(crate) async fn came(&mut self) {
        if self.0.wait_for(|came| *came).await.is_err() {
            // The listener ends with the process only.
            std::future::pending().await
        }
    }

    pub(crate) fn has_come(&self) -> bool {
        *self.0.borrow()
    }
}

#[cfg(unix)]
fn ctrl_c() -> io::Result<tokio::signal::unix::Signal> {
    use tokio::signal::unix::{SignalKind, signal};

    signal(SignalKind::interrupt())
}

#[cfg(windows)]
fn ctrl_c() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}
