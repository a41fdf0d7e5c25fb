//! The embedded cluster, and the comparison of its log with what was sent.

use std::{collections::BTreeMap, ops::Range};

use ottla_sim::{Cluster, LogRecord, Model};

use super::digest::{digest, placed};

/// Everything that was acknowledged and not yet compared with the log.
///
/// What is compared goes from the log, so that neither grows with the input. Per partition a sum over the records is kept,
/// of digests that cover offset, key, value and headers: it is the same for the log only if each record is where the
/// acknowledgement said.
pub(crate) struct Ledger {
    cluster: Cluster,
    topic: String,
    accounts: BTreeMap<i32, Account>,
    /// What the records that were not compared yet take in the log, roughly.
    open: u64,
    /// Records in the log that nobody acknowledged.
    others: u64,
    /// Acknowledged records of which nobody said where they are.
    unplaced: u64,
    /// What was found so far.
    verdict: Verdict,
}

/// Whether the log holds what was acknowledged, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    Different(String),
    Unknown(String),
}

#[derive(Default)]
struct Account {
    /// The acknowledged offsets, ascending and apart.
    acknowledged: Vec<Range<i64>>,
    sum: u64,
    /// The offset up to which the log was compared.
    compared: i64,
}

/// Compare after so many bytes: much less than the log may hold, and much more than a batch.
const ROUND: u64 = 16 << 20;
/// What a record takes besides its content, at most.
const OVERHEAD: u64 = 32;

impl Ledger {
    pub(crate) fn new(cluster: Cluster, topic: &str) -> Self {
        Self {
            cluster,
            topic: topic.to_owned(),
            accounts: BTreeMap::new(),
            open: 0,
            others: 0,
            unplaced: 0,
            verdict: Verdict::Same,
        }
    }

    /// Takes note of an acknowledged record, in the order in which the records were sent, and compares if enough has come
    /// together.
    pub(crate) fn acknowledged(
        &mut self,
        partition: i32,
        offset: Option<i64>,
        digest: u64,
        bytes: u64,
    ) {
        let Some(offset) = offset else {
            self.unplaced += 1;
            return;
        };
        let account = self.accounts.entry(partition).or_default();
        if !account.note(offset, digest) {
            let words = format!("partition {partition} is not in the order of sending");
            self.verdict.worsen(Verdict::Different(words));
        }
        self.open += bytes + OVERHEAD;
        if self.open > ROUND {
            self.compare();
        }
    }

    /// Compares the rest, up to the end of the log. At most `maybe_written` records may be there without having been
    /// acknowledged.
    pub(crate) fn verdict(mut self, maybe_written: u64) -> Verdict {
        self.compare();
        let topic = &self.topic;
        self.others += self.cluster.with_model(|model| {
            let rest = |partition| {
                let compared = self
                    .accounts
                    .get(&partition)
                    .map_or(0, |account| account.compared);
                model
                    .log(topic, partition)
                    .filter(|record| record.offset >= compared)
                    .count()
            };
            (0..model.partitions(topic)).map(rest).sum::<usize>() as u64
        });
        if self.unplaced > 0 {
            let words = "the broker did not say where the records are".to_owned();
            self.verdict.worsen(Verdict::Unknown(words));
        }
        let more = self.others.saturating_sub(maybe_written + self.unplaced);
        if more > 0 {
            let words = format!("{more} records in the log were never sent, or twice");
            self.verdict.worsen(Verdict::Different(words));
        }
        self.verdict
    }

    fn compare(&mut self) {
        self.open = 0;
        for (&partition, account) in &mut self.accounts {
            let compared = self
                .cluster
                .with_model(|model| account.compare(model, &self.topic, partition));
            match compared {
                Ok(others) => self.others += others,
                Err(verdict) => self.verdict.worsen(verdict),
            }
        }
    }
}

impl Verdict {
    /// Takes the other verdict if that is worse.
    fn worsen(&mut self, other: Self) {
        let badness = |verdict: &Self| match verdict {
            Self::Same => 0,
            Self::Unknown(_) => 1,
            Self::Different(_) => 2,
        };
        if badness(&other) > badness(self) {
            *self = other;
        }
    }
}

impl Account {
    /// False if the offset lies before one that was acknowledged earlier.
    fn note(&mut self, offset: i64, digest: u64) -> bool {
        match self.acknowledged.last_mut() {
            Some(last) if offset < last.end => return false,
            Some(last) if offset == last.end => last.end += 1,
            _ if offset < self.compared => return false,
            _ => self.acknowledged.push(offset..offset + 1),
        }
        self.sum = self.sum.wrapping_add(placed(digest, offset));
        true
    }

