//! What may be typed.

use std::{
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, error::ErrorKind};

use crate::{
    Failure,
    address::listen_address,
    perf::args::Perf,
    separator::{Separator, separator},
    simulate::args::Simulate,
    target::Target,
};

/// Produces to Apache Kafka, or to a cluster of its own in the process.
#[derive(Debug, Parser)]
#[command(name = "ottla", version, arg_required_else_help = true, after_help = OTTLA_EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Produce(Box<Produce>),
    Perf(Perf),
    Broker(Broker),
    Simulate(Simulate),
}

/// Produces the lines of files or of standard input, a record a line, and reports what was written where.
///
/// Without a bootstrap server anywhere, an embedded cluster starts in the process, and what it has in its log at the end
/// is compared with what was sent.
///
/// Lines are bytes: a line feed ends one, a carriage return stays, an empty line is an empty value, and a last line
/// without a line feed counts.
///
/// Where a broker refuses records one by one, such as those without a key in a compacted topic, the others of their
/// batch are sent again, once, apart from them. They then stand behind those lines of their partition that were on
/// their way at the time.
#[derive(Args, Debug)]
#[command(after_help = PRODUCE_EXAMPLES)]
pub(crate) struct Produce {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Ends the key, at its first place in a line; a line without it has a null key, or that of --key. Escapes:
    /// \t \r \0 \\ \xHH
    #[arg(long, value_name = "TEXT", value_parser = separator, allow_hyphen_values = true)]
    pub(crate) key_separator: Option<Separator>,

    /// The key of all records, to the letter, but for lines in which --key-separator ends another
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) key: Option<String>,

    /// A value that is this text, to the letter, is null: a tombstone in a compacted topic. The same goes for a header's
    /// value in a line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) null_value: Option<String>,

    /// The partition for all records; otherwise the key chooses, as with Java's producer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..),
        allow_negative_numbers = true)]
    pub(crate) partition: Option<i32>,

    /// A header for all records, to the letter; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) headers: Vec<Pair>,

    /// Ends headers at the beginning of each line, name:value,name:value; with the same escapes. A line without it has
    /// none
    #[arg(long, value_name = "TEXT", value_parser = separator, allow_hyphen_values = true)]
    pub(crate) headers_delimiter: Option<Separator>,

    /// Stands between two headers in a line
    #[arg(long, value_name = "TEXT", default_value = ",", value_parser = separator, allow_hyphen_values = true,
        requires = "headers_delimiter")]
    pub(crate) headers_separator: Separator,

    /// Ends a header's name in a line
    #[arg(long, value_name = "TEXT", default_value = ":", value_parser = separator, allow_hyphen_values = true,
        requires = "headers_delimiter")]
    pub(crate) headers_key_separator: Separator,

    /// Print the report as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Files to read, - for standard input, which is also read if there are none
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Runs the embedded cluster until Ctrl-C or another signal to end, for other programs to produce to and to read from.
///
/// Prints one line when it is ready: "listening on HOST:PORT,HOST:PORT", and what clients are told if that is something
/// else. Topics are created when they are first asked for. All is in memory: the logs hold 1 GiB together, then the oldest
/// records go.
///
/// Consumers may read with a group, and Kafka's tools create, list, describe and delete topics. It has no transactions, no
/// authentication, no compaction, and groups of the classic protocol only (group.protocol=classic).
#[derive(Args, Debug)]
#[command(after_help = BROKER_EXAMPLES)]
pub(crate) struct Broker {
    /// Where the first broker listens, the others on the ports that follow; port 0 takes free ones
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092", value_parser = listen_address)]
    pub(crate) listen: String,

    /// Where clients are told to find the first broker, the others on the ports that follow; without a port on those they
    /// listen on [default: where they listen; on all interfaces, each client is told the host it came to]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = advertised)]
    pub(crate) advertise: Option<Advertised>,

    /// The largest batch that is taken, in bytes, as in Kafka's message.max.bytes
    #[arg(long, value_name = "BYTES", default_value = "1048588", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) max_message_bytes: u32,

    /// How many brokers there are
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) brokers: u16,

    /// How many partitions a topic gets
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) partitions: u32,
}

/// `NAME=VALUE`, cut at the first `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// `HOST` or `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advertised {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

const OTTLA_EXAMPLES: &str = "\
Examples:
  ottla produce README.md
  ottla produce --bootstrap-server localhost:9092 --topic letters README.md
  ottla perf --num-records 5000000 --record-size 100
  ottla simulate --seeds 0..1000";

const PRODUCE_EXAMPLES: &str = "\
Examples:
  ottla produce README.md                          to the embedded cluster, read back and compared
  ottla produce --bootstrap-server k1:9092,k2:9092 --topic letters *.txt
  journalctl -f | ottla produce --bootstrap-server localhost:9092 --topic journal
  ottla produce --key-separator : -H source=passwd -X linger.ms=20 /etc/passwd
  ottla produce --key-separator '\\t' --null-value '' states.tsv
  ottla produce --headers-delimiter '\\t' --key-separator '\\t' lines     h1:v1,h2:v2<TAB>key<TAB>value
  ottla produce --config producer.properties --json - < lines

