//! Java's `.properties` format.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::Chars;

/// Why text is not in the `.properties` format. A line that goes on over several counts as its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PropertiesError {
    /// `\u` without four hexadecimal digits.
    #[non_exhaustive]
    Escape {
        /// The line, counted from 1.
        line: usize,
    },
    /// A `\uXXXX` that is half of a character, without the other half.
    #[non_exhaustive]
    Surrogate {
        /// The line, counted from 1.
        line: usize,
    },
    /// A line without a name.
    #[non_exhaustive]
    NoName {
        /// The line, counted from 1.
        line: usize,
    },
}

/// Reads Java's `.properties` format: pairs of name and value in their order, duplicates included.
///
/// `name=value`, `name: value` or `name value` a line; comments start with `#` or `!`; a backslash at the end of a line
/// joins the next one; `\t`, `\n`, `\r`, `\f` and `\uXXXX` stand for a character, and any other one after a backslash
/// for itself. Unlike Java, which takes a file for ISO 8859-1, this leaves the decoding to the caller.
pub fn parse_properties(text: &str) -> Result<Vec<(String, String)>, PropertiesError> {
    let mut properties = Vec::new();
    let mut lines = Lines {
        rest: Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        count: 0,
    };
    while let Some((line, text)) = lines.next_logical() {
        let (name, value) = split(&text);
        if name.is_empty() {
            return Err(PropertiesError::NoName { line });
        }
        properties.push((unescape(name, line)?, unescape(value, line)?));
    }
    Ok(properties)
}

impl PropertiesError {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        match self {
            Self::Escape { line } | Self::Surrogate { line } | Self::NoName { line } => *line,
        }
    }
}

impl fmt::Display for PropertiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self {
            Self::Escape { .. } => "\\u must be followed by four hexadecimal digits",
            Self::Surrogate { .. } => "half of a surrogate pair",
            Self::NoName { .. } => "the name of the setting is missing",
        };
        write!(f, "line {}: {problem}", self.line())
    }
}

impl core::error::Error for PropertiesError {}

struct Lines<'a> {
    rest: Option<&'a str>,
    count: usize,
}

impl<'a> Lines<'a> {
    /// The next line that says something, joined with those it goes on in, and its number.
    fn next_logical(&mut self) -> Option<(usize, String)> {
        // A backslash alone joins nothing with the next line.
        let says_nothing =
            |line: &str| line.is_empty() || line == "\\" || line.starts_with(['#', '!']);
        let mut first = self.next_natural()?;
        while says_nothing(first) {
            first = self.next_natural()?;
        }
        let line = self.count;
        let mut text = String::from(first);
        while goes_on(&text) {
            text.pop();
            text.push_str(self.next_natural().unwrap_or(""));
        }
        Some((line, text))
    }

    /// The next line without the white space at its start.
    fn next_natural(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        self.count += 1;
        let (line, rest) = match rest.find(['\r', '\n']) {
            None => (rest, None),
            Some(end) => {
                let ending = if rest[end..].starts_with("\r\n") {
                    2
                } else {
                    1
                };
                (&rest[..end], Some(&rest[end + ending..]))
            }
        };
        self.rest = rest;
        Some(line.trim_start_matches(is_blank))
    }
}

/// Whether the text ends in a backslash that is not escaped itself.
fn goes_on(text: &str) -> bool {
    text.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Splits a line, still escaped, into name and value: at the first `=`, `:` or white space.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = !escaped && c == '\\';
        ends
    });
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, value.trim_start_matches(is_blank))
}

fn unescape(text: &str, line: usize) -> Result<String, PropertiesError> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some('u') => unicode(&mut chars, line)?,
                Some(other) => other,
                None => break,
            },
            c => c,
        };
        plain.push(c);
    }
    Ok(plain)
}

/// Reads the character whose `\u` has just been read: one UTF-16 unit, or two if they belong together.
fn unicode(chars: &mut Chars<'_>, line: usize) -> Result<char, PropertiesError> {
    let unit = hex(chars).ok_or(PropertiesError::Escape { line })?;
    if let Some(c) = char::from_u32(unit) {
        return Ok(c);
    }
    let half = PropertiesError::Surrogate { line };
    if chars.next() != Some('\\') || chars.next() != Some('u') {
        return Err(half);
    }
    let low = hex(chars).ok_or(PropertiesError::Escape { line })?;
    match (unit, low) {
        (0xd800..0xdc00, 0xdc00..0xe000) => {
            char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).ok_or(half)
        }
        _ => Err(half),
    }
}

