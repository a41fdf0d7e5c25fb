use std::collections::BTreeMap;
use std::string::ToString;
use std::vec;

use super::*;

const INT_MS: &str = "a whole number of milliseconds from 0 to 2147483647";
const LONG_MS: &str = "a whole number of milliseconds from 0 to 9223372036854775807";
const MS_OR_NEVER: &str =
    "a whole number of milliseconds from 0 to 9223372036854775807, or -1 for never";
const SIZE: &str = "a whole number of bytes from 0 to 2147483647";
const FRAME: &str = "a whole number of bytes from 1024 to 2147483647";
const MEMORY: &str = "a whole number of bytes from 0 to 9223372036854775807";
const SOCKET: &str = "a whole number of bytes from 0 to 2147483647, or -1 for the system's default";
const COUNT: &str = "a whole number from 0 to 2147483647";
const AT_LEAST_ONE: &str = "a whole number from 1 to 2147483647";
const BOOLEAN: &str = "true or false";

/// Name, default as `Debug` shows it, and what is valid.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("acks", "All", "all, -1, 0 or 1"),
    ("enable.idempotence", "true", BOOLEAN),
    ("retries", "2147483647", COUNT),
    ("retry.backoff.ms", "100ms", LONG_MS),
    ("retry.backoff.max.ms", "1s", LONG_MS),
    ("batch.size", "16384", SIZE),
    ("batch.growth.max.bytes", "65536", SIZE),
    ("linger.ms", "5ms", LONG_MS),
    (
        "compression.type",
        "None",
        "none, gzip, snappy, lz4 or zstd",
    ),
    (
        "compression.gzip.level",
        "-1",
        "a whole number from 1 to 9, or -1 for gzip's default",
    ),
    ("compression.lz4.level", "9", "a whole number from 1 to 17"),
    (
        "compression.zstd.level",
        "3",
        "a whole number from -131072 to 22",
    ),
    ("buffer.memory", "33554432", MEMORY),
    ("max.block.ms", "60s", LONG_MS),
    ("max.request.size", "1048576", SIZE),
    ("delivery.timeout.ms", "120s", INT_MS),
    ("request.timeout.ms", "30s", INT_MS),
    ("max.in.flight.requests.per.connection", "5", AT_LEAST_ONE),
    ("reconnect.backoff.ms", "50ms", LONG_MS),
    ("reconnect.backoff.max.ms", "1s", LONG_MS),
    ("connections.max.idle.ms", "Some(540s)", MS_OR_NEVER),
    ("socket.connection.setup.timeout.ms", "10s", LONG_MS),
    ("socket.connection.setup.timeout.max.ms", "30s", LONG_MS),
    ("metadata.max.age.ms", "300s", LONG_MS),
    ("send.buffer.bytes", "Some(131072)", SOCKET),
    ("receive.buffer.bytes", "Some(32768)", SOCKET),
    ("partitioner.adaptive.partitioning.enable", "true", BOOLEAN),
    ("partitioner.availability.timeout.ms", "0ns", LONG_MS),
    ("partitioner.ignore.keys", "false", BOOLEAN),
    ("receive.message.max.bytes", "67108864", FRAME),
    (
        "sequence.gap.policy",
        "MaybeWritten",
        "maybe-written or resend",
    ),
];

const NO_NUMBERS: &[&str] = &[
    "",
    "abc",
    "1.5",
    "1e3",
    "1_000",
    "0x10",
    "10ms",
    "-",
    "9223372036854775808",
    "١",
];

