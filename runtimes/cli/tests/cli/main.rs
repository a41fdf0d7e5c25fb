//! The real binary, from outside: what it writes, what it says and how it ends. Nothing here can hang.

mod bad_input;
mod batch_mates;
mod broker;
#[cfg(unix)]
mod interrupts;
mod outages;
mod parts;
mod perf;
mod process;
mod produce;
mod settings;
mod simulate;
