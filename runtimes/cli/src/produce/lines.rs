//! Lines out of bytes: a line feed ends one, and nothing else means anything.

use std::{
    io::{self, Read},
    mem,
    sync::Arc,
};

/// Reads lines in chunks, in time that grows with their bytes, and in constant memory: a line that is too long to be a
/// record is only counted.
pub(crate) struct LineReader<R> {
    source: R,
    /// What the source is called.
    name: Arc<str>,
    longest: usize,
    block: Box<[u8]>,
    /// The start of a line whose end was not read yet. It grows where it stands until the end comes.
    rest: Vec<u8>,
    /// The line at hand was found to be too long, and is dropped up to its end.
    skipping: bool,
    /// Lines before the next chunk.
    passed: u64,
    ended: bool,
}

/// Some lines in a row.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Lines before these that were longer than what can be sent: one at most.
    pub(crate) too_long: u64,
    name: Arc<str>,
    /// Lines before these in the same source, those too long included.
    passed: u64,
}

/// One of a chunk's lines, which can be read as long as it is held.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    chunk: Arc<Chunk>,
    index: usize,
}

/// Bytes that are read at once.
pub(crate) const BLOCK: usize = 64 << 10;

impl<R: Read> LineReader<R> {
    /// A reader of lines with at most `longest` bytes.
    pub(crate) fn new(source: R, name: &str, longest: usize) -> Self {
        Self {
            source,
            name: name.into(),
            longest,
            block: vec![0; BLOCK].into(),
            rest: Vec::new(),
            skipping: false,
            passed: 0,
            ended: false,
        }
    }

    /// The lines that came next, or one that was too long, at least; `None` at the end. What a pipe or a terminal has is not
    /// held back until there is more.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        while !self.ended {
            if let Some(chunk) = self.read_block()? {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Reads once, and gives the lines that have ended.
    fn read_block(&mut self) -> io::Result<Option<Chunk>> {
        let mut block = mem::take(&mut self.block);
        let got = loop {
            match self.source.read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                got => break got,
            }
        };
        let chunk = got.map(|got| match got {
            0 => self.end(),
            _ => self.split(&block[..got]),
        });
        self.block = block;
        chunk
    }

    /// Takes the whole lines off what is at hand, to which these bytes have come.
    fn split(&mut self, mut fresh: &[u8]) -> Option<Chunk> {
        let mut too_long = 0;
        if self.skipping {
            let end = memchr::memchr(b'\n', fresh)?;
            fresh = &fresh[end + 1..];
            self.skipping = false;
            too_long = 1;
        }
        let known = self.rest.len();
        let ends: Vec<usize> = memchr::memchr_iter(b'\n', fresh)
            .map(|at| known + at)
            .collect();
        let behind = ends.last().map_or(0, |last| last + 1 - known);
        let mut bytes = Vec::new();
        if !ends.is_empty() {
            bytes = mem::take(&mut self.rest);
            // To the byte, since a chunk may be kept for long, and there may be many with one short line.
            bytes.reserve_exact(behind);
            bytes.extend_from_slice(&fresh[..behind]);
        }
        self.rest.extend_from_slice(&fresh[behind..]);
        if self.rest.len() > self.longest {
            self.skipping = true;
            self.rest = Vec::new();
        }
        self.chunk(bytes, ends, too_long)
    }

    /// What is left when the source has ended: a last line without a line feed.
    fn end(&mut self) -> Option<Chunk> {
        self.ended = true;
        let bytes = mem::take(&mut self.rest);
        let ends = match bytes.len() {
            0 => Vec::new(),
            end => vec![end],
        };
        self.chunk(bytes, ends, self.skipping.into())
    }

    fn chunk(&mut self, bytes: Vec<u8>, ends: Vec<usize>, too_long: u64) -> Option<Chunk> {
        let lines = ends.len() as u64 + too_long;
        let passed = self.passed;
        self.passed += lines;
        (lines > 0).then(|| Chunk {
            bytes,
            ends,
            too_long,
            name: Arc::clone(&self.name),
            passed,
        })
    }
}

impl Chunk {
    /// How many lines can be read here; those too long are not among them.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn lines(self: &Arc<Self>) -> Vec<Line> {
        let line = |index| Line {
            chunk: Arc::clone(self),
            index,
        };
        (0..self.len()).map(line).collect()
    }

    /// Where the line that was too long stands.
    pub(crate) fn place_of_too_long(&self) -> String {
        self.place(self.passed + 1)
    }

    fn place(&self, number: u64) -> String {
        format!("{}:{number}", self.name)
    }
}