/// What each kind takes, and how `Debug` shows it; and what it refuses, besides what is no number.
type Taken = &'static [(&'static str, &'static str)];
fn values(valid: &str) -> (Taken, &'static [&'static str]) {
    match valid {
        INT_MS => (
            &[
                ("0", "0ns"),
                ("250", "250ms"),
                ("+7", "7ms"),
                ("2147483647", "2147483.647s"),
            ],
            &["-1", "2147483648", "9223372036854775807"],
        ),
        LONG_MS => (
            &[
                ("0", "0ns"),
                ("2147483648", "2147483.648s"),
                ("9223372036854775807", "9223372036854775.807s"),
            ],
            &["-1", "-9223372036854775808"],
        ),
        MS_OR_NEVER => (
            &[
                ("-1", "None"),
                ("0", "Some(0ns)"),
                ("9223372036854775807", "Some(9223372036854775.807s)"),
            ],
            &["-2"],
        ),
        SIZE => (
            &[("0", "0"), ("1", "1"), ("2147483647", "2147483647")],
            &["-1", "2147483648"],
        ),
        FRAME => (
            &[("1024", "1024"), ("2147483647", "2147483647")],
            &["-1", "0", "1023", "2147483648"],
        ),
        MEMORY => (&[("0", "0"), (" 4096\t", "4096")], &["-1"]),
        SOCKET => (
            &[
                ("-1", "None"),
                ("0", "Some(0)"),
                ("2147483647", "Some(2147483647)"),
            ],
            &["-2", "2147483648"],
        ),
        COUNT => (
            &[("0", "0"), ("2147483647", "2147483647")],
            &["-1", "2147483648"],
        ),
        AT_LEAST_ONE => (
            &[("1", "1"), ("2147483647", "2147483647")],
            &["-1", "0", "2147483648"],
        ),
        BOOLEAN => (
            &[("true", "true"), ("False", "false"), (" TRUE ", "true")],
            &["1", "yes", "truetrue"],
        ),
        "all, -1, 0 or 1" => (
            &[
                ("all", "All"),
                ("-1", "All"),
                ("0", "None"),
                (" 1 ", "Leader"),
            ],
            &["2", "ALL", "none", "01"],
        ),
        "maybe-written or resend" => (
            &[("maybe-written", "MaybeWritten"), ("resend", "Resend")],
            &["Resend", "MaybeWritten"],
        ),
        "none, gzip, snappy, lz4 or zstd" => (
            &[
                ("none", "None"),
                ("gzip", "Gzip"),
                ("snappy", "Snappy"),
                (" lz4 ", "Lz4"),
                ("zstd", "Zstd"),
            ],
            &["GZIP", "brotli", "lz4hc"],
        ),
        "a whole number from 1 to 9, or -1 for gzip's default" => {
            (&[("-1", "-1"), ("1", "1"), ("9", "9")], &["0", "-2", "10"])
        }
        "a whole number from 1 to 17" => (&[("1", "1"), ("17", "17")], &["0", "-1", "18"]),
        "a whole number from -131072 to 22" => (
            &[("-131072", "-131072"), ("0", "0"), ("22", "22")],
            &["-131073", "23"],
        ),
        other => panic!("no values for {other}"),
    }
}

fn builder() -> ConfigBuilder {
    let mut builder = Config::builder();
    builder.bootstrap_servers("localhost:9092");
    builder
}

