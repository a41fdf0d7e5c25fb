//! An address to listen on, as it is typed.

use std::net::Ipv6Addr;

/// Checks that a text is `HOST:PORT`; whether the host is one of this machine's is found out later.
pub(crate) fn listen_address(text: &str) -> Result<String, String> {
    let (host, port) = text
        .rsplit_once(':')
        .filter(|_| !text.ends_with(']'))
        .ok_or("expected HOST:PORT, but the port is missing")?;
    if host.is_empty() {
        return Err("expected HOST:PORT, but the host is missing".to_owned());
    }
    match host.strip_prefix('[') {
        Some(inner) if is_ipv6(inner.strip_suffix(']').unwrap_or_default()) => {}
        Some(_) => {
            return Err("expected an IPv6 address in the brackets: [ADDRESS]:PORT".to_owned());
        }
        None if host.contains(':') => {
            return Err(
                "expected HOST:PORT, with an IPv6 address in brackets: [ADDRESS]:PORT".to_owned(),
            );
        }
        None => {}
    }
    match port.parse::<u16>() {
        Ok(_) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(text.to_owned()),
        _ => Err("expected a port from 0 to 65535".to_owned()),
    }
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_addresses_with_a_port_are_good() {
        for text in ["localhost:0", "127.0.0.1:9092", "[::1]:0", "[::]:65535"] {
            assert_eq!(listen_address(text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn the_error_says_what_is_wrong() {
        for (text, why) in [
            ("localhost", "port is missing"),
            ("[::1]", "port is missing"),
            ("", "port is missing"),
            (":9092", "host is missing"),
            ("::1", "in brackets"),
            ("::1:9092", "in brackets"),
            ("[localhost]:1", "in the brackets"),
            ("[::1:1", "in the brackets"),
            ("localhost:", "0 to 65535"),
            ("localhost:65536", "0 to 65535"),
            ("localhost:+1", "0 to 65535"),
            ("localhost:http", "0 to 65535"),
        ] {
            let error = listen_address(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
