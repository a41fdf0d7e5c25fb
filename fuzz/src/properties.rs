//! Configuration as text.

use ottla_core::ConfigError;

/// Name and value.
pub type Pair = (String, String);

/// The pairs in Java's `.properties` format, one a line, with every character escaped that may mean something.
pub fn written(pairs: &[Pair]) -> String {
    let line = |(name, value): &Pair| format!("{}={}\n", escaped(name), escaped(value));
    pairs.iter().map(line).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\n' => escaped += "\\n",
            '\r' => escaped += "\\r",
            '\t' => escaped += "\\t",
            '\x0c' => escaped += "\\f",
            ' ' | '=' | ':' | '#' | '!' | '\\' => escaped.extend(['\\', c]),
            '\0'..' ' | '\x7f'.. => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    escaped += &format!("\\u{unit:04x}");
                }
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Asserts that an error is one line of bearable length, and names a setting that the pairs have or lack.
pub fn assert_helpful(error: &ConfigError, pairs: &[Pair]) {
    let has = |name: &str| pairs.iter().any(|(n, _)| n == name);
    let message = error.to_string();
    assert!(
        message.len() < 1000 && !message.contains('\n'),
        "{message:?}"
    );
    let helps = match error {
        ConfigError::Missing { name, .. } => !has(name) && message.contains(name),
        ConfigError::Unknown { name, .. } => has(name),
        ConfigError::Invalid { name, .. } | ConfigError::NotSupported { name, .. } => {
            has(name) && message.contains(name)
        }
        ConfigError::Conflict { name, with, .. } => {
            let named = with
                .split(" + ")
                .filter_map(|with| Some(with.split_once('=')?.0));
            message.contains(name) && named.chain([*name]).any(has)
        }
        _ => false,
    };
    assert!(helps, "{error:?} for {pairs:?}");
}
