//! Lines out of bytes: a line feed ends one, and nothing else means anything.

use std::{
    io::{self, Read},
    mem,
};

/// Reads lines in chunks, in constant memory: a line that is too long to be a record is only counted.
pub(crate) struct LineReader<R> {
    source: R,
    longest: usize,
    /// The start of a line whose end was not read yet.
    rest: Vec<u8>,
    /// The line at hand was found to be too long, and is dropped up to its end.
    skipping: bool,
    ended: bool,
}

/// Some lines in a row.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    /// Where the first line begins; each other begins behind the line feed of the one before it.
    start: usize,
    ends: Vec<usize>,
    /// Lines among them that were longer than what can be sent.
    pub(crate) too_long: u64,
}

/// Bytes that are read at once.
const BLOCK: usize = 64 << 10;

impl<R: Read> LineReader<R> {
    /// A reader of lines with at most `longest` bytes.
    pub(crate) fn new(source: R, longest: usize) -> Self {
        Self {
            source,
            longest,
            rest: Vec::new(),
            skipping: false,
            ended: false,
        }
    }

    /// The lines that came next, at least one; `None` at the end. What a pipe or a terminal has is not held back until there
    /// is more.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        while !self.ended {
            let known = self.rest.len();
            self.rest.resize(known + BLOCK, 0);
            let got = loop {
                match self.source.read(&mut self.rest[known..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    got => break got,
                }
            };
            self.rest
                .truncate(known + got.as_ref().map_or(0, |got| *got));
            let chunk = match got? {
                0 => self.end(),
                _ => self.split(known),
            };
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Takes the whole lines off what was read, of which the first `known` bytes have no line feed.
    fn split(&mut self, known: usize) -> Chunk {
        let mut bytes = mem::take(&mut self.rest);
        let fresh = bytes[known..].iter().enumerate();
        let mut ends: Vec<usize> = fresh
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| known + at)
            .collect();
        let behind = ends.last().map_or(0, |last| last + 1);
        self.rest.extend_from_slice(&bytes[behind..]);
        bytes.truncate(behind);

        let (mut start, mut too_long) = (0, 0);
        if self.skipping && !ends.is_empty() {
            self.skipping = false;
            too_long = 1;
            start = ends.remove(0) + 1;
        }
        if self.rest.len() > self.longest {
            self.skipping = true;
        }
        if self.skipping {
            self.rest.clear();
        }
        Chunk {
            bytes,
            start,
            ends,
            too_long,
        }
    }

    /// What is left when the source has ended: a last line without a line feed.
    fn end(&mut self) -> Chunk {
        self.ended = true;
        let bytes = mem::take(&mut self.rest);
        let ends = if bytes.is_empty() {
            Vec::new()
        } else {
            vec![bytes.len()]
        };
        Chunk {
            bytes,
            start: 0,
            ends,
            too_long: self.skipping.into(),
        }
    }
}

impl Chunk {
    /// How many lines can be read here; those too long are not among them.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The lines from the one at `first` on, without their line feeds.
    pub(crate) fn lines(&self, first: usize) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = match first.checked_sub(1) {
            Some(before) => self.ends[before] + 1,
            None => self.start,
        };
        self.ends[first..].iter().map(move |&end| {
            let line = &self.bytes[start..end];
            start = end + 1;
            line
        })
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.too_long == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives as many bytes per call as it is told, one after the other.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(to.len());
            to[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn read(source: impl Read, longest: usize) -> (Vec<Vec<u8>>, u64) {
        let mut reader = LineReader::new(source, longest);
        let (mut lines, mut too_long) = (Vec::new(), 0);
        while let Some(chunk) = reader.next_chunk().unwrap() {
            too_long += chunk.too_long;
            lines.extend(chunk.lines(0).map(<[u8]>::to_vec));
        }
        (lines, too_long)
    }

    #[test]
    fn lines_are_bytes_wherever_they_are_cut() {
        for (text, expected) in [
            (&b""[..], &[][..]),
            (b"\n", &[&b""[..]]),
            (b"a", &[b"a"]),
            (b"a\n", &[b"a"]),
            (b"a\r\n\r\n\n\nb", &[b"a\r", b"\r", b"", b"", b"b"]),
            (b"\xff\x00\xfe\nx\n", &[b"\xff\x00\xfe", b"x"]),
        ] {
            for step in 1..8 {
                let (lines, too_long) = read(Drip(text, step), 100);
                assert_eq!(lines, expected, "{text:?} by {step}");
                assert_eq!(too_long, 0);
            }
        }
    }

    #[test]
    fn a_line_of_many_blocks_is_one_line() {
        let long = vec![b'x'; 5 * BLOCK + 7];
        let text = [b"a\n", &long[..], b"\nb\n", &long].concat();
        let (lines, too_long) = read(&text[..], long.len());
        assert_eq!(lines, [b"a", &long[..], b"b", &long]);
        assert_eq!(too_long, 0);
    }

    #[test]
    fn a_line_that_can_be_no_record_is_counted_and_not_kept() {
        let long = vec![b'x'; 5 * BLOCK];
        for (text, expected) in [
            ([&long[..], b"\nb\nc"].concat(), vec![&b"b"[..], b"c"]),
            (
                [b"a\n", &long[..], b"\n\n", b"b"].concat(),
                vec![b"a", b"", b"b"],
            ),
            ([b"a\n", &long[..]].concat(), vec![b"a"]),
        ] {
            for step in [1000, BLOCK, BLOCK + 1] {
                let (lines, too_long) = read(Drip(&text, step), BLOCK + 5);
                assert_eq!(
                    (&lines, too_long),
                    (&expected.iter().map(|l| l.to_vec()).collect(), 1)
                );
            }
        }
        let mut reader = LineReader::new(io::repeat(b'x').take(1 << 26), 1000);
        assert_eq!(reader.next_chunk().unwrap().unwrap().too_long, 1);
        assert!(reader.rest.capacity() < 4 * BLOCK);
    }

    #[test]
    fn what_a_pipe_has_is_not_held_back() {
        let mut reader = LineReader::new(Drip(b"a\nbc\nd", 3), 100);
        let chunk = reader.next_chunk().unwrap().unwrap();
        assert_eq!(chunk.lines(0).collect::<Vec<_>>(), [b"a"]);
        let chunk = reader.next_chunk().unwrap().unwrap();
        assert_eq!(chunk.lines(0).collect::<Vec<_>>(), [b"bc"]);
    }

    #[test]
    fn the_lines_behind_some_can_be_asked_for() {
        let mut reader = LineReader::new(&b"a\n\nbc\nd\n"[..], 100);
        let chunk = reader.next_chunk().unwrap().unwrap();
        assert_eq!(chunk.len(), 4);
        assert_eq!(chunk.lines(2).collect::<Vec<_>>(), [&b"bc"[..], b"d"]);
        assert_eq!(chunk.lines(4).len(), 0);
    }
}
