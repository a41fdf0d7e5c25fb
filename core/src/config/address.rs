//! Where a server listens: a host and a port.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv6Addr;

use super::ConfigError;

pub(super) const BOOTSTRAP_SERVERS: &str = "bootstrap.servers";

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// The name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; of a bootstrap server never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads `bootstrap.servers`. An entry that comes again is dropped.
    pub(super) fn list(text: &str) -> Result<Vec<Self>, ConfigError> {
        let mut servers: Vec<Self> = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let server = Self::parse(entry).map_err(|expected| ConfigError::Invalid {
                name: BOOTSTRAP_SERVERS,
                value: entry.into(),
                expected,
            })?;
            if !servers.iter().any(|other| other.same(&server)) {
                servers.push(server);
            }
        }
        Ok(servers)
    }

    /// Reads `host:port`; the error says what was expected instead.
    fn parse(entry: &str) -> Result<Self, &'static str> {
        const SCHEME: &str = "PLAINTEXT://";
        let rest = match entry.get(..SCHEME.len()) {
            Some(start) if start.eq_ignore_ascii_case(SCHEME) => &entry[SCHEME.len()..],
            _ => entry,
        };
        if rest.is_empty() {
            return Err("host:port entries with a comma between two of them, none empty");
        }
        if rest.contains('/') {
            return Err("host:port without a protocol or a path");
        }
        let (host, port) = rest
            .rsplit_once(':')
            .filter(|_| !rest.ends_with(']'))
            .ok_or("host:port, but the port is missing")?;
        let host = match host.strip_prefix('[') {
            Some(inner) => ipv6(inner)?,
            None => name(host)?,
        };
        Ok(Self {
            host: host.into(),
            port: number(port)?,
        })
    }

    /// An address that a broker or the configuration named.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let host = host.into();
        Self { host, port }
    }

    fn same(&self, other: &Self) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(&other.host)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_host_port(f, &self.host, self.port)
    }
}

/// Writes `host:port`, an IPv6 address in brackets, since its own colons would run into the port.
pub(crate) fn write_host_port(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    match host.contains(':') {
        true => write!(f, "[{host}]:{port}"),
        false => write!(f, "{host}:{port}"),
    }
}

/// Checks an IPv6 address, with or without a zone, that is followed by its closing bracket.
fn ipv6(bracketed: &str) -> Result<&str, &'static str> {
    let host = bracketed
        .strip_suffix(']')
        .ok_or("[address]:port, but the bracket is not closed before the port")?;
    let address = host
        .split_once('%')
        .map_or(host, |(address, _zone)| address);
    match address.parse::<Ipv6Addr>() {
        Ok(_) => Ok(host),
        Err(_) => Err("an IPv6 address inside of the brackets"),
    }
}

fn name(host: &str) -> Result<&str, &'static str> {
    if host.is_empty() {
        return Err("host:port, but the host is missing");
    }
    if host.contains(':') {
        return Err("host:port, with an IPv6 address in brackets: [address]:port");
    }
    // Java's set of characters.
    match host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._%".contains(&b))
    {
        true => Ok(host),
        false => Err("a host of letters, digits, '-', '.' and '_'"),
    }
}

fn number(port: &str) -> Result<u16, &'static str> {
    let port = Some(port).filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    match port.and_then(|port| port.parse().ok()) {
        None | Some(0) => Err("a port from 1 to 65535"),
        Some(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn h151_reads_names_and_addresses() {
        for (text, host, port) in [
            ("localhost:9092", "localhost", 9092),
            ("kafka-1.example.com.:1", "kafka-1.example.com.", 1),
            ("my_host:65535", "my_host", 65535),
            ("10.0.0.1:09092", "10.0.0.1", 9092),
            ("[::1]:9092", "::1", 9092),
            ("[fe80::1%eth0]:9092", "fe80::1%eth0", 9092),
            ("PLAINTEXT://a:1", "a", 1),
            ("plaintext://[::1]:1", "::1", 1),
        ] {
            let servers = HostPort::list(text).unwrap();
            assert_eq!(
                (servers[0].host(), servers[0].port()),
                (host, port),
                "{text}"
            );
            assert_eq!(
                HostPort::list(&servers[0].to_string()).unwrap(),
                servers,
                "{text}"
            );
        }
    }

    #[test]
    fn reads_a_list_without_duplicates() {
        let servers = HostPort::list(" b:1 ,a:1,\tB:1, a:2,b:1").unwrap();
        assert_eq!(
            servers.iter().map(HostPort::to_string).collect::<Vec<_>>(),
            ["b:1", "a:1", "a:2"]
        );
    }

    #[test]
    fn says_which_entry_is_wrong_and_why() {
        for (entry, why) in [
            ("", "none empty"),
            ("PLAINTEXT://", "none empty"),
            ("localhost", "the port is missing"),
            (":9092", "the host is missing"),
            ("a:", "port from 1 to 65535"),
            ("a:0", "port from 1 to 65535"),
            ("a:65536", "port from 1 to 65535"),
            ("a:+1", "port from 1 to 65535"),
            ("a:-1", "port from 1 to 65535"),
            ("a:99999999999999999999", "port from 1 to 65535"),
            ("a:1x", "port from 1 to 65535"),
            ("::1:9092", "in brackets"),
            ("[::1]", "the port is missing"),
            ("[::1:9092", "not closed before the port"),
            ("[localhost]:1", "an IPv6 address inside"),
            ("[]:1", "an IPv6 address inside"),
            ("a b:1", "letters, digits"),
            ("käfka:1", "letters, digits"),
            ("SSL://a:1", "without a protocol"),
            ("http://a:1/x", "without a protocol"),
        ] {
            let list = std::format!("good:1,{entry}, other:2");
            let error = HostPort::list(&list).unwrap_err();
            let message = error.to_string();
            assert!(
                message.contains("bootstrap.servers") && message.contains(why),
                "{entry}: {message}"
            );
            assert!(
                message.contains(&std::format!("{entry:?}")),
                "{entry}: {message}"
            );
        }
    }
}
