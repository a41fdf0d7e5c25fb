//! Why a command can't go on.

/// One line for whoever typed the command, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// Empty if everything is said already.
    pub(crate) line: String,
}

impl Failure {
    /// What was typed can't be meant: nothing was produced.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self {
            code: 2,
            line: line.into(),
        }
    }

    /// The command was fine, the world was not.
    pub(crate) fn failed(line: impl Into<String>) -> Self {
        Self {
            code: 1,
            line: line.into(),
        }
    }
}
