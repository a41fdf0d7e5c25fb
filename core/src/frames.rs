//! The cutting of incoming bytes into frames: a length of four bytes, then so many bytes.

use alloc::vec::Vec;

use crate::error::ProtocolError;

/// Cuts the incoming bytes into frames, however they come.
///
/// A frame that lies whole in the input is not copied; only one that is cut is gathered.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    limit: usize,
    partial: Vec<u8>,
}

impl Frames {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            partial: Vec::new(),
        }
    }

    /// Cuts the next frame off `input` and hands its content to `take`; `None` if it is not whole yet, and kept.
    pub(crate) fn next<R>(
        &mut self,
        input: &mut &[u8],
        take: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, ProtocolError> {
        if self.partial.is_empty()
            && let Some((head, rest)) = input.split_first_chunk()
        {
            let len = self.length(*head)?;
            if let Some((frame, rest)) = rest.split_at_checked(len) {
                *input = rest;
                return Ok(Some(take(frame)));
            }
        }
        if !self.gather(input, 4) {
            return Ok(None);
        }
        let head = self
            .partial
            .first_chunk()
            .expect("four bytes were gathered");
        let len = 4 + self.length(*head)?;
        if !self.gather(input, len) {
            return Ok(None);
        }
        let result = take(&self.partial[4..]);
        // What one large answer took is not kept for ever.
        self.partial.clear();
        self.partial.shrink_to(KEPT);
        Ok(Some(result))
    }

    /// Gathers up to `len` bytes; whether they are there. Memory grows with what came, not with what was announced.
    fn gather(&mut self, input: &mut &[u8], len: usize) -> bool {
        if planted!(LosesCutLength) && len == 4 && input.len() < 4 && self.partial.is_empty() {
            *input = &[];
            return false;
        }
        let missing = len.saturating_sub(self.partial.len()).min(input.len());
        let (now, later) = input.split_at(missing);
        self.partial.extend_from_slice(now);
        *input = later;
        self.partial.len() >= len
    }

    fn length(&self, head: [u8; 4]) -> Result<usize, ProtocolError> {
        let len = i32::from_be_bytes(head);
        match usize::try_from(len) {
            Ok(bytes) if bytes <= self.limit || planted!(AnyLength) => Ok(bytes),
            _ => {
                let hint = match head {
                    [b'H', b'T', b'T', b'P'] => Some("HTTP"),
                    [0x15 | 0x16, 3, ..] => Some("TLS"),
                    _ => None,
                };
                Err(ProtocolError::FrameLength {
                    len,
                    limit: self.limit,
                    hint,
                })
            }
        }
    }
}

/// Memory for gathering that a link keeps.
const KEPT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    fn frame(content: &[u8]) -> Vec<u8> {
        let mut bytes = (content.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn frames_come_out_the_same_however_they_are_cut() {
        let contents = [&b"first"[..], b"", b"a longer one, the third"];
        let stream: Vec<u8> = contents.iter().flat_map(|c| frame(c)).collect();
        for step in 1..=stream.len() {
            let (mut frames, mut got) = (Frames::new(100), vec![]);
            for mut piece in stream.chunks(step) {
                while let Some(content) = frames.next(&mut piece, <[u8]>::to_vec).unwrap() {
                    got.push(content);
                }
                assert!(piece.is_empty(), "the input is always used up");
            }
            assert_eq!(got, contents, "in steps of {step}");
        }
    }

    #[test]
    fn h084_a_hostile_length_takes_no_memory() {
        for (head, hint) in [
            (*b"HTTP", Some("HTTP")),
            ([0x15, 3, 1, 0], Some("TLS")),
            ((-1i32).to_be_bytes(), None),
            (i32::MAX.to_be_bytes(), None),
            (101i32.to_be_bytes(), None),
        ] {
            for step in [1, 4] {
                let mut frames = Frames::new(100);
                let error = head
                    .chunks(step)
                    .find_map(|mut p| frames.next(&mut p, |_| ()).err());
                let len = i32::from_be_bytes(head);
                assert_eq!(
                    error,
                    Some(ProtocolError::FrameLength {
                        len,
                        limit: 100,
                        hint
                    })
                );
                assert!(frames.partial.capacity() <= 8);
            }
        }
    }

    #[test]
    fn an_empty_frame_at_the_limit_is_taken() {
        let mut frames = Frames::new(3);
        assert_eq!(
            frames.next(&mut &frame(b"abc")[..], <[u8]>::len),
            Ok(Some(3))
        );
        assert_eq!(frames.next(&mut &frame(b"")[..], <[u8]>::len), Ok(Some(0)));
    }
}
