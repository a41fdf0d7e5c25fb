//! LZ4 in its frame format, as Kafka has it in record batches.

use alloc::vec::Vec;

use super::DecompressError;

mod block;
mod fast;
mod hc;

const MAGIC: u32 = 0x184D_2204;
/// The frame's flags: version 1, and each block decodes without those before it, as Java's reader demands.
const FLAGS: u8 = VERSION | INDEPENDENT;
const VERSION: u8 = 0b0100_0000;
const INDEPENDENT: u8 = 0b0010_0000;
const BLOCK_CHECKSUMS: u8 = 0b0001_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const CONTENT_CHECKSUM: u8 = 0b0000_0100;
const KNOWN_FLAGS: u8 = 0b1111_1100;
/// The bit of a block's length that says that the block is stored as it is.
const STORED: u32 = 1 << 31;
/// The level that stands for the fast search; every other one asks for the thorough search, as in Java.
const FAST: i32 = 9;

/// Compresses batches to LZ4 frames.
///
/// It holds no memory before its first batch, and then a table sized by the largest batch so far: for the fast search
/// about as much as the batch takes, and at most 64 KiB; for the thorough one at most 192 KiB.
pub(crate) struct Encoder {
    level: i32,
    fast: fast::Search,
    hc: hc::Search,
}

impl Encoder {
    /// Takes the level as `compression.lz4.level` has it: 9 is the fast search, any other the thorough one, which looks the
    /// longer the higher it is.
    pub(crate) fn new(level: i32) -> Self {
        Self {
            level,
            fast: fast::Search::new(),
            hc: hc::Search::new(level),
        }
    }

    /// Compresses `input` to one frame and returns its length, or `None` if `out` is too short for it, or the allocator has
    /// no memory for the tables.
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        let size = BlockSize::for_input(input.len());
        let (head, mut rest) = out.split_first_chunk_mut()?;
        *head = size.frame_head();
        let mut len = head.len();
        for block in input.chunks(size.len()) {
            let (block_head, room) = rest.split_first_chunk_mut()?;
            let most = room.len().min(block.len() - 1);
            let written = match self.level {
                FAST => self.fast.compress(block, &mut room[..most]),
                _ => self.hc.compress(block, &mut room[..most]),
            };
            let (written, mark) = match written {
                Some(written) => (written, 0),
                None => {
                    room.get_mut(..block.len())?.copy_from_slice(block);
                    (block.len(), STORED)
                }
            };
            *block_head = (written as u32 | mark).to_le_bytes();
            len += block_head.len() + written;
            rest = &mut room[written..];
        }
        let end = rest.first_chunk_mut()?;
        *end = 0_u32.to_le_bytes();
        Some(len + end.len())
    }
}

/// Appends what the frame `input` holds to `out`, at most `most` bytes of it.
///
/// The checksums of blocks and contents, which Kafka's clients do not write, are passed over: a batch has its own.
pub(crate) fn decompress(
    input: &[u8],
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let mut reader = Reader(input);
    let head = FrameHead::read(&mut reader)?;
    let start = out.len();
    let most = start.saturating_add(most);
    loop {
        let word = u32::from_le_bytes(reader.array()?);
        if word == 0 {
            break;
        }
        let block = reader.bytes((word & !STORED) as usize)?;
        let (from, longest) = (out.len(), head.size.len());
        if word & STORED != 0 {
            if block.len() > longest {
                return Err(DecompressError::Damaged);
            }
            if block.len() > most - from {
                return Err(DecompressError::TooLong);
            }
            out.extend_from_slice(block);
        } else {
            let window = if head.has(INDEPENDENT) { from } else { start };
            match block::decode(block, window, most.min(from + longest), out) {
                Err(DecompressError::TooLong) if most > from + longest => {
                    return Err(DecompressError::Damaged);
                }
                result => result?,
            }
        }
        if head.has(BLOCK_CHECKSUMS) {
            reader.bytes(4)?;
        }
    }
    if head.has(CONTENT_CHECKSUM) {
        reader.bytes(4)?;
    }
    match reader.0 {
        [] => Ok(()),
        _ => Err(DecompressError::Damaged),
    }
}