fn with(properties: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_properties(
        properties
            .iter()
            .copied()
            .chain([("bootstrap.servers", "localhost:9092")]),
    )
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn the_defaults_are_java_s() {
    let config = builder().build().unwrap();
    for (name, default, _) in SETTINGS {
        assert_eq!(config.settings.show(name), *default, "{name}");
    }
    assert_eq!(config.client_id(), "");
    assert_eq!(config.bootstrap_servers()[0].to_string(), "localhost:9092");
    assert_eq!((config.checksum())(0, b"123456789"), 0xE306_9283);
    assert_eq!(config.idempotence_disabled_by(), None);
    let named: Vec<_> = SETTINGS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(named, settings::NAMES, "every setting has its row here");
}

#[test]
fn every_setting_takes_what_is_valid() {
    for (name, _, valid) in SETTINGS {
        for (value, shown) in values(valid).0 {
            let mut builder = builder();
            builder.set(name, value).unwrap();
            let settings = builder.chosen.settle().unwrap();
            assert_eq!(settings.show(name), *shown, "{name}={value}");
        }
    }
}

#[test]
fn every_setting_refuses_what_is_not_and_says_so() {
    for (name, _, valid) in SETTINGS {
        for value in values(valid).1.iter().chain(NO_NUMBERS) {
            let error = builder().set(name, value).unwrap_err();
            assert_eq!(
                error,
                ConfigError::Invalid {
                    name,
                    value: (*value).into(),
                    expected: valid
                }
            );
            let message = error.to_string();
            assert_eq!(
                message,
                format!("invalid value {value:?} for {name}: expected {valid}")
            );
        }
    }
}

#[test]
fn h145_a_codec_that_is_not_built_in_is_refused_by_name() {
    for codec in Compression::ALL {
        let built = builder().compression_type(codec).build();
        match codec.is_built_in() {
            true => assert_eq!(built.unwrap().compression_type(), codec),
            false => assert_eq!(
                built.unwrap_err().to_string(),
                format!(
                    "compression.type={0} needs ottla to be built with the feature \"{0}\"",
                    codec.name()
                )
            ),
        }
    }
}

#[test]
fn h145_a_level_is_that_of_the_codec() {
    let levels = [
        (Compression::None, 0),
        (Compression::Gzip, 7),
        (Compression::Snappy, 0),
        (Compression::Lz4, 8),
        (Compression::Zstd, -5),
    ];
    for (codec, level) in levels.into_iter().filter(|(codec, _)| codec.is_built_in()) {
        let config = builder()
            .compression_type(codec)
            .compression_gzip_level(7)
            .compression_lz4_level(8)
            .compression_zstd_level(-5)
            .build()
            .unwrap();
        assert_eq!(config.compression_level(), level, "{codec:?}");
    }
    assert!(builder().compression_lz4_level(0).build().is_err());
}

#[test]
fn h154_memory_saturates() {
    let config = with(&[("buffer.memory", "9223372036854775807")]).unwrap();
    assert_eq!(
        config.buffer_memory(),
        usize::try_from(i64::MAX).unwrap_or(usize::MAX)
    );
}

#[test]
fn h154_no_time_overflows() {
    let longest = "9223372036854775807";
    let all: BTreeMap<_, _> = SETTINGS
        .iter()
        .filter(|(_, _, valid)| *valid == LONG_MS || *valid == MS_OR_NEVER)
        .map(|(name, ..)| (*name, longest))
        .chain([
            ("bootstrap.servers", "a:1"),
            ("request.timeout.ms", "2147483647"),
        ])
        .collect();
    let config = Config::from_properties(all).unwrap();
    assert_eq!(config.linger(), ms(i64::MAX as u64));
    assert_eq!(config.delivery_timeout(), ms(i32::MAX as u64));
}

#[test]
fn typed_times_are_cut_to_kafka_s_largest() {
    let config = builder()
        .linger(Duration::MAX)
        .max_block(Duration::MAX)
        .request_timeout(Duration::MAX)
        .delivery_timeout(Duration::MAX)
        .connections_max_idle(Some(Duration::MAX))
        .send_buffer_bytes(Some(usize::MAX))
        .build()
        .unwrap();
    assert_eq!(config.linger(), ms(i64::MAX as u64));
    assert_eq!(config.request_timeout(), ms(i32::MAX as u64));
    assert_eq!(config.delivery_timeout(), ms(i32::MAX as u64));
    assert_eq!(config.connections_max_idle(), Some(ms(i64::MAX as u64)));
    assert_eq!(config.send_buffer_bytes(), Some(i32::MAX as usize));
}

#[test]
fn typed_numbers_out_of_range_are_errors() {
    let too_large = i32::MAX as usize + 1;
    type Case<'a> = (&'a str, &'a dyn Fn(&mut ConfigBuilder));
    let cases: [Case<'_>; 6] = [
        ("batch.size", &|b| _ = b.batch_size(too_large)),
        ("max.request.size", &|b| _ = b.max_request_size(too_large)),
        ("receive.message.max.bytes", &|b| {
            _ = b.receive_message_max_bytes(1023)
        }),
        ("receive.message.max.bytes", &|b| {
            _ = b.receive_message_max_bytes(too_large)
        }),
        ("retries", &|b| _ = b.retries(u32::MAX)),
        ("max.in.flight.requests.per.connection", &|b| {
            _ = b.max_in_flight_requests_per_connection(0)
        }),
    ];
    for (setting, set) in cases {
        let mut builder = builder();
        set(&mut builder);
        match builder.build().unwrap_err() {
            ConfigError::Invalid { name, .. } => assert_eq!(name, setting),
            other => panic!("{setting}: {other}"),
        }
    }
}

#[test]
fn the_typed_builder_sets_everything() {
    let config = Config::builder()
        .bootstrap_servers("a:1, [::1]:2")
        .client_id("me")
        .checksum(|crc, _| crc + 1)
        .acks(Acks::Leader)
        .enable_idempotence(false)
        .batch_size(0)
        .sequence_gap_policy(SequenceGap::Resend)
        .connections_max_idle(None)
        .linger(Duration::from_micros(500))
        .build()
        .unwrap();
    assert_eq!(config.bootstrap_servers().len(), 2);
    assert_eq!(config.client_id(), "me");
    assert_eq!((config.checksum())(1, b""), 2);
    assert_eq!(config.acks(), Acks::Leader);
    assert!(!config.enable_idempotence());
    assert_eq!(config.batch_size(), 0);
    assert_eq!(config.sequence_gap_policy(), SequenceGap::Resend);
    assert_eq!(config.connections_max_idle(), None);
    assert_eq!(config.linger(), Duration::from_micros(500));
}

#[test]
fn acks_have_their_codes() {
    assert_eq!(
        [Acks::All, Acks::Leader, Acks::None].map(Acks::code),
        [-1, 1, 0]
    );
}

#[test]
fn servers_are_required() {
    assert_eq!(
        Config::builder().build().unwrap_err(),
        ConfigError::Missing {
            name: "bootstrap.servers"
        }
    );
    assert_eq!(
        Config::builder().build().unwrap_err().to_string(),
        "bootstrap.servers is required"
    );
    let none = Config::from_properties([("bootstrap.servers", " ")]).unwrap_err();
    assert!(
        none.to_string()
            .starts_with("invalid value \"\" for bootstrap.servers: "),
        "{none}"
    );
}

#[test]
fn a_client_id_fits_the_wire() {
    assert_eq!(
        builder()
            .client_id(&"x".repeat(32767))
            .build()
            .unwrap()
            .client_id()
            .len(),
        32767
    );
    let error = builder().client_id(&"x".repeat(32768)).build().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("client.id: expected at most 32767 bytes"),
        "{error}"
    );
}

