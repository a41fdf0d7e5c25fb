//! What became of the lines.

use ottla::{Config, RecordMetadata, Undelivered};

use super::{
    ledger::Ledger,
    lines::{Chunk, Line},
    shape::Shape,
};
use crate::{
    settings::longest,
    tally::{Tally, too_large},
};

pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) ledger: Option<Ledger>,
    /// There were more lines than were read.
    pub(crate) unread: bool,
    /// What looks like a mistake in the command.
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    pub(crate) fn new(ledger: Option<Ledger>) -> Self {
        Self {
            tally: Tally::default(),
            ledger,
            unread: false,
            notes: Vec::new(),
        }
    }

    /// A line was written as the record that the shape makes of it.
    pub(crate) fn written(&mut self, written: &RecordMetadata, line: &Line, shape: &Shape<'_>) {
        self.tally.written(written, line.len());
        if let Some(ledger) = &mut self.ledger {
            let digest = shape.digest(line.bytes());
            ledger.acknowledged(written.partition, written.offset, digest, line.len());
        }
    }

    /// A line was sent, and was not, or perhaps not, written.
    pub(crate) fn undelivered(&mut self, undelivered: &Undelivered, line: &Line) {
        self.tally.undelivered(undelivered).at(|| line.place());
    }

    /// A line was not sent.
    pub(crate) fn refused(&mut self, reason: &str, line: &Line) {
        self.tally.refused(reason, 1).at(|| line.place());
    }

    /// Takes note of the line before the chunk that was too long to be kept, if there was one.
    pub(crate) fn too_long(&mut self, chunk: &Chunk, config: &Config) {
        if chunk.too_long > 0 {
            let (limit, setting) = longest(config);
            let reason = self
                .tally
                .refused(&too_large(setting, limit), chunk.too_long);
            reason.at(|| chunk.place_of_too_long());
        }
    }
}