/// How much of the input each block of a frame holds, the last one aside.
#[derive(Clone, Copy)]
struct BlockSize(u8);

impl BlockSize {
    /// The smallest that holds the whole input: each block starts without a history, and a reader makes room for a block.
    /// Above 1 MiB there is little left to win.
    fn for_input(len: usize) -> Self {
        let holds_all = |code: &u8| len <= Self(*code).len();
        Self((4..6).find(holds_all).unwrap_or(6))
    }

    fn from_code(code: u8) -> Result<Self, DecompressError> {
        match code {
            4..=7 => Ok(Self(code)),
            _ => Err(DecompressError::Damaged),
        }
    }

    fn len(self) -> usize {
        1 << (2 * self.0 + 8)
    }

    fn frame_head(self) -> [u8; 7] {
        let [a, b, c, d] = MAGIC.to_le_bytes();
        let descriptor = [FLAGS, self.0 << 4];
        [a, b, c, d, descriptor[0], descriptor[1], check(&descriptor)]
    }
}

/// What stands in front of a frame's blocks.
struct FrameHead {
    flags: u8,
    size: BlockSize,
}

impl FrameHead {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecompressError> {
        if reader.array()? != MAGIC.to_le_bytes() {
            return Err(DecompressError::Damaged);
        }
        let descriptor = reader.0;
        let [flags, size] = reader.array()?;
        let head = Self {
            flags,
            size: BlockSize::from_code(size >> 4)?,
        };
        if head.has(CONTENT_SIZE) {
            reader.bytes(8)?;
        }
        let descriptor = &descriptor[..descriptor.len() - reader.0.len()];
        let is_known = flags & KNOWN_FLAGS == flags && flags >> 6 == VERSION >> 6 && size & 15 == 0;
        if !is_known || reader.array()? != [check(descriptor)] {
            return Err(DecompressError::Damaged);
        }
        Ok(head)
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The checksum of a frame's descriptor, which has less than 16 bytes: the second byte of their XXH32.
fn check(descriptor: &[u8]) -> u8 {
    const PRIME_1: u32 = 0x9E37_79B1;
    const PRIME_2: u32 = 0x85EB_CA77;
    const PRIME_3: u32 = 0xC2B2_AE3D;
    const PRIME_4: u32 = 0x27D4_EB2F;
    const PRIME_5: u32 = 0x1656_67B1;
    debug_assert!(descriptor.len() < 16, "more takes XXH32's other half");
    let mut hash = PRIME_5.wrapping_add(descriptor.len() as u32);
    let (words, bytes) = descriptor.as_chunks();
    for &word in words {
        hash = hash.wrapping_add(u32::from_le_bytes(word).wrapping_mul(PRIME_3));
        hash = hash.rotate_left(17).wrapping_mul(PRIME_4);
    }
    for &byte in bytes {
        hash = hash.wrapping_add(u32::from(byte).wrapping_mul(PRIME_5));
        hash = hash.rotate_left(11).wrapping_mul(PRIME_1);
    }
    hash = (hash ^ (hash >> 15)).wrapping_mul(PRIME_2);
    hash = (hash ^ (hash >> 13)).wrapping_mul(PRIME_3);
    ((hash ^ (hash >> 16)) >> 8) as u8
}

/// Takes bytes off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecompressError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(DecompressError::Damaged)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecompressError> {
        let (bytes, rest) = self
            .0
            .split_at_checked(len)
            .ok_or(DecompressError::Damaged)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A length whose first four bits are these, and which goes on in further bytes if they are all set.
    fn len(&mut self, bits: u8) -> Result<usize, DecompressError> {
        let mut len = usize::from(bits);
        if bits == 15 {
            loop {
                let [more] = self.array()?;
                len += usize::from(more);
                if more < 255 {
                    break;
                }
            }
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests;
