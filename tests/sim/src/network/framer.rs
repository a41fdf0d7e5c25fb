//! Where frames begin and end in a stream of bytes, and which API a request names.

/// Counts the frames of a stream as its bytes pass by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framer {
    /// The bytes of the length and of the API's key that have passed.
    head: [u8; 6],
    filled: usize,
    /// The bytes of the frame that are to come; `None` before its length is known.
    left: Option<usize>,
    /// Frames that are whole.
    pub(crate) whole: u64,
}

impl Framer {
    /// Lets bytes pass; returns the first two bytes of each frame that gets whole with them.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<i16> {
        let mut keys = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            // The length, then the key, then all the others at once.
            let step = match (self.left, self.filled) {
                (None, filled) => 4 - filled,
                (Some(left), filled @ ..6) => left.min(6 - filled),
                (Some(left), _) => left,
            };
            let (passed, later) = rest.split_at(step.min(rest.len()));
            rest = later;
            self.take(passed);
            if self.left == Some(0) {
                self.whole += 1;
                keys.push(i16::from_be_bytes([self.head[4], self.head[5]]));
                (self.filled, self.left) = (0, None);
            }
        }
        keys
    }

    /// A frame has begun and is not whole.
    pub(crate) fn is_within(&self) -> bool {
        self.filled > 0
    }

    fn take(&mut self, bytes: &[u8]) {
        if let Some(left) = &mut self.left {
            *left -= bytes.len();
        }
        if self.filled < 6 {
            self.head[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
            self.filled += bytes.len();
        }
        if self.left.is_none() && self.filled == 4 {
            let [a, b, c, d, ..] = self.head;
            self.left = Some(u32::from_be_bytes([a, b, c, d]) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_whatever_the_chunks() {
        let stream = [
            0, 0, 0, 3, 0, 18, 9, 0, 0, 0, 2, 0, 3, 0, 0, 0, 5, 0, 0, 1, 2, 3,
        ];
        for size in 1..stream.len() {
            let mut framer = Framer::default();
            let keys: Vec<i16> = stream.chunks(size).flat_map(|c| framer.pass(c)).collect();
            assert_eq!(
                (keys, framer.whole),
                (vec![18, 3, 0], 3),
                "in chunks of {size}"
            );
            assert!(!framer.is_within());
        }
        let mut framer = Framer::default();
        framer.pass(&stream[..5]);
        assert!(framer.is_within());
    }
}
