//! Being asked to end: the first signal asks for an orderly end, Ctrl-C after that ends the process.

use std::{
    future, io,
    process::{self, ExitCode},
    time::Duration,
};

use tokio::{
    sync::{
        mpsc::{self, Receiver, Sender},
        watch,
    },
    time::timeout,
};

use crate::{Failure, output};

/// What asks a command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: `kill`, a service manager, a container's end.
    Terminate,
    /// SIGHUP: the terminal or the connection to it is gone.
    HangUp,
}

/// Whether a signal has come.
#[derive(Clone)]
pub(crate) struct Interrupt(watch::Receiver<State>);

#[derive(Clone, Copy)]
enum State {
    Running,
    Ending(Signal),
    /// The end takes its time, and Ctrl-C ends the process.
    Lasting(Signal),
}

/// Signals that come together count once: `timeout` sends its signal to the process and to its group, and when a terminal
/// closes, both the system and the shell send SIGHUP.
const TOGETHER: Duration = Duration::from_millis(500);

impl Signal {
    /// The exit code of a command that it ended, as shells have it: 128 and the signal's number.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::HangUp => 129,
        }
    }

    /// Ends the command with the signal's code, whether or not the report was printed: a terminal that has gone, which
    /// may have been the reason for the signal, takes none.
    pub(crate) fn end(self, printed: Result<(), Failure>) -> Result<ExitCode, Failure> {
        if let Err(Failure { line, .. }) = printed {
            output::complain(&line);
        }
        Ok(ExitCode::from(self.exit_code()))
    }
}

impl Interrupt {
    /// Takes the signals over from the system, from now on; to be called in a runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (tell, signals) = mpsc::channel(1);
        listen(&tell).map_err(|e| Failure::failed(format!("can't listen for signals: {e}")))?;
        let (state, interrupt) = watch::channel(State::Running);
        tokio::spawn(async move {
            let insisted = follow(signals, state).await;
            process::exit(insisted.exit_code().into());
        });
        Ok(Self(interrupt))
    }

    /// Waits for the first signal; returns at once if it has come.
    pub(crate) async fn came(&mut self) {
        self.wait_for(|state| !matches!(state, State::Running))
            .await;
    }

    /// Waits until the end has taken long enough to say what it waits for.
    pub(crate) async fn lasts(&mut self) {
        self.wait_for(|state| matches!(state, State::Lasting(_)))
            .await;
    }

    /// The first signal, if it has come.
    pub(crate) fn signal(&self) -> Option<Signal> {
        match *self.0.borrow() {
            State::Running => None,
            State::Ending(signal) | State::Lasting(signal) => Some(signal),
        }
    }

    pub(crate) fn has_come(&self) -> bool {
        self.signal().is_some()
    }

    async fn wait_for(&mut self, reached: impl FnMut(&State) -> bool) {
        self.0
            .wait_for(reached)
            .await
            .expect("the listener ends with the process only");
    }
}

/// Tells of the first signal, and returns with the Ctrl-C that is not to be waited for any more.
async fn follow(mut signals: Receiver<Signal>, state: watch::Sender<State>) -> Signal {
    let first = next(&mut signals).await;
    state.send_replace(State::Ending(first));
    let _ = timeout(TOGETHER, async { while signals.recv().await.is_some() {} }).await;
    state.send_replace(State::Lasting(first));
    loop {
        // The others say again what is being done; the end has its own limit.
        if next(&mut signals).await == Signal::Interrupt {
            return Signal::Interrupt;
        }
    }
}

async fn next(signals: &mut Receiver<Signal>) -> Signal {
    match signals.recv().await {
        Some(signal) => signal,
        // There is nothing left to listen to.
        None => future::pending().await,
    }
}

#[cfg(unix)]
fn listen(tell: &Sender<Signal>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    for (kind, meaning) in [
        (SignalKind::interrupt(), Signal::Interrupt),
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::hangup(), Signal::HangUp),
    ] {
        if meaning == Signal::HangUp && hang_up_is_ignored() {
            continue;
        }
        let (mut signals, tell) = (signal(kind)?, tell.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() && tell.send(meaning).await.is_ok() {}
        });
    }
    Ok(())
}

/// Whoever started the command, `nohup` for example, wants it to go on without a terminal.
#[cfg(unix)]
fn hang_up_is_ignored() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action it only writes the present one, to a place that is large enough; it is read only if
    // it was written.
    #[allow(unsafe_code)]
    let handler = unsafe {
        match libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) {
            0 => action.assume_init().sa_sigaction,
            _ => return false,
        }
    };
    handler == libc::SIG_IGN
}

#[cfg(windows)]
fn listen(tell: &Sender<Signal>) -> io::Result<()> {
    use tokio::signal::windows;

    macro_rules! forward {
        ($($event:ident => $meaning:expr),+) => {$(
            let (mut events, tell) = (windows::$event()?, tell.clone());
            tokio::spawn(async move {
                while events.recv().await.is_some() && tell.send($meaning).await.is_ok() {}
            });
        )+};
    }
    forward!(
        ctrl_c => Signal::Interrupt,
        ctrl_break => Signal::Terminate,
        ctrl_close => Signal::HangUp,
        ctrl_logoff => Signal::HangUp,
        ctrl_shutdown => Signal::Terminate
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::{task::JoinHandle, time::sleep};

    use super::*;

    fn following() -> (Sender<Signal>, Interrupt, JoinHandle<Signal>) {
        let (tell, signals) = mpsc::channel(1);
        let (state, interrupt) = watch::channel(State::Running);
        (
            tell,
            Interrupt(interrupt),
            tokio::spawn(follow(signals, state)),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn signals_that_come_together_count_once() {
        for first in [Signal::Interrupt, Signal::Terminate, Signal::HangUp] {
            let (tell, mut interrupt, insisted) = following();
            assert_eq!(interrupt.signal(), None);
            tell.send(first).await.unwrap();
            interrupt.came().await;
            for _ in 0..3 {
                tell.send(Signal::Interrupt).await.unwrap();
                sleep(TOGETHER / 4).await;
            }
            interrupt.lasts().await;
            assert_eq!(interrupt.signal(), Some(first));
            assert!(!insisted.is_finished());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ctrl_c_after_a_while_is_insistence_and_other_signals_are_not() {
        let (tell, mut interrupt, insisted) = following();
        tell.send(Signal::Terminate).await.unwrap();
        interrupt.lasts().await;
        for again in [Signal::Terminate, Signal::HangUp] {
            tell.send(again).await.unwrap();
        }
        sleep(TOGETHER).await;
        assert!(!insisted.is_finished());
        tell.send(Signal::Interrupt).await.unwrap();
        assert_eq!(insisted.await.unwrap(), Signal::Interrupt);
    }
}
