//! What administrators ask: topics, partitions, settings, and who is there.

mod cluster;
mod configs;
mod settings;
mod topics;

/// A code and what to say with it.
type Refused = (i16, String);