impl Line {
    /// Its bytes, without the line feed.
    pub(crate) fn bytes(&self) -> &[u8] {
        let Chunk { bytes, ends, .. } = &*self.chunk;
        let start = self
            .index
            .checked_sub(1)
            .map_or(0, |before| ends[before] + 1);
        &bytes[start..ends[self.index]]
    }

    /// Its bytes in the input, the line feed included.
    pub(crate) fn len(&self) -> u64 {
        self.bytes().len() as u64 + 1
    }

    /// Where it stands: the name of its source and its number there, counted from 1.
    pub(crate) fn place(&self) -> String {
        let before = self.chunk.passed + self.chunk.too_long;
        self.chunk.place(before + self.index as u64 + 1)
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
        let mut reader = LineReader::new(source, "", longest);
        let (mut lines, mut too_long) = (Vec::new(), 0);
        while let Some(chunk) = reader.next_chunk().unwrap() {
            too_long += chunk.too_long;
            lines.extend(contents(chunk));
        }
        (lines, too_long)
    }

    fn contents(chunk: Chunk) -> Vec<Vec<u8>> {
        let lines = Arc::new(chunk).lines();
        lines.iter().map(|line| line.bytes().to_vec()).collect()
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
        let mut reader = LineReader::new(io::repeat(b'x').take(1 << 26), "", 1000);
        assert_eq!(reader.next_chunk().unwrap().unwrap().too_long, 1);
        assert!(reader.rest.capacity() < 4 * BLOCK);
    }

    #[test]
    fn a_long_line_is_moved_a_few_times_however_many_blocks_it_has() {
        let long = [&vec![b'x'; 400 * BLOCK][..], b"\n"].concat();
        let mut reader = LineReader::new(&long[..], "", long.len());
        let (mut moves, mut moved) = (0, 0);
        let chunk = loop {
            let before = (reader.rest.as_ptr(), reader.rest.len());
            if let Some(chunk) = reader.read_block().unwrap() {
                break chunk;
            }
            if reader.rest.as_ptr() != before.0 {
                moves += 1;
                moved += before.1;
            }
        };
        assert_eq!(contents(chunk)[0].len(), 400 * BLOCK);
        assert!(moves <= 10, "{moves} moves");
        assert!(moved <= 2 * long.len(), "{moved} bytes were moved");
    }

    #[test]
    fn what_is_kept_is_not_much_larger_than_its_lines() {
        let text = b"x\n".repeat(3 * BLOCK);
        for step in [2, 1000, BLOCK] {
            let mut reader = LineReader::new(Drip(&text, step), "", 1000);
            while let Some(chunk) = reader.next_chunk().unwrap() {
                assert!(chunk.bytes.capacity() <= chunk.bytes.len() + 8);
            }
        }
    }

    #[test]
    fn a_line_knows_its_place() {
        let text = [
            &b"a\n\n"[..],
            &vec![b'x'; 2 * BLOCK],
            b"\nb\nc\n",
            &vec![b'y'; 2 * BLOCK],
        ]
        .concat();
        for step in [1000, BLOCK, BLOCK + 1] {
            let mut reader = LineReader::new(Drip(&text, step), "f", 1000);
            let (mut lines, mut too_long) = (Vec::new(), Vec::new());
            while let Some(chunk) = reader.next_chunk().unwrap() {
                too_long.extend((chunk.too_long > 0).then(|| chunk.place_of_too_long()));
                lines.extend(Arc::new(chunk).lines().iter().map(Line::place));
            }
            assert_eq!(lines, ["f:1", "f:2", "f:4", "f:5"], "by {step}");
            assert_eq!(too_long, ["f:3", "f:6"], "by {step}");
        }
    }

    #[test]
    fn what_a_pipe_has_is_not_held_back() {
        let mut reader = LineReader::new(Drip(b"a\nbc\nd", 3), "", 100);
        for expected in [b"a".to_vec(), b"bc".to_vec(), b"d".to_vec()] {
            let chunk = reader.next_chunk().unwrap().unwrap();
            assert_eq!(contents(chunk), [expected]);
        }
    }
}