#[test]
fn the_last_value_counts() {
    let file =
        parse_properties("linger.ms = 7\nbatch.size: 100\nlinger.ms=8\nbootstrap.servers=a:1")
            .unwrap();
    let mut builder = Config::builder();
    for (name, value) in &file {
        builder.set(name, value).unwrap();
    }
    builder.set("batch.size", "200").unwrap();
    let config = builder.build().unwrap();
    assert_eq!((config.linger(), config.batch_size()), (ms(8), 200));
    assert_eq!(Config::from_properties(file).unwrap().batch_size(), 100);
}

#[test]
fn names_nobody_knows_are_errors() {
    let error = with(&[("linger", "5")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown setting \"linger\", did you mean linger.ms?"
    );
    assert_eq!(
        with(&[("", "5")]).unwrap_err().to_string(),
        "unknown setting \"\""
    );
    let error = with(&[("transactional.id", "t")]).unwrap_err();
    assert!(
        matches!(
            error,
            ConfigError::NotSupported {
                name: "transactional.id",
                ..
            }
        ),
        "{error}"
    );
}

/// Properties, and either whether idempotence is on and what switched it off, or the other setting in the error.
type Idempotence = (
    &'static [(&'static str, &'static str)],
    Result<(bool, Option<&'static str>), &'static str>,
);

#[test]
fn h152_idempotence_conflicts() {
    const ON: (&str, &str) = ("enable.idempotence", "true");
    const OFF: (&str, &str) = ("enable.idempotence", "false");
    const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";
    let cases: &[Idempotence] = &[
        (&[], Ok((true, None))),
        (&[ON], Ok((true, None))),
        (&[OFF], Ok((false, None))),
        (&[("acks", "-1")], Ok((true, None))),
        (&[("acks", "1")], Ok((false, Some("acks")))),
        (&[("acks", "0")], Ok((false, Some("acks")))),
        (&[("retries", "0")], Ok((false, Some("retries")))),
        (&[("retries", "1")], Ok((true, None))),
        (
            &[("retries", "0"), ("acks", "1")],
            Ok((false, Some("acks"))),
        ),
        (&[ON, ("acks", "1")], Err("acks=1")),
        (&[ON, ("acks", "0")], Err("acks=0")),
        (&[ON, ("retries", "0")], Err("retries=0")),
        (
            &[ON, (IN_FLIGHT, "6")],
            Err("max.in.flight.requests.per.connection=6"),
        ),
        (&[ON, (IN_FLIGHT, "5")], Ok((true, None))),
        (
            &[(IN_FLIGHT, "6")],
            Err("max.in.flight.requests.per.connection=6"),
        ),
        (
            &[("acks", "1"), (IN_FLIGHT, "6")],
            Err("max.in.flight.requests.per.connection=6"),
        ),
        (
            &[OFF, ("acks", "1"), ("retries", "0"), (IN_FLIGHT, "6")],
            Ok((false, None)),
        ),
    ];
    for (properties, expected) in cases {
        match (with(properties), expected) {
            (Ok(config), Ok(expected)) => {
                let found = (
                    config.enable_idempotence(),
                    config.idempotence_disabled_by(),
                );
                assert_eq!(found, *expected, "{properties:?}");
            }
            (Err(error), Err(other)) => {
                let message = error.to_string();
                let both = format!("enable.idempotence=true conflicts with {other}: ");
                assert!(message.starts_with(&both), "{properties:?}: {message}");
            }
            (found, _) => panic!("{properties:?}: {found:?}"),
        }
    }
}

#[test]
fn h153_delivery_timeout_covers_linger_and_request() {
    let delivery =
        |properties: &[(&str, &str)]| with(properties).map(|config| config.delivery_timeout());
    assert_eq!(delivery(&[("linger.ms", "89999")]), Ok(ms(120_000)));
    assert_eq!(
        delivery(&[("linger.ms", "90001")]),
        Ok(ms(120_001)),
        "the default is raised"
    );
    assert_eq!(
        delivery(&[("request.timeout.ms", "200000")]),
        Ok(ms(200_005))
    );
    assert_eq!(
        delivery(&[("delivery.timeout.ms", "30005")]),
        Ok(ms(30_005))
    );
    let error = delivery(&[("delivery.timeout.ms", "30004")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "delivery.timeout.ms=30004 conflicts with linger.ms=5 + request.timeout.ms=30000: it must not be below their sum"
    );
    let explicit_default = [("delivery.timeout.ms", "120000"), ("linger.ms", "90001")];
    assert!(delivery(&explicit_default).is_err());
}

#[test]
fn reconnect_backoff_alone_is_constant_as_in_java() {
    let backoff = |properties: &[(&str, &str)]| {
        let config = with(properties).unwrap();
        (config.reconnect_backoff(), config.reconnect_backoff_max())
    };
    assert_eq!(
        backoff(&[("reconnect.backoff.ms", "2000")]),
        (ms(2000), ms(2000))
    );
    assert_eq!(
        backoff(&[("reconnect.backoff.max.ms", "20")]),
        (ms(50), ms(20))
    );
    let both = [
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "70"),
    ];
    assert_eq!(backoff(&both), (ms(10), ms(70)));
}

#[test]
fn chunks_shrink_with_batches_and_memory() {
    for (batch_size, buffer_memory, chunk_size) in [
        (16384, 32 << 20, 4096),
        (4096, 32 << 20, 4096),
        (4095, 32 << 20, 2048),
        (1000, 32 << 20, 512),
        (0, 32 << 20, 256),
        (16384, 16384, 4096),
        (16384, 16383, 2048),
        (16384, 2048, 512),
        (16384, 0, 256),
    ] {
        let config = builder()
            .batch_size(batch_size)
            .buffer_memory(buffer_memory)
            .build()
            .unwrap();
        assert_eq!(
            config.chunk_size(),
            chunk_size,
            "{batch_size} {buffer_memory}"
        );
    }
}

#[test]
fn a_file_of_all_defaults_is_accepted() {
    let text = "acks=all\nclient.id=x\nsecurity.protocol=PLAINTEXT\ncompression.type=none\n\
        key.serializer=a.B\nbootstrap.servers=\\\n  a:1,\\\n  b:2\n";
    let config = Config::from_properties(parse_properties(text).unwrap()).unwrap();
    let servers: Vec<_> = config
        .bootstrap_servers()
        .iter()
        .map(HostPort::to_string)
        .collect();
    assert_eq!(servers, vec!["a:1", "b:2"]);
}
