//! How a line becomes a record.

use std::cell::Cell;

use memchr::memmem;
use ottla::{Header, Record, Topic};

use super::digest::digest;
use crate::{Failure, args::Produce, separator::Separator};

/// What all records have in common.
pub(crate) struct Shape<'a> {
    key: Option<&'a [u8]>,
    null_value: Option<&'a [u8]>,
    partition: Option<i32>,
    headers: Vec<Header<'a>>,
    key_end: Option<Delimiter<'a>>,
    headers_end: Option<Delimiter<'a>>,
    /// Between two headers of a line.
    header_end: &'a [u8],
    /// Between a header's name and its value.
    name_end: &'a [u8],
    /// A line was looked at.
    used: Cell<bool>,
}

/// What ends a part of a line, if it is there.
struct Delimiter<'a> {
    option: &'static str,
    separator: &'a Separator,
    /// What follows if no line has it.
    otherwise: &'static str,
    /// Some line had it.
    occurred: Cell<bool>,
}

/// The parts of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts<'r> {
    headers: Option<&'r [u8]>,
    key: Option<&'r [u8]>,
    value: Option<&'r [u8]>,
}

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadLine {
    /// Something in the place of a header has no separator behind its name.
    NoHeader(String),
    /// The protocol has text there.
    NameNotUtf8,
}

impl<'a> Shape<'a> {
    pub(crate) fn new(args: &'a Produce) -> Self {
        let header = |pair: &'a crate::args::Pair| Header {
            name: &pair.name,
            value: Some(pair.value.as_bytes()),
        };
        let delimiter = |option, separator: &'a Option<Separator>, otherwise| {
            separator.as_ref().map(|separator| Delimiter {
                option,
                separator,
                otherwise,
                occurred: Cell::new(false),
            })
        };
        let no_key = match args.key {
            None => "every key is null",
            Some(_) => "every key is that of --key",
        };
        Self {
            key: args.key.as_deref().map(str::as_bytes),
            null_value: args.null_value.as_deref().map(str::as_bytes),
            partition: args.partition,
            headers: args.headers.iter().map(header).collect(),
            key_end: delimiter("--key-separator", &args.key_separator, no_key),
            headers_end: delimiter(
                "--headers-delimiter",
                &args.headers_delimiter,
                "none has headers of its own",
            ),
            header_end: &args.headers_separator.bytes,
            name_end: &args.headers_key_separator.bytes,
            used: Cell::new(false),
        }
    }

    /// Whether a topic with so many partitions has the one that was asked for.
    pub(crate) fn check(&self, partitions: usize) -> Result<(), Failure> {
        match self.partition {
            Some(asked) if usize::try_from(asked).is_ok_and(|asked| asked >= partitions) => {
                let last = partitions - 1;
                Err(Failure::usage(format!(
                    "--partition {asked}: the topic's last partition is {last}"
                )))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn record<'r>(
        &'r self,
        topic: Topic,
        line: &'r [u8],
    ) -> Result<Record<'r>, BadLine> {
        self.used.set(true);
        let parts = self.cut(line);
        let mut record = Record::to(topic).headers(&self.headers);
        for header in self.headers_of(parts) {
            let Header { name, value } = header?;
            record = record.header(name, value);
        }
        if let Some(value) = parts.value {
            record = record.value(value);
        }
        if let Some(key) = parts.key {
            record = record.key(key);
        }
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        Ok(record)
    }

    /// The digest of the record that the line became.
    pub(crate) fn digest(&self, line: &[u8]) -> u64 {
        let parts = self.cut(line);
        let common = self.headers.iter().copied();
        let headers = common.chain(self.headers_of(parts).flatten());
        digest(
            parts.key,
            parts.value,
            headers.map(|h| (h.name.as_bytes(), h.value)),
        )
    }

    /// What looks like a mistake in the command: a delimiter that was in none of the lines so far.
    pub(crate) fn notes(&self) -> Vec<String> {
        let delimiters = [&self.headers_end, &self.key_end].into_iter().flatten();
        let unseen = delimiters.filter(|delimiter| self.used.get() && !delimiter.occurred.get());
        unseen.map(Delimiter::note).collect()
    }

    fn cut<'r>(&'r self, line: &'r [u8]) -> Parts<'r> {
        let take = |end: &Option<Delimiter<'_>>, line| end.as_ref().and_then(|end| end.cut(line));
        let (headers, line) = take(&self.headers_end, line)
            .map_or((None, line), |(headers, rest)| (Some(headers), rest));
        let (key, value) =
            take(&self.key_end, line).map_or((self.key, line), |(key, rest)| (Some(key), rest));
        Parts {
            headers,
            key,
            value: self.not_null(value),
        }
    }

    /// The headers that the line has of its own; none in an empty text.
    fn headers_of<'r>(
        &'r self,
        parts: Parts<'r>,
    ) -> impl Iterator<Item = Result<Header<'r>, BadLine>> {
        let mut rest = parts.headers.filter(|headers| !headers.is_empty());
        std::iter::from_fn(move || {
            let text = rest?;
            let (header, behind) = cut_at(text, self.header_end)
                .map_or((text, None), |(header, behind)| (header, Some(behind)));
            rest = behind;
            Some(self.header(header))
        })
    }

    fn header<'r>(&self, text: &'r [u8]) -> Result<Header<'r>, BadLine> {
        let (name, value) = cut_at(text, self.name_end).ok_or_else(|| {
            BadLine::NoHeader(String::from_utf8_lossy(self.name_end).into_owned())
        })?;
        Ok(Header {
            name: str::from_utf8(name).map_err(|_| BadLine::NameNotUtf8)?,
            value: self.not_null(value),
        })
    }

    fn not_null<'r>(&self, value: &'r [u8]) -> Option<&'r [u8]> {
        (self.null_value != Some(value)).then_some(value)
    }
}