fn hex(chars: &mut Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit << 4 | chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec;

    use super::*;

    fn parse(text: &str) -> Vec<(String, String)> {
        parse_properties(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    #[test]
    fn one_line() {
        for (text, name, value) in [
            ("a=b", "a", "b"),
            ("a:b", "a", "b"),
            ("a b", "a", "b"),
            ("a\tb", "a", "b"),
            ("a\x0cb", "a", "b"),
            (" a = b ", "a", "b "),
            ("a : b", "a", "b"),
            ("a  =  b", "a", "b"),
            ("a==b", "a", "=b"),
            ("a = = b", "a", "= b"),
            ("a:=b", "a", "=b"),
            ("a b=c", "a", "b=c"),
            ("a", "a", ""),
            ("a=", "a", ""),
            ("a=b#c", "a", "b#c"),
            ("a=b!c", "a", "b!c"),
            ("a\\=b=c", "a=b", "c"),
            ("a\\:b:c", "a:b", "c"),
            ("a\\ b c", "a b", "c"),
            ("\\#a=b", "#a", "b"),
            ("a\\\\=b", "a\\", "b"),
            ("a=C:\\\\x", "a", "C:\\x"),
            ("a=\\t\\n\\r\\f\\b\\\"\\'\\ x", "a", "\t\n\r\x0cb\"' x"),
            ("a=\\ b", "a", " b"),
            ("a=\\u00e4\\u20AC", "a", "ä€"),
            ("\\u0061=b", "a", "b"),
            ("a\\u003db=c", "a=b", "c"),
            ("a=\\ud83d\\ude00!", "a", "😀!"),
            ("ä=€", "ä", "€"),
            ("\u{feff}a=b", "a", "b"),
            ("a=b\\", "a", "b"),
            ("a=b\u{a0}", "a", "b\u{a0}"),
        ] {
            assert_eq!(parse(text), [(name.into(), value.into())], "{text:?}");
        }
    }

    #[test]
    fn comments_blank_lines_and_line_ends() {
        let text = "# a=1\n! b=2\n\n  \t\n  # c=3\\\nd=4\r\n\r\ne=5\rf=6\n\r#g\nh=7";
        let names: Vec<_> = parse(text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["d", "e", "f", "h"]);
        assert_eq!(parse(""), []);
        assert_eq!(parse("\n#only\n"), []);
    }

    #[test]
    fn lines_that_go_on() {
        for (text, value) in [
            ("a=b,\\\n   c,\\\r\n\td", "b,c,d"),
            ("a=b\\\\\nc=d", "b\\"),
            ("a=b\\\\\\\nc", "b\\c"),
            ("a=b\\\n\nc=d", "b"),
            ("a=b\\\n#c", "b#c"),
            ("a\\\n=b", "b"),
            ("a=\\\n\\\nb", "b"),
            ("\\\na=b", "b"),
            ("\\\n\n#c\na=b", "b"),
            ("\\\n#c\na=b", "b"),
            ("a=b\\\n", "b"),
            ("a=\\u00\\\n e4", "ä"),
        ] {
            assert_eq!(parse(text)[0], ("a".into(), value.into()), "{text:?}");
        }
    }

    #[test]
    fn duplicates_stay() {
        assert_eq!(
            parse("a=1\na=2"),
            vec![("a".into(), "1".into()), ("a".into(), "2".into())]
        );
    }

    #[test]
    fn errors_name_the_line() {
        for (text, error) in [
            ("a=1\nb=\\u12", PropertiesError::Escape { line: 2 }),
            ("b=\\u12x4", PropertiesError::Escape { line: 1 }),
            ("b=\\u", PropertiesError::Escape { line: 1 }),
            ("b=\\uu0041", PropertiesError::Escape { line: 1 }),
            ("b=\\u+041", PropertiesError::Escape { line: 1 }),
            ("b=\\ud83d\\u12", PropertiesError::Escape { line: 1 }),
            ("#\r\n\r\rb=\\ud83d", PropertiesError::Surrogate { line: 4 }),
            ("b=\\ud83dx", PropertiesError::Surrogate { line: 1 }),
            ("b=\\ude00", PropertiesError::Surrogate { line: 1 }),
            ("b=\\ud83d\\u0041", PropertiesError::Surrogate { line: 1 }),
            ("a=1\\\n2\\\n3\n\n=x", PropertiesError::NoName { line: 5 }),
            (": x", PropertiesError::NoName { line: 1 }),
        ] {
            let found = parse_properties(text).unwrap_err();
            assert_eq!(found, error, "{text:?}");
            assert!(
                found
                    .to_string()
                    .starts_with(&std::format!("line {}: ", error.line()))
            );
        }
    }
}