The JSON has topic, records, written, not_written, maybe_written, seconds, verified (null if there was nothing to read
back from), partitions (partition, records, first_offset, last_offset), errors (reason, records, and lines: the places
of the first few as FILE:LINE) and notes (what looks like a mistake in the command: a separator that no line has).

Exit codes:
  0  every record is written, and what was read back is what was sent
  1  some records are not, or perhaps not, written
  2  the command, a setting or a file is no good; nothing was produced
  130, 143, 129  ended by Ctrl-C, SIGTERM or SIGHUP, with a report, after up to 5 s for what had been sent

A second Ctrl-C, half a second or more after the first signal, ends at once, without a report. SIGHUP does nothing if it
was ignored at the start, as under nohup. SIGQUIT (Ctrl-\\) ends at once. A reader of the report that has gone is no
failure.";

const BROKER_EXAMPLES: &str = "\
Examples:
  ottla broker
  ottla broker --listen 127.0.0.1:0 --brokers 3 --partitions 6
  ottla broker --listen 0.0.0.0:9092                          for clients on other machines and in containers
  ottla broker --listen 0.0.0.0:9092 --advertise my.host:19092      behind a mapped port

Exit codes:
  0  ended by Ctrl-C, SIGTERM or SIGHUP, which is how it is meant to end
  1  the address can't be listened on
  2  the command is no good";

impl Cli {
    /// Reads the command line. What is wrong with it takes one line; help is printed in full and ends the process.
    pub(crate) fn read() -> Result<Self, Failure> {
        Self::try_parse().map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                let _ = error.print();
                std::process::exit(0)
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let _ = error.print();
                Failure::usage("")
            }
            _ => Failure::usage(first_words(&error.to_string())),
        })
    }
}

/// What clap says before it shows the usage, on one line.
fn first_words(error: &str) -> String {
    let said = error.split("\n\n").take_while(|said| {
        !["Usage:", "For more information"]
            .iter()
            .any(|start| said.starts_with(start))
    });
    let lines: Vec<String> = said
        .map(|said| said.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.join("; ").trim_start_matches("error: ").to_owned()
}

pub(crate) fn pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Pair {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// An IPv6 address may stand in brackets, and has to before a port.
fn advertised(text: &str) -> Result<Advertised, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("the ] is missing")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err("expected an IPv6 address in the brackets".to_owned());
            }
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or("expected [HOST]:PORT")?),
            };
            (host, port)
        }
        None if text.parse::<Ipv6Addr>().is_ok() => (text, None),
        None if text.matches(':').count() > 1 => {
            return Err(
                "expected HOST[:PORT], with an IPv6 address in brackets before a port".to_owned(),
            );
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || "/,".contains(c)) {
        return Err("expected HOST or HOST:PORT".to_owned());
    }
    if host
        .parse()
        .is_ok_and(|address: IpAddr| address.is_unspecified())
    {
        return Err("no client can connect to that; name one interface".to_owned());
    }
    let port = port.map(|port| match port.parse() {
        Ok(0) | Err(_) => Err(format!("{port:?} is no port")),
        Ok(port) => Ok(port),
    });
    Ok(Advertised {
        host: host.to_owned(),
        port: port.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_pair_is_cut_at_its_first_equals_sign() {
        let cut = pair("a=b=c").unwrap();
        assert_eq!((&*cut.name, &*cut.value), ("a", "b=c"));
        assert!(pair("a").is_err());
        assert!(pair("=a").is_err());
    }

    #[test]
    fn what_is_advertised_has_a_host_and_may_have_a_port() {
        for (text, host, port) in [
            ("a", "a", None),
            ("a:1", "a", Some(1)),
            ("10.1.2.3:65535", "10.1.2.3", Some(65_535)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:9", "::1", Some(9)),
        ] {
            let host = host.to_owned();
            assert_eq!(advertised(text), Ok(Advertised { host, port }), "{text}");
        }
        for text in [
            "",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:b",
            "[::1",
            "[::1]9",
            "0.0.0.0:1",
            "::",
            "a b",
            "a,b",
            "PLAINTEXT://a:1",
        ] {
            assert!(advertised(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mistake_takes_one_line() {
        let error = Cli::try_parse_from(["ottla", "produce", "--partition", "x"]).unwrap_err();
        let line = first_words(&error.to_string());
        assert!(
            line.starts_with("invalid value 'x' for '--partition <N>'"),
            "{line}"
        );
        assert!(!line.contains('\n') && !line.contains("Usage"), "{line}");
    }
}
