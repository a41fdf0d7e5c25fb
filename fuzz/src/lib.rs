//! What the fuzz targets are made of. Each file in `targets/` states one property.
//!
//! An input is a [`Tape`]: what it decides is read off byte by byte, and what is missing is zero. So every input means
//! something, random ones too. `src/bin/seeds.rs` writes the inputs in `seeds/`.

pub mod accumulator;
pub mod batches;
pub mod codecs;
pub mod letters;
pub mod line;
pub mod memory;
pub mod payload;
pub mod pieces;
pub mod play;
pub mod properties;
pub mod responses;
pub mod second_opinion;
pub mod twins;

mod tape;

pub use tape::Tape;
