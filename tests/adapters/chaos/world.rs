//! What the seed says about a run, apart from its faults.

use std::{fmt, time::Duration};

use ottla::{Config, ConfigBuilder};

use super::dice::Dice;

/// The size of the cluster, the producer's settings, who sends, and how it ends.
pub(crate) struct World {
    pub(crate) brokers: u16,
    pub(crate) partitions: i32,
    pub(crate) senders: u64,
    /// Until the faults stop.
    pub(crate) trouble: Duration,
    /// The producer is closed with this grace while everything still goes wrong; else after the faults have stopped.
    pub(crate) abrupt: Option<Duration>,
    settings: Vec<(&'static str, String)>,
}

impl World {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let abrupt = dice.one_in(4);
        Self {
            brokers: dice.within(1..4) as u16,
            partitions: dice.within(1..4) as i32,
            senders: dice.within(1..4),
            trouble: dice.millis(300..700),
            abrupt: abrupt.then(|| dice.millis(0..200)),
            settings: settings(dice),
        }
    }

    pub(crate) fn config(&self, servers: &str) -> Config {
        let mut builder = Config::builder();
        self.configure(&mut builder);
        builder.bootstrap_servers(servers);
        builder.build().expect("what is drawn is valid")
    }

    pub(crate) fn setting(&self, name: &str) -> &str {
        let found = self.settings.iter().find(|(known, _)| *known == name);
        &found.expect("it was drawn").1
    }

    /// The order is kept, and nothing is written twice.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.setting("enable.idempotence") == "true"
    }

    pub(crate) fn waits_for_followers(&self) -> bool {
        self.setting("acks") == "all"
    }

    fn configure(&self, builder: &mut ConfigBuilder) {
        for (name, value) in &self.settings {
            builder.set(name, value).expect("what is drawn is valid");
        }
    }
}

fn settings(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let idempotent = !dice.one_in(4);
    let acks = if idempotent || dice.one_in(2) {
        "all"
    } else {
        "1"
    };
    let numbers = [
        ("linger.ms", dice.pick(&[0, 0, 1, 5, 20])),
        ("batch.size", dice.pick(&[0, 200, 1_000, 16_384])),
        ("max.in.flight.requests.per.connection", dice.within(1..6)),
        ("buffer.memory", dice.pick(&[8, 16, 64, 1_024]) << 10),
        ("request.timeout.ms", dice.within(100..300)),
        ("delivery.timeout.ms", dice.pick(&[500, 1_000, 3_000])),
        ("max.block.ms", dice.pick(&[20, 200, 1_000])),
        ("retry.backoff.ms", dice.within(1..10)),
        ("retry.backoff.max.ms", dice.within(10..60)),
        ("reconnect.backoff.ms", dice.within(1..10)),
        ("reconnect.backoff.max.ms", dice.within(10..60)),
        ("socket.connection.setup.timeout.ms", dice.within(80..300)),
        (
            "socket.connection.setup.timeout.max.ms",
            dice.within(80..300),
        ),
        ("metadata.max.age.ms", dice.pick(&[50, 500, 300_000])),
        ("send.buffer.bytes", dice.pick(&[4_096, 131_072])),
    ];
    let mut settings = vec![
        ("enable.idempotence", idempotent.to_string()),
        ("acks", acks.to_owned()),
    ];
    settings.extend(numbers.map(|(name, value)| (name, value.to_string())));
    settings
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            brokers,
            partitions,
            senders,
            trouble,
            abrupt,
            settings,
        } = self;
        writeln!(
            f,
            "{brokers} brokers, {partitions} partitions, {senders} senders, {trouble:?} of trouble"
        )?;
        writeln!(f, "closed amid trouble, within: {abrupt:?}")?;
        settings
            .iter()
            .try_for_each(|(name, value)| writeln!(f, "{name}={value}"))
    }
}
