//! Lines on standard output and standard error, of which either may be closed at any time.

use std::{
    env,
    fmt::{self, Write as _},
    io::{self, IsTerminal, Write},
};

use crate::Failure;

/// Prints to standard output at once. A reader that has gone, as with `| head -1`, is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says on standard error why the command fails; nothing if there is nothing to say.
pub(crate) fn complain(line: &str) {
    if !line.is_empty() {
        note("error", line);
    }
}

/// One line on standard error. Where that can't be written, there is nobody left to tell.
pub(crate) fn note(kind: &str, line: &str) {
    let _ = writeln!(io::stderr(), "{kind}: {}", OneLine(line));
}

/// Text on standard error, which leaves standard output to the report.
pub(crate) fn aside(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A stroke of colour, if standard output shows colours.
#[derive(Clone, Copy)]
pub(crate) enum Ink {
    Good,
    Bad,
    Doubt,
    Faint,
}

/// Whether standard output is a terminal that may be coloured.
pub(crate) fn shows_colours() -> bool {
    let plain = |name, value: fn(&str) -> bool| env::var(name).is_ok_and(|v| value(&v));
    io::stdout().is_terminal()
        && !plain("NO_COLOR", |value| !value.is_empty())
        && !plain("TERM", |value| value == "dumb")
}

impl Ink {
    /// The text in this ink; `colours` as of [`shows_colours`].
    pub(crate) fn paint(self, colours: bool, text: &str) -> String {
        let code = match self {
            Self::Good => 32,
            Self::Bad => 31,
            Self::Doubt => 33,
            Self::Faint => 2,
        };
        match colours {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Text of any origin on one line, without what a terminal would obey.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c.is_control() {
                true => write!(f, "{}", c.escape_default())?,
                false => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(OneLine("a\nb\x1b[2J ü").to_string(), "a\\nb\\u{1b}[2J ü");
    }
}
