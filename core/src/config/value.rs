//! The kinds of value a setting has: what fits, and how text becomes one.

use core::time::Duration;

use super::{Acks, Compression, SequenceGap};

const INT_MAX: i64 = i32::MAX as i64;

/// A kind of value.
pub(super) struct Kind<T> {
    /// What fits, in words that follow "expected".
    pub(super) valid: &'static str,
    /// Reads trimmed text.
    pub(super) read: fn(&str) -> Option<T>,
    /// Checks what a typed setter was given. Times and socket buffers beyond Kafka's largest become the largest.
    pub(super) fit: fn(T) -> Option<T>,
}

/// A time that Kafka holds in 32 bits.
pub(super) const INT_MS: Kind<Duration> = Kind {
    valid: "a whole number of milliseconds from 0 to 2147483647",
    read: |text| number(text, 0, INT_MAX).map(millis),
    fit: |time| Some(time.min(millis(INT_MAX))),
};

/// A time that Kafka holds in 64 bits.
pub(super) const LONG_MS: Kind<Duration> = Kind {
    valid: "a whole number of milliseconds from 0 to 9223372036854775807",
    read: |text| number(text, 0, i64::MAX).map(millis),
    fit: |time| Some(time.min(millis(i64::MAX))),
};

pub(super) const MS_OR_NEVER: Kind<Option<Duration>> = Kind {
    valid: "a whole number of milliseconds from 0 to 9223372036854775807, or -1 for never",
    read: |text| number(text, -1, i64::MAX).map(|n| (n >= 0).then(|| millis(n))),
    fit: |time| Some(time.map(|time| time.min(millis(i64::MAX)))),
};

pub(super) const SIZE: Kind<usize> = Kind {
    valid: "a whole number of bytes from 0 to 2147483647",
    read: |text| number(text, 0, INT_MAX).map(size),
    fit: |size| (size <= INT_MAX as usize).then_some(size),
};

pub(super) const FRAME_SIZE: Kind<usize> = Kind {
    valid: "a whole number of bytes from 1024 to 2147483647",
    read: |text| number(text, 1024, INT_MAX).map(size),
    fit: |size| (1024..=INT_MAX as usize).contains(&size).then_some(size),
};

/// More than the processor can address counts as all it can.
pub(super) const MEMORY_SIZE: Kind<usize> = Kind {
    valid: "a whole number of bytes from 0 to 9223372036854775807",
    read: |text| number(text, 0, i64::MAX).map(size),
    fit: Some,
};

pub(super) const SOCKET_BUFFER: Kind<Option<usize>> = Kind {
    valid: "a whole number of bytes from 0 to 2147483647, or -1 for the system's default",
    read: |text| number(text, -1, INT_MAX).map(|n| (n >= 0).then(|| size(n))),
    fit: |size| Some(size.map(|size| size.min(INT_MAX as usize))),
};

pub(super) const COUNT: Kind<u32> = Kind {
    valid: "a whole number from 0 to 2147483647",
    read: |text| number(text, 0, INT_MAX).map(count),
    fit: |n| (n <= i32::MAX as u32).then_some(n),
};

pub(super) const AT_LEAST_ONE: Kind<u32> = Kind {
    valid: "a whole number from 1 to 2147483647",
    read: |text| number(text, 1, INT_MAX).map(count),
    fit: |n| (1..=i32::MAX as u32).contains(&n).then_some(n),
};

pub(super) const BOOLEAN: Kind<bool> = Kind {
    valid: "true or false",
    read: |text| match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    },
    fit: Some,
};

pub(super) const ACKS: Kind<Acks> = Kind {
    valid: "all, -1, 0 or 1",
    read: |text| match text {
        "all" | "-1" => Some(Acks::All),
        "1" => Some(Acks::Leader),
        "0" => Some(Acks::None),
        _ => None,
    },
    fit: Some,
};

pub(super) const COMPRESSION: Kind<Compression> = Kind {
    valid: "none, gzip, snappy, lz4 or zstd",
    read: |text| {
        Compression::ALL
            .into_iter()
            .find(|codec| codec.name() == text)
    },
    fit: Some,
};

pub(super) const GZIP_LEVEL: Kind<i32> = Kind {
    valid: "a whole number from 1 to 9, or -1 for gzip's default",
    read: |text| {
        number(text, -1, 9)
            .map(|n| n as i32)
            .and_then(GZIP_LEVEL.fit)
    },
    fit: |level| (level == -1 || (1..=9).contains(&level)).then_some(level),
};

pub(super) const LZ4_LEVEL: Kind<i32> = Kind {
    valid: "a whole number from 1 to 17",
    read: |text| number(text, 1, 17).map(|n| n as i32),
    fit: |level| (1..=17).contains(&level).then_some(level),
};

pub(super) const ZSTD_LEVEL: Kind<i32> = Kind {
    valid: "a whole number from -131072 to 22",
    read: |text| number(text, -131_072, 22).map(|n| n as i32),
    fit: |level| (-131_072..=22).contains(&level).then_some(level),
};

pub(super) const SEQUENCE_GAP: Kind<SequenceGap> = Kind {
    valid: "maybe-written or resend",
    read: |text| match text {
        "maybe-written" => Some(SequenceGap::MaybeWritten),
        "resend" => Some(SequenceGap::Resend),
        _ => None,
    },
    fit: Some,
};

fn number(text: &str, least: i64, most: i64) -> Option<i64> {
    text.parse().ok().filter(|n| (least..=most).contains(n))
}

// The callers below have checked the range; what a small processor cannot hold becomes its largest.

fn millis(n: i64) -> Duration {
    Duration::from_millis(n.unsigned_abs())
}

fn size(n: i64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn count(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
