//! Text between the parts of a line, as it is typed: with escapes, since a shell hardly lets a tab be typed.

/// What stands between two parts of a line; not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Separator {
    /// As it was typed, for messages.
    pub(crate) typed: String,
    pub(crate) bytes: Vec<u8>,
}

const ESCAPES: &str = "\\t \\r \\0 \\\\ and \\xHH";

/// Reads a separator; the error says what is wrong with it.
pub(crate) fn separator(typed: &str) -> Result<Separator, String> {
    let bytes = unescaped(typed)?;
    if bytes.is_empty() {
        return Err("it can't be empty".to_owned());
    }
    if bytes.contains(&b'\n') {
        return Err("no line has a line feed in it, which ends the line".to_owned());
    }
    Ok(Separator {
        typed: typed.to_owned(),
        bytes,
    })
}

fn unescaped(typed: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(typed.len());
    let mut rest = typed;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let length = match escape.as_bytes().first() {
            Some(b'x') => 3,
            _ => escape.chars().next().map_or(0, char::len_utf8),
        };
        let (name, behind) = escape.split_at_checked(length).unwrap_or((escape, ""));
        bytes.push(
            byte(name).ok_or_else(|| format!("no such escape: \\{name} (there are {ESCAPES})"))?,
        );
        rest = behind;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// The byte that an escape stands for, without its backslash.
fn byte(escape: &str) -> Option<u8> {
    Some(match escape.as_bytes() {
        b"t" => b'\t',
        b"n" => b'\n',
        b"r" => b'\r',
        b"0" => 0,
        b"\\" => b'\\',
        [b'x', digits @ ..] if digits.len() == 2 => {
            let digit = |of: u8| char::from(of).to_digit(16);
            let value = digit(digits[0])? * 16 + digit(digits[1])?;
            u8::try_from(value).ok()?
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_bytes() {
        for (typed, bytes) in [
            (r"\t", &b"\t"[..]),
            (r"\r", b"\r"),
            (r"\0", b"\0"),
            (r"\\", b"\\"),
            (r"\x1f", b"\x1f"),
            (r"\xFF0", b"\xff0"),
            (r"\\t", b"\\t"),
            (r"a\tb\x3ac", b"a\tb:c"),
            ("->", b"->"),
            ("ü", "ü".as_bytes()),
        ] {
            let read = separator(typed).unwrap();
            assert_eq!((&*read.bytes, &*read.typed), (bytes, typed));
        }
    }

    #[test]
    fn what_is_no_separator_is_named() {
        for (typed, why) in [
            ("", "empty"),
            (r"\", r"no such escape: \ "),
            (r"\q", r"no such escape: \q "),
            (r"a\üb", r"no such escape: \ü "),
            (r"\x1", r"no such escape: \x1 "),
            (r"\x", r"no such escape: \x "),
            (r"\xg0", r"no such escape: \xg0 "),
            (r"\x+1", r"no such escape: \x+1 "),
            (r"\x1ü", r"no such escape: \x1ü "),
            (r"\n", "line feed"),
            (r"\x0a", "line feed"),
        ] {
            let error = separator(typed).unwrap_err();
            assert!(error.contains(why), "{typed}: {error}");
        }
    }
}
