//! LZ4 as Kafka's own `Lz4BlockInputStream` reads it: one frame of independent blocks.
//!
//! The checksums of the header and of the blocks are verified, the content's checksum and size are passed over. What
//! stands behind the frame is not looked at.

use twox_hash::XxHash32;

use super::{MOST, cut};

const MAGIC: u32 = 0x184d_2204;
/// The header's first byte: version 1, blocks that do not depend on each other, and what else there is.
const VERSION_AND_INDEPENDENCE: u8 = 0b0110_0000;
const BLOCK_SUMS: u8 = 1 << 4;
const CONTENT_SIZE: u8 = 1 << 3;
const CONTENT_SUM: u8 = 1 << 2;
/// In a block's length: its bytes are not compressed.
const STORED: u32 = 1 << 31;

pub(super) fn open(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body;
    let frame = Frame::read(&mut rest)?;
    let mut opened = Vec::new();
    loop {
        let word = u32::from_le_bytes(cut(&mut rest)?);
        let length = (word & !STORED) as usize;
        if length == 0 {
            break;
        }
        if length > frame.longest_block {
            return None;
        }
        let (block, behind) = rest.split_at_checked(length)?;
        rest = behind;
        if frame.has_block_sums && u32::from_le_bytes(cut(&mut rest)?) != sum(block) {
            return None;
        }
        match word & STORED {
            0 => frame.decompress(block, &mut opened)?,
            _ => opened.extend_from_slice(block),
        }
        if opened.len() > MOST {
            return None;
        }
    }
    if frame.has_content_sum {
        cut::<4>(&mut rest)?;
    }
    Some(opened)
}

/// What a frame's header says.
struct Frame {
    longest_block: usize,
    has_block_sums: bool,
    has_content_sum: bool,
}

impl Frame {
    fn read(rest: &mut &[u8]) -> Option<Frame> {
        if u32::from_le_bytes(cut(rest)?) != MAGIC {
            return None;
        }
        let header = *rest;
        let [flags, sizes] = cut(rest)?;
        let known = BLOCK_SUMS | CONTENT_SIZE | CONTENT_SUM;
        if flags & !known != VERSION_AND_INDEPENDENCE {
            return None;
        }
        let longest_block = match sizes {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return None,
        };
        if flags & CONTENT_SIZE != 0 {
            cut::<8>(rest)?;
        }
        let summed = &header[..header.len() - rest.len()];
        let [said] = cut(rest)?;
        (said == (sum(summed) >> 8) as u8).then_some(Frame {
            longest_block,
            has_block_sums: flags & BLOCK_SUMS != 0,
            has_content_sum: flags & CONTENT_SUM != 0,
        })
    }

    /// Opens a block at the end of what is open already.
    fn decompress(&self, block: &[u8], opened: &mut Vec<u8>) -> Option<()> {
        let start = opened.len();
        // A byte of a block makes 255 at most.
        let most = self.longest_block.min(block.len().saturating_mul(255));
        opened.resize(start + most, 0);
        let length = lz4_flex::block::decompress_into(block, &mut opened[start..]).ok()?;
        opened.truncate(start + length);
        Some(())
    }
}

fn sum(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}
