//! A batch as it is, and its twin under a codec.

use ottla_core::Compression;
use ottla_core::fuzzing::{self, Batch, Bench};

use crate::Tape;
use crate::codecs;
use crate::letters::Letter;

/// Two batches of the same records.
pub struct Twins {
    plain: Batch,
    packed: Batch,
}

impl Twins {
    /// A batch of the next records on the tape, 33 at most.
    pub fn read(tape: &mut Tape<'_>, bench: &mut Bench) -> Self {
        let chunk_size = tape.one_of(&[256, 512, 4096]);
        let letters: Vec<Letter> = (0..2 + tape.below(32))
            .map(|_| Letter::read(tape, 1))
            .collect();
        let batch = |bench: Option<&mut Bench>| {
            Batch::new(chunk_size, bench, |append| {
                for letter in &letters {
                    letter.lend(fuzzing::topic(), |record| append(record));
                }
            })
        };
        Self {
            plain: batch(None),
            packed: batch(Some(bench)),
        }
    }

    /// Cuts both; `None` if there is but one record.
    pub fn split(&self, most: usize, bench: &mut Bench) -> Option<Vec<Self>> {
        if self.plain.count() == 1 {
            return None;
        }
        let (plain, packed) = (
            self.plain.split(most, bench),
            self.packed.split(most, bench),
        );
        assert_eq!(plain.len(), packed.len());
        let pairs = plain.into_iter().zip(packed);
        Some(
            pairs
                .map(|(plain, packed)| Self { plain, packed })
                .collect(),
        )
    }

    /// Asserts that the one holds what the other does, and that a codec is named only where it made the batch shorter.
    pub fn compare(&self, codec: Compression) {
        let (plain, packed) = (self.plain.records(), self.packed.records());
        let (head, packed_head) = (self.plain.head(), self.packed.head());
        // From the count on; the length, the checksum and the attributes differ.
        assert_eq!(head[23..], packed_head[23..]);
        assert_eq!(packed_head[8..12], (packed.len() as i32 + 49).to_be_bytes());
        assert_eq!(self.packed.raw_len(), plain.len());
        match packed_head[22] {
            0 => assert!(plain == packed),
            named => {
                assert_eq!(named, codec as u8);
                assert!(packed.len() < plain.len());
                let opened = codecs::opened_otherwise(codec, &packed);
                assert!(
                    opened.as_deref() == Some(&plain[..]),
                    "it holds something else"
                );
            }
        }
    }
}
