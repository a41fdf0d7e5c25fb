//! What a broken path, or a hostile peer, makes of an answer's bytes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::Chance;

/// A change to the bytes of one answer, the length of its frame in front.
///
/// None of them can make another answer of it that is well formed and wrong: no client could tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tamper {
    /// The frame breaks off, and the connection ends.
    Cut,
    /// The frame breaks off, and nothing more comes.
    Stop,
    /// A bit of the topic's name, or of what stands before it, is the other one.
    Flip,
    /// Bytes that belong to nothing come first.
    Stray,
    /// The length is negative.
    NegativeLength,
    /// The length is 2 GiB.
    HugeLength,
    /// Another protocol answers.
    Http,
    /// The correlation id is another one.
    WrongCorrelation,
    /// The frame is shorter than its content, and says so.
    Truncated,
    /// The frame is longer than its content.
    Extended,
    /// The content is noise.
    Noise,
    /// The answer comes twice.
    Twice,
}

impl Tamper {
    /// All of them.
    pub const ALL: [Tamper; 12] = [
        Tamper::Cut,
        Tamper::Stop,
        Tamper::Flip,
        Tamper::Stray,
        Tamper::NegativeLength,
        Tamper::HugeLength,
        Tamper::Http,
        Tamper::WrongCorrelation,
        Tamper::Truncated,
        Tamper::Extended,
        Tamper::Noise,
        Tamper::Twice,
    ];

    /// The bytes that are sent in place of `frame`.
    pub(crate) fn apply(self, frame: &Bytes, chance: &mut Chance) -> Bytes {
        let mut bytes = BytesMut::from(&frame[..]);
        match self {
            Tamper::Cut | Tamper::Stop => bytes.truncate(chance.below(frame.len())),
            Tamper::Flip => {
                let at = chance.within(HEADER..frame.len().min(HEADER + 8));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << chance.below(8);
                }
            }
            Tamper::Stray => {
                let stray: Vec<u8> = (0..chance.within(1..64))
                    .map(|_| chance.next() as u8)
                    .collect();
                bytes = BytesMut::from(&stray[..]);
                bytes.put_slice(frame);
            }
            Tamper::NegativeLength => bytes[..4].copy_from_slice(&(-1i32).to_be_bytes()),
            Tamper::HugeLength => bytes[..4].copy_from_slice(&i32::MAX.to_be_bytes()),
            Tamper::Http => bytes = BytesMut::from(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]),
            Tamper::WrongCorrelation => bytes[7] ^= 0x55,
            Tamper::Truncated => {
                bytes.truncate(chance.within(HEADER..frame.len()));
                set_length(&mut bytes);
            }
            Tamper::Extended => {
                bytes.put_bytes(0xee, chance.within(1..32));
                set_length(&mut bytes);
            }
            Tamper::Noise => {
                bytes[HEADER.min(frame.len())..]
                    .iter_mut()
                    .for_each(|byte| *byte = chance.next() as u8);
            }
            Tamper::Twice => bytes.put_slice(frame),
        }
        bytes.freeze()
    }
}

/// The frame's length and the correlation id.
const HEADER: usize = 8;

fn set_length(bytes: &mut [u8]) {
    let length = i32::try_from(bytes.len() - 4).expect("answers are small");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
}
