//! The real binary, from outside: what it writes, what it says and how it ends. Nothing here can hang.

mod bad_input;
mod broker;
mod interrupts;
mod outages;
mod perf;
mod process;
mod produce;
mod settings;
mod simulate;
