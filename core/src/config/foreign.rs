//! Settings of Kafka's producer that ottla does not have: what they may say, and names that are close to a wrong one.

use alloc::string::String;
use alloc::vec::Vec;

use super::address::BOOTSTRAP_SERVERS;
use super::{CLIENT_ID, ConfigError, settings};

/// What a setting of Kafka's may say while ottla does not have it.
#[derive(Clone, Copy)]
enum Foreign {
    /// Anything: it has no effect here.
    Ignored,
    /// This, which is what ottla does, or nothing.
    Only(&'static str),
    /// Nothing, and what it says is not to be shown.
    Secret,
}

use Foreign::{Ignored, Only, Secret};

/// By their names. The values are Kafka's defaults, so that a file which spells them out works; but for
/// `enable.metrics.push`, which is on in Kafka.
const FOREIGN: &[(&str, Foreign)] = &[
    ("client.dns.lookup", Only("use_all_dns_ips")),
    ("config.providers", Only("")),
    ("enable.metrics.push", Only("false")),
    ("interceptor.classes", Only("")),
    // Keys and values are bytes already.
    ("key.serializer", Ignored),
    ("metadata.max.idle.ms", Only("300000")),
    ("metadata.recovery.rebootstrap.trigger.ms", Only("300000")),
    ("metadata.recovery.strategy", Only("rebootstrap")),
    (
        "metric.reporters",
        Only("org.apache.kafka.common.metrics.JmxReporter"),
    ),
    ("metrics.num.samples", Only("2")),
    ("metrics.recording.level", Only("INFO")),
    ("metrics.sample.window.ms", Only("30000")),
    ("partitioner.class", Only("")),
    ("sasl.client.callback.handler.class", Only("")),
    ("sasl.jaas.config", Secret),
    ("sasl.kerberos.kinit.cmd", Only("/usr/bin/kinit")),
    ("sasl.kerberos.min.time.before.relogin", Only("60000")),
    ("sasl.kerberos.service.name", Only("")),
    ("sasl.kerberos.ticket.renew.jitter", Only("0.05")),
    ("sasl.kerberos.ticket.renew.window.factor", Only("0.8")),
    ("sasl.login.callback.handler.class", Only("")),
    ("sasl.login.class", Only("")),
    ("sasl.login.connect.timeout.ms", Only("")),
    ("sasl.login.read.timeout.ms", Only("")),
    ("sasl.login.refresh.buffer.seconds", Only("300")),
    ("sasl.login.refresh.min.period.seconds", Only("60")),
    ("sasl.login.refresh.window.factor", Only("0.8")),
    ("sasl.login.refresh.window.jitter", Only("0.05")),
    ("sasl.login.retry.backoff.max.ms", Only("10000")),
    ("sasl.login.retry.backoff.ms", Only("100")),
    ("sasl.mechanism", Only("GSSAPI")),
    ("sasl.oauthbearer.assertion.algorithm", Only("RS256")),
    ("sasl.oauthbearer.assertion.claim.aud", Only("")),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", Only("300")),
    ("sasl.oauthbearer.assertion.claim.iss", Only("")),
    (
        "sasl.oauthbearer.assertion.claim.jti.include",
        Only("false"),
    ),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", Only("60")),
    ("sasl.oauthbearer.assertion.claim.sub", Only("")),
    ("sasl.oauthbearer.assertion.file", Only("")),
    ("sasl.oauthbearer.assertion.private.key.file", Only("")),
    ("sasl.oauthbearer.assertion.private.key.passphrase", Secret),
    ("sasl.oauthbearer.assertion.template.file", Only("")),
    ("sasl.oauthbearer.client.credentials.client.id", Only("")),
    ("sasl.oauthbearer.client.credentials.client.secret", Secret),
    ("sasl.oauthbearer.clock.skew.seconds", Only("30")),
    ("sasl.oauthbearer.expected.audience", Only("")),
    ("sasl.oauthbearer.expected.issuer", Only("")),
    ("sasl.oauthbearer.header.urlencode", Only("false")),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", Only("3600000")),
    (
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        Only("10000"),
    ),
    (
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        Only("100"),
    ),
    ("sasl.oauthbearer.jwks.endpoint.url", Only("")),
    (
        "sasl.oauthbearer.jwt.retriever.class",
        Only("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
    ),
    (
        "sasl.oauthbearer.jwt.validator.class",
        Only("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
    ),
    ("sasl.oauthbearer.scope", Only("")),
    ("sasl.oauthbearer.scope.claim.name", Only("scope")),
    ("sasl.oauthbearer.sub.claim.name", Only("sub")),
    ("sasl.oauthbearer.token.endpoint.url", Only("")),
    ("security.protocol", Only("PLAINTEXT")),
    ("security.providers", Only("")),
    ("ssl.cipher.suites", Only("")),
    ("ssl.enabled.protocols", Only("TLSv1.2,TLSv1.3")),
    ("ssl.endpoint.identification.algorithm", Only("https")),
    ("ssl.engine.factory.class", Only("")),
    ("ssl.key.password", Secret),
    ("ssl.keymanager.algorithm", Only("SunX509")),
    ("ssl.keystore.certificate.chain", Secret),
    ("ssl.keystore.key", Secret),
    ("ssl.keystore.location", Only("")),
    ("ssl.keystore.password", Secret),
    ("ssl.keystore.type", Only("JKS")),
    ("ssl.protocol", Only("TLSv1.3")),
    ("ssl.provider", Only("")),
    ("ssl.secure.random.implementation", Only("")),
    ("ssl.trustmanager.algorithm", Only("PKIX")),
    ("ssl.truststore.certificates", Secret),
    ("ssl.truststore.location", Only("")),
    ("ssl.truststore.password", Secret),
    ("ssl.truststore.type", Only("JKS")),
    ("transaction.timeout.ms", Only("60000")),
    ("transaction.two.phase.commit.enable", Only("false")),
    ("transactional.id", Only("")),
    ("value.serializer", Ignored),
];

/// Accepts a setting that is not ottla's if it asks for nothing that ottla does not do.
pub(super) fn check(name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(&(name, foreign)) = FOREIGN.iter().find(|(known, _)| *known == name) else {
        return Err(ConfigError::Unknown {
            name: name.into(),
            nearest: nearest(name),
        });
    };
    let (supported, shown) = match foreign {
        Ignored => return Ok(()),
        Only(supported) => (supported, value),
        Secret => ("", "[hidden]"),
    };
    if value.is_empty() || value == "null" || same(value, supported) {
        return Ok(());
    }
    Err(ConfigError::NotSupported {
        name,
        value: shown.into(),
        supported,
    })
}

/// Whether two values are one: upper case and blanks after the commas of a list make no difference.
fn same(value: &str, supported: &str) -> bool {
    let plain = |text: &str| {
        text.chars()
            .filter(|c| *c != ' ')
            .map(|c| c.to_ascii_lowercase())
            .collect::<String>()
    };
    plain(value) == plain(supported)
}

/// The known name that is closest to `name`, if it is close.
fn nearest(name: &str) -> Option<&'static str> {
    const LONGEST: usize = 80;
    if name.len() > LONGEST {
        return None;
    }
    let dotted = name.to_ascii_lowercase().replace(['_', '-'], ".");
    let foreign = FOREIGN.iter().map(|(name, _)| *name);
    let known = settings::NAMES
        .iter()
        .copied()
        .chain([BOOTSTRAP_SERVERS, CLIENT_ID])
        .chain(foreign);
    let (edits, nearest) = known
        .map(|known| (edits(&dotted, known), known))
        .min_by_key(|(edits, _)| *edits)?;
    (edits * 5 <= nearest.len() * 2).then_some(nearest)
}

/// How many bytes must be put in, taken out or replaced to turn `a` into `b` (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.bytes().zip(&mut row[1..]) {
            let cost = (diagonal + usize::from(x != y))
                .min(left + 1)
                .min(*above + 1);
            diagonal = core::mem::replace(above, cost);
            left = cost;
        }
        row[0] = i + 1;
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn values_that_ask_for_nothing_are_taken() {
        for (name, value) in [
            ("security.protocol", "plaintext"),
            ("partitioner.class", ""),
            ("partitioner.class", "null"),
            (
                "key.serializer",
                "org.apache.kafka.common.serialization.StringSerializer",
            ),
            ("value.serializer", "anything"),
            ("enable.metrics.push", "false"),
            ("ssl.enabled.protocols", "TLSv1.2, TLSv1.3"),
            ("sasl.jaas.config", ""),
            ("transactional.id", ""),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}={value}");
        }
    }

    #[test]
    fn every_other_value_is_not_supported() {
        for (name, foreign) in FOREIGN {
            let result = check(name, "x-something-else");
            match foreign {
                Ignored => assert_eq!(result, Ok(())),
                Only(_) => {
                    let message = result.unwrap_err().to_string();
                    assert!(
                        message.contains(name) && message.contains("x-something-else"),
                        "{message}"
                    );
                }
                Secret => {
                    let message = result.unwrap_err().to_string();
                    assert!(
                        message.contains(name) && !message.contains("x-something-else"),
                        "{message}"
                    );
                }
            }
        }
        assert_eq!(
            check("enable.metrics.push", "true")
                .unwrap_err()
                .to_string(),
            r#"enable.metrics.push="true" is not supported yet, only "false" is"#
        );
    }

    #[test]
    fn names_are_sorted_and_nobody_else_s() {
        assert!(FOREIGN.is_sorted_by_key(|(name, _)| *name));
        assert!(
            FOREIGN
                .iter()
                .all(|(name, _)| !settings::NAMES.contains(name))
        );
        // All of Kafka 4.3's 113 settings: ottla's own three are not among them, two more are not in the table.
        assert_eq!(FOREIGN.len() + settings::NAMES.len() - 3 + 2, 113);
    }

    #[test]
    fn an_unknown_name_gets_a_hint() {
        for (name, hint) in [
            ("linger", Some("linger.ms")),
            ("lingerms", Some("linger.ms")),
            ("batch_size", Some("batch.size")),
            ("BATCH.SIZE", Some("batch.size")),
            ("bootstrap.server", Some("bootstrap.servers")),
            ("bootstrap-server", Some("bootstrap.servers")),
            ("request.timeout", Some("request.timeout.ms")),
            ("compresion.type", Some("compression.type")),
            ("", None),
            ("x", None),
            ("group.id", None),
            ("ümläüt", None),
        ] {
            assert_eq!(nearest(name), hint, "{name}");
            let unknown = ConfigError::Unknown {
                name: name.into(),
                nearest: hint,
            };
            assert_eq!(check(name, "1"), Err(unknown));
        }
        assert_eq!(nearest(&"acks".repeat(1000)), None);
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, n) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!(edits(a, b), n, "{a} {b}");
        }
    }
}
