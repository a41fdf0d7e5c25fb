//! Logging: `tracing` if the feature asks for it, else nothing. Fields, not formatted sentences.

#[cfg(feature = "tracing")]
macro_rules! debug {
    ($($arg:tt)*) => { ::tracing::debug!($($arg)*) };
}

#[cfg(not(feature = "tracing"))]
macro_rules! debug {
    ($($arg:tt)*) => {};
}

pub(crate) use debug;
