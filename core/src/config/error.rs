//! What can be wrong with a configuration.

use alloc::string::String;
use core::fmt;

/// Why a set of settings is no [`Config`](super::Config). Names are those of Java's producer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The setting has no default and was not given.
    #[non_exhaustive]
    Missing {
        /// The setting.
        name: &'static str,
    },
    /// The value is outside of what the setting takes.
    #[non_exhaustive]
    Invalid {
        /// The setting.
        name: &'static str,
        /// The value that was given; of a list, the entry that is wrong.
        value: String,
        /// What the setting takes, in words.
        expected: &'static str,
    },
    /// Each value is fine alone, but they exclude each other. Change or leave out one of them.
    #[non_exhaustive]
    Conflict {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// The other settings, as `name=value`.
        with: String,
        /// What must hold.
        rule: &'static str,
    },
    /// Kafka's producer has the setting, but ottla cannot do yet what the value asks for. Leave it out, or give the value
    /// that says what ottla does.
    #[non_exhaustive]
    NotSupported {
        /// The setting.
        name: &'static str,
        /// The value that was given, or `[hidden]` if it may be a secret.
        value: String,
        /// The value that ottla takes; may be empty.
        supported: &'static str,
    },
    /// This build of ottla was made without what the value asks for. The feature to build it with is named like the value.
    #[non_exhaustive]
    NotBuiltIn {
        /// The setting.
        name: &'static str,
        /// The value that was given.
        value: &'static str,
    },
    /// There is no such setting.
    #[non_exhaustive]
    Unknown {
        /// The name that was given.
        name: String,
        /// The setting that was probably meant.
        nearest: Option<&'static str>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name } => write!(f, "{name} is required"),
            Self::Invalid {
                name,
                value,
                expected,
            } => {
                write!(
                    f,
                    "invalid value {} for {name}: expected {expected}",
                    Quoted(value)
                )
            }
            Self::Conflict {
                name,
                value,
                with,
                rule,
            } => write!(f, "{name}={value} conflicts with {with}: {rule}"),
            Self::NotSupported {
                name,
                value,
                supported,
            } => {
                write!(
                    f,
                    "{name}={} is not supported yet, only {} is",
                    Quoted(value),
                    Quoted(supported)
                )
            }
            Self::NotBuiltIn { name, value } => {
                write!(
                    f,
                    "{name}={value} needs ottla to be built with the feature {value:?}"
                )
            }
            Self::Unknown { name, nearest } => {
                write!(f, "unknown setting {}", Quoted(name))?;
                match nearest {
                    Some(nearest) => write!(f, ", did you mean {nearest}?"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl core::error::Error for ConfigError {}

/// A value on one line of bearable length.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 80;
        match self.0.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_message_stays_one_short_line() {
        let error = ConfigError::Unknown {
            name: "ä\n".repeat(500),
            nearest: None,
        };
        let message = error.to_string();
        assert!(!message.contains('\n') && message.len() < 400, "{message}");
    }
}
