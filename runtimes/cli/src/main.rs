//! The command line of ottla.

fn main() {}
