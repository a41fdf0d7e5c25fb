//! The accumulator beside a plain model of it.

mod duel;
mod model;

pub use duel::Duel;
