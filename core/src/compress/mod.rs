//! The codecs: pure functions over bytes, one file each, both directions.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(test)]
mod samples;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

/// Why compressed bytes were not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecompressError {
    /// They are not what the codec writes.
    Damaged,
    /// They hold more than the caller takes, or than there is memory for.
    TooLong,
}