    /// Compares with the log, which then loses what was compared, and begins anew. Returns how many other records lie
    /// between those acknowledged.
    fn compare(&mut self, model: &mut Model, topic: &str, partition: i32) -> Result<u64, Verdict> {
        let acknowledged = std::mem::take(&mut self.acknowledged);
        let expected = std::mem::take(&mut self.sum);
        let Some(end) = acknowledged.last().map(|last| last.end) else {
            return Ok(0);
        };
        let start = std::mem::replace(&mut self.compared, end);
        let different =
            |what: String| Err(Verdict::Different(format!("partition {partition}: {what}")));
        if model.high_watermark(topic, partition) < end {
            return different(format!("the log ends before offset {end}"));
        }
        if model.log_start(topic, partition) > start {
            return Err(Verdict::Unknown(
                "the log has lost its oldest records".to_owned(),
            ));
        }
        let mut runs = acknowledged.iter().peekable();
        let (mut found, mut others, mut sum) = (0, 0, 0u64);
        let records = model
            .log(topic, partition)
            .skip_while(|record| record.offset < start);
        for record in records.take_while(|record| record.offset < end) {
            while runs.next_if(|run| run.end <= record.offset).is_some() {}
            match runs.peek().is_some_and(|run| run.contains(&record.offset)) {
                true => {
                    found += 1;
                    sum = sum.wrapping_add(placed(digest_of(&record), record.offset));
                }
                false => others += 1,
            }
        }
        model.delete_records(topic, partition, end);
        let due: i64 = acknowledged.iter().map(|run| run.end - run.start).sum();
        match (found == due, sum == expected) {
            (true, true) => Ok(others),
            (true, false) => different(format!("offsets {start} to {end} hold something else")),
            (false, _) => different(format!("of {due} records the log has {found}")),
        }
    }
}

fn digest_of(record: &LogRecord) -> u64 {
    let headers = record
        .headers
        .iter()
        .map(|(name, value)| (&name[..], value.as_deref()));
    digest(record.key.as_deref(), record.value.as_deref(), headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [&str; 4] = ["a", "b", "c", "d"];

    fn digest_of_value(value: &str) -> u64 {
        digest(None, Some(value.as_bytes()), std::iter::empty())
    }

    /// A ledger of a cluster that has the values in its log, not yet acknowledged.
    fn ledger() -> Ledger {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let cluster = Cluster::start(1).unwrap();
        runtime.block_on(async {
            let mut config = ottla::Config::builder();
            config.bootstrap_servers(&cluster.bootstrap_servers());
            let producer = ottla::tokio::start(config.build().unwrap()).unwrap();
            let records = VALUES.map(|value| ottla::Record::to("t").value(value));
            for delivery in producer.send_all(records).await.unwrap() {
                delivery.await.unwrap();
            }
        });
        Ledger::new(cluster, "t")
    }

    /// The ledger after these values were acknowledged, from offset 0 on.
    fn acknowledged(values: &[&str]) -> Ledger {
        let mut ledger = ledger();
        for (offset, value) in (0..).zip(values) {
            ledger.acknowledged(0, Some(offset), digest_of_value(value), 1);
        }
        ledger
    }

    fn is_different(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Different(_))
    }

    #[test]
    fn what_is_in_the_log_is_the_same_in_any_number_of_rounds() {
        assert_eq!(acknowledged(&VALUES).verdict(0), Verdict::Same);
        let mut ledger = ledger();
        for (offset, value) in (0..).zip(VALUES) {
            ledger.acknowledged(0, Some(offset), digest_of_value(value), ROUND);
        }
        assert_eq!(ledger.verdict(0), Verdict::Same);
    }

    #[test]
    fn another_content_another_order_and_a_missing_record_are_noticed() {
        for values in [
            &["a", "b", "c", "x"][..],
            &["a", "c", "b", "d"],
            &["a", "b", "c", "d", "e"],
        ] {
            assert!(is_different(&acknowledged(values).verdict(9)), "{values:?}");
        }
        let ledger = acknowledged(&VALUES);
        ledger.cluster.with_model(|model| model.truncate("t", 0, 0));
        assert!(is_different(&ledger.verdict(9)));
        let mut ledger = acknowledged(&VALUES);
        ledger.acknowledged(0, Some(3), digest_of_value("d"), 1);
        assert!(is_different(&ledger.verdict(9)), "the same place twice");
        let mut ledger = acknowledged(&VALUES);
        ledger.acknowledged(1, Some(0), digest_of_value("d"), 1);
        assert!(is_different(&ledger.verdict(9)), "no such partition");
    }

    #[test]
    fn records_without_an_answer_may_be_there_and_others_may_not() {
        assert_eq!(acknowledged(&VALUES[..3]).verdict(1), Verdict::Same);
        assert!(is_different(&acknowledged(&VALUES[..3]).verdict(0)));
        let mut ledger = ledger();
        for offset in [0, 3] {
            let digest = digest_of_value(VALUES[offset as usize]);
            ledger.acknowledged(0, Some(offset), digest, ROUND / 2);
        }
        assert_eq!(ledger.verdict(2), Verdict::Same);
    }

    #[test]
    fn what_can_not_be_told_is_said() {
        let ledger = acknowledged(&VALUES);
        ledger
            .cluster
            .with_model(|model| model.delete_records("t", 0, 2));
        assert!(matches!(ledger.verdict(0), Verdict::Unknown(_)));
        let mut ledger = ledger_without_places();
        ledger.acknowledged(0, Some(0), digest_of_value("x"), 1);
        assert!(is_different(&ledger.verdict(0)), "the worse counts");
        assert!(matches!(
            ledger_without_places().verdict(0),
            Verdict::Unknown(_)
        ));
    }

    fn ledger_without_places() -> Ledger {
        let mut ledger = ledger();
        for value in VALUES {
            ledger.acknowledged(0, None, digest_of_value(value), 1);
        }
        ledger
    }
}