impl BadLine {
    /// The same words for all lines that share the reason.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::NoHeader(separator) => {
                format!("a header in the line has no {separator:?} behind its name")
            }
            Self::NameNotUtf8 => "a header's name in the line is not UTF-8".to_owned(),
        }
    }
}

impl Delimiter<'_> {
    /// What is before it and what is behind it, at its first place.
    fn cut<'r>(&self, line: &'r [u8]) -> Option<(&'r [u8], &'r [u8])> {
        let parts = cut_at(line, &self.separator.bytes);
        if parts.is_some() {
            self.occurred.set(true);
        }
        parts
    }

    fn note(&self) -> String {
        let Self {
            option,
            separator,
            otherwise,
            ..
        } = self;
        format!("{option} '{}' is in no line: {otherwise}", separator.typed)
    }
}

fn cut_at<'r>(line: &'r [u8], separator: &[u8]) -> Option<(&'r [u8], &'r [u8])> {
    let at = memmem::find(line, separator)?;
    Some((&line[..at], &line[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn typed(options: &[&str]) -> Produce {
        let line = ["ottla", "produce"].iter().chain(options);
        match Cli::try_parse_from(line).unwrap().command {
            Command::Produce(args) => *args,
            command => panic!("{command:?}"),
        }
    }

    fn headers<'r>(shape: &'r Shape<'_>, line: &'r [u8]) -> Result<Vec<Header<'r>>, BadLine> {
        shape.headers_of(shape.cut(line)).collect()
    }

    #[test]
    fn the_first_separator_ends_the_key() {
        let args = typed(&["--key-separator", "::"]);
        let shape = Shape::new(&args);
        for (line, key, value) in [
            (&b"k::v"[..], Some(&b"k"[..]), &b"v"[..]),
            (b"k::v::w", Some(b"k"), b"v::w"),
            (b"::v", Some(b""), b"v"),
            (b"k::", Some(b"k"), b""),
            (b":v:", None, b":v:"),
            (b"", None, b""),
            (b"\xff:::\xfe", Some(b"\xff"), b":\xfe"),
        ] {
            let parts = shape.cut(line);
            assert_eq!((parts.key, parts.value), (key, Some(value)), "{line:?}");
        }
    }

    #[test]
    fn a_line_without_a_key_has_the_common_one() {
        let args = typed(&["--key-separator", "=", "--key", "all"]);
        let shape = Shape::new(&args);
        for (line, key) in [(&b"k=v"[..], &b"k"[..]), (b"v", b"all"), (b"=v", b"")] {
            assert_eq!(shape.cut(line).key, Some(key), "{line:?}");
        }
    }

    #[test]
    fn headers_come_before_the_key() {
        let args = typed(&["--headers-delimiter", r"\t", "--key-separator", r"\t"]);
        let shape = Shape::new(&args);
        let some = |name, value: &'static [u8]| Header {
            name,
            value: Some(value),
        };
        for (line, expected, key) in [
            (
                &b"a:1,b:2\tk\tv"[..],
                &[some("a", b"1"), some("b", b"2")][..],
                Some(&b"k"[..]),
            ),
            (b"a:1:2\tv", &[some("a", b"1:2")], None),
            (
                b"a:,:b\tk\tv",
                &[some("a", b""), some("", b"b")],
                Some(b"k"),
            ),
            (b"\tk\tv", &[], Some(b"k")),
            (b"v", &[], None),
        ] {
            assert_eq!(headers(&shape, line).unwrap(), expected, "{line:?}");
            assert_eq!(shape.cut(line).key, key, "{line:?}");
            assert!(shape.cut(line).value.unwrap().starts_with(b"v"), "{line:?}");
        }
        for (line, reason) in [
            (&b"a\tk\tv"[..], BadLine::NoHeader(":".to_owned())),
            (b"a:1,\tk\tv", BadLine::NoHeader(":".to_owned())),
            (b"\xff:1\tk\tv", BadLine::NameNotUtf8),
        ] {
            assert_eq!(headers(&shape, line), Err(reason), "{line:?}");
        }
    }

    #[test]
    fn separators_of_headers_can_be_chosen() {
        let separators = ["--headers-separator", "; ", "--headers-key-separator", "=="];
        let args = typed(&[&["--headers-delimiter", "|"], &separators[..]].concat());
        let shape = Shape::new(&args);
        let found = headers(&shape, b"a==1,2; b==3|v").unwrap();
        let found: Vec<_> = found.iter().map(|h| (h.name, h.value.unwrap())).collect();
        assert_eq!(found, [("a", &b"1,2"[..]), ("b", b"3")]);
    }

    #[test]
    fn one_text_is_null_as_a_value_and_not_as_a_key() {
        let options = [
            "--headers-delimiter",
            "|",
            "--key-separator",
            "=",
            "--null-value",
            r"\N",
        ];
        let args = typed(&options);
        let shape = Shape::new(&args);
        let parts = shape.cut(br"a:\N,b:\N2|\N=\N");
        assert_eq!((parts.key, parts.value), (Some(&br"\N"[..]), None));
        let found: Vec<_> = shape.headers_of(parts).map(|h| h.unwrap().value).collect();
        assert_eq!(found, [None, Some(&br"\N2"[..])]);
        assert_eq!(shape.cut(br"=\Nx").value, Some(&br"\Nx"[..]));
        let args = typed(&["--null-value", ""]);
        assert_eq!(Shape::new(&args).cut(b"").value, None);
        assert_eq!(Shape::new(&typed(&[])).cut(b"").value, Some(&b""[..]));
    }

    #[test]
    fn the_digest_tells_null_from_text_and_has_all_headers() {
        let args =
            |more: &[&str]| typed(&[&["--headers-delimiter", "|", "-H", "a=1"], more].concat());
        let plain = args(&[]);
        let null = args(&["--null-value", "x"]);
        let digests = [
            Shape::new(&plain).digest(b"x"),
            Shape::new(&null).digest(b"x"),
            Shape::new(&plain).digest(b"b:x|x"),
            Shape::new(&null).digest(b"b:x|x"),
        ];
        for (n, one) in digests.iter().enumerate() {
            assert!(!digests[n + 1..].contains(one), "{digests:?}");
        }
        let all: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"1")), (b"b", Some(b"x"))];
        assert_eq!(digests[2], digest(None, Some(b"x"), all.into_iter()));
    }

    #[test]
    fn a_delimiter_that_was_in_no_line_is_noted() {
        let args = typed(&["--headers-delimiter", r"\t", "--key-separator", "->"]);
        let shape = Shape::new(&args);
        let topic = topic();
        assert_eq!(shape.notes(), [""; 0], "there was no line");
        assert!(shape.record(topic, b"k->v").is_ok());
        let note = r"--headers-delimiter '\t' is in no line: none has headers of its own";
        assert_eq!(shape.notes(), [note]);
        assert!(shape.record(topic, b"\t").is_ok());
        assert_eq!(shape.notes(), [""; 0]);
        for (more, otherwise) in [
            (&[][..], "every key is null"),
            (&["--key", "k"], "every key is that of --key"),
        ] {
            let args = typed(&[&["--key-separator", "->"], more].concat());
            let shape = Shape::new(&args);
            assert!(shape.record(topic, b"v").is_ok());
            assert_eq!(
                shape.notes(),
                [format!("--key-separator '->' is in no line: {otherwise}")]
            );
        }
    }

    fn topic() -> Topic {
        let mut config = ottla::Config::builder();
        config.bootstrap_servers("127.0.0.1:1");
        let producer = ottla::blocking::start(config.build().unwrap()).unwrap();
        producer.topic("t").unwrap()
    }
}
