//! The sans-IO heart of ottla.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[allow(dead_code)] // until the rooms above use it
mod backoff;
#[allow(dead_code)] // until the rooms above use it
mod rng;
