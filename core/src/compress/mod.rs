//! The codecs: pure functions over bytes, one file each, both directions.
//!
//! Which of them there are is a matter of features; what a batch says about its codec is Kafka's
//! [attributes](https://kafka.apache.org/documentation/#recordbatch).

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
mod ratio;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(all(
    test,
    any(
        feature = "gzip",
        feature = "snappy",
        feature = "lz4",
        feature = "zstd"
    )
))]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use alloc::vec::Vec;

pub(crate) use ratio::Ratio;

/// The codec of a producer's batches (`compression.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Batches go as they are.
    #[default]
    None,
    /// Deflate, with the framing of gzip.
    Gzip,
    /// Snappy, with the framing of snappy-java.
    Snappy,
    /// LZ4, in its frame format.
    Lz4,
    /// Zstandard; brokers from Kafka 2.1 on read it (KIP-110).
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Kafka's name of it, which is that of the feature it needs, too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether this build has the codec.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// What the attributes of a batch say about it, in their lowest three bits.
    pub(crate) const fn attribute(self) -> i16 {
        self as i16
    }
}

/// A codec at work, with memory that it keeps from batch to batch.
pub(crate) enum Encoder {
    #[cfg(feature = "gzip")]
    Gzip(gzip::Encoder),
    #[cfg(feature = "snappy")]
    Snappy(snappy::Encoder),
    #[cfg(feature = "lz4")]
    Lz4(lz4::Encoder),
    #[cfg(feature = "zstd")]
    Zstd(alloc::boxed::Box<zstd::Encoder>),
}

impl Encoder {
    /// `None` without a codec, or if this build does not have it. A codec without levels takes any.
    #[cfg_attr(not(feature = "gzip"), allow(unused_variables))]
    pub(crate) fn new(codec: Compression, level: i32) -> Option<Self> {
        match codec {
            #[cfg(feature = "gzip")]
            Compression::Gzip => Some(Self::Gzip(gzip::Encoder::new(level))),
            #[cfg(feature = "snappy")]
            Compression::Snappy => Some(Self::Snappy(snappy::Encoder::new())),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => Some(Self::Lz4(lz4::Encoder::new(level))),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Some(Self::Zstd(zstd::Encoder::new(level).into())),
            _ => None,
        }
    }

    /// Compresses `input` into `out`. Returns the length, or `None` if it does not fit.
    #[cfg_attr(not(feature = "gzip"), allow(unused_variables))]
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        match *self {
            #[cfg(feature = "gzip")]
            Self::Gzip(ref mut encoder) => encoder.compress(input, out),
            #[cfg(feature = "snappy")]
            Self::Snappy(ref mut encoder) => encoder.compress(input, out),
            #[cfg(feature = "lz4")]
            Self::Lz4(ref mut encoder) => encoder.compress(input, out),
            #[cfg(feature = "zstd")]
            Self::Zstd(ref mut encoder) => encoder.compress(input, out),
        }
    }
}

/// Appends what `input` holds to `out`, at most `most` bytes.
#[cfg_attr(not(feature = "gzip"), allow(unused_variables, clippy::ptr_arg))]
pub(crate) fn decompress(
    codec: Compression,
    input: &[u8],
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    match codec {
        #[cfg(feature = "gzip")]
        Compression::Gzip => gzip::decompress(input, most, out),
        #[cfg(feature = "snappy")]
        Compression::Snappy => snappy::decompress(input, most, out),
        #[cfg(feature = "lz4")]
        Compression::Lz4 => lz4::decompress(input, most, out),
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstd::decompress(input, most, out),
        _ => Err(DecompressError::Damaged),
    }
}

/// Why compressed bytes were not opened.
#[cfg_attr(
    not(any(
        feature = "gzip",
        feature = "snappy",
        feature = "lz4",
        feature = "zstd"
    )),
    allow(dead_code)
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecompressError {
    /// They are not what the codec writes.
    Damaged,
    /// They hold more than the caller takes, or than there is memory for.
    TooLong,
}
