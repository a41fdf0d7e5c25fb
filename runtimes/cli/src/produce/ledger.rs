//! The embedded cluster, and the comparison of its log with what was sent.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
};

use ottla::RecordMetadata;
use ottla_sim::{Cluster, LogRecord, Model};

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
            verdict: Verdict::Same,
        }
    }

    /// Takes note of an acknowledged record, in the order in which the records were sent, and compares if enough has come
    /// together.
    pub(crate) fn acknowledged(&mut self, record: &RecordMetadata, digest: u64, bytes: u64) {
        let Some(offset) = record.offset else {
            self.find(Verdict::Unknown("the broker told no offsets".to_owned()));
            return;
        };
        let account = self.accounts.entry(record.partition).or_default();
        if !account.note(offset, digest) {
            let words = format!(
                "partition {} is not in the order of sending",
                record.partition
            );
            self.find(Verdict::Different(words));
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
        if self.others > maybe_written {
            let more = self.others - maybe_written;
            self.find(Verdict::Different(format!(
                "{more} records in the log were never sent, or twice"
            )));
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
                Err(verdict) => self.verdict = self.verdict.clone().and(verdict),
            }
        }
    }

    fn find(&mut self, verdict: Verdict) {
        self.verdict = self.verdict.clone().and(verdict);
    }
}

impl Verdict {
    /// The worse of the two, the first if they are alike.
    fn and(self, other: Self) -> Self {
        let badness = |verdict: &Self| match verdict {
            Self::Same => 0,
            Self::Unknown(_) => 1,
            Self::Different(_) => 2,
        };
        if badness(&other) > badness(&self) {
            other
        } else {
            self
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

/// A number for the content of a record, which other contents hardly share.
pub(crate) fn digest<'a>(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    value.hash(&mut hasher);
    for header in headers {
        header.hash(&mut hasher);
    }
    hasher.finish()
}

fn digest_of(record: &LogRecord) -> u64 {
    let headers = record
        .headers
        .iter()
        .map(|(name, value)| (&name[..], value.as_deref()));
    digest(record.key.as_deref(), record.value.as_deref(), headers)
}

/// The digest of a record at this offset: spread over all bits, so that sums differ if two records change places.
fn placed(digest: u64, offset: i64) -> u64 {
    let mut mixed = digest ^ offset.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
