//! The judge: sees every record that Kafka has, in order, and knows what should be there.

use crate::workload::{Place, Workload, number_in};

/// Where a record is: its partition and offset.
pub(crate) type Seat = (usize, u64);

/// What a producer was told of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is in the log, as a rule with the seat.
    Written(Option<Seat>),
    NotWritten,
    MaybeWritten,
}

/// What was read back so far of one workload.
pub(crate) struct Ledger<'a> {
    workload: &'a Workload,
    /// The partition of each key.
    places: Vec<usize>,
    /// What the producer was told.
    told: &'a [Told],
    seats: Vec<Option<Seat>>,
    partitions: Vec<Partition>,
    expected: Vec<u8>,
}

#[derive(Clone, Default)]
struct Partition {
    next_offset: u64,
    last_number: Option<u64>,
}

impl<'a> Ledger<'a> {
    /// Expects the records of which the producer was told something, and no others.
    pub(crate) fn new(workload: &'a Workload, places: Vec<usize>, told: &'a [Told]) -> Self {
        Self {
            workload,
            places,
            told,
            seats: vec![None; told.len()],
            partitions: vec![Partition::default(); workload.partitions],
            expected: Vec::new(),
        }
    }

    /// Takes one line `CreateTime:T|Partition:P|Offset:O|headers|key|value` and judges it in full.
    pub(crate) fn read(&mut self, line: &[u8]) -> Result<(), String> {
        let (seat, record) = split(line).ok_or_else(|| complaint("cannot be read", line))?;
        let number = number_in(record).filter(|&n| n < self.told.len() as u64);
        let number = number.ok_or_else(|| complaint("is not ours", line))?;
        self.judge(number, seat, record)
            .map_err(|why| complaint(&why, line))
    }

    /// Everything was read: is any record missing that should be there?
    pub(crate) fn close(self) -> Result<(), String> {
        let numbered = self.seats.iter().zip(self.told).enumerate();
        let mut lost =
            numbered.filter(|(_, (seat, told))| seat.is_none() && matches!(told, Told::Written(_)));
        match lost.next() {
            None => Ok(()),
            Some((number, (_, told))) => Err(format!(
                "record {number} and {} others are lost, of the first the producer was told {told:?}",
                lost.count()
            )),
        }
    }

    fn judge(&mut self, number: u64, seat: Seat, record: &[u8]) -> Result<(), String> {
        let expected = self.workload.record(number);
        self.expected.clear();
        expected.line(&mut self.expected);
        if self.expected != record {
            return Err(format!("differs from record {number}"));
        }
        if let Some(first) = self.seats[number as usize].replace(seat) {
            return Err(format!("is twice in the log, first at {first:?}"));
        }
        let wanted = match expected.place {
            Place::Asked(partition) => partition,
            Place::Keyed(key) => self.places[key],
            Place::Free => seat.0,
        };
        if seat.0 != wanted {
            return Err(format!("belongs to partition {wanted}"));
        }
        let partitions = self.partitions.get_mut(seat.0);
        let partition = partitions.ok_or("is in an unknown partition")?;
        if partition.next_offset != seat.1 {
            return Err(format!("follows a gap after {}", partition.next_offset));
        }
        partition.next_offset += 1;
        let last = partition.last_number.replace(number);
        if let Some(last) = last.filter(|&last| last > number) {
            return Err(format!("comes after record {last}"));
        }
        match self.told[number as usize] {
            Told::Written(Some(told)) if told != seat => Err(format!("was told to be at {told:?}")),
            Told::NotWritten => Err("was told not to be written".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Shows the judge logs that have one fault each.
pub(crate) fn notices_every_fault() -> Result<(), String> {
    let workload = Workload::new(1_000, 1);
    let lines: Vec<Vec<u8>> = (0..1_000).map(|n| logged(&workload, n, n)).collect();
    let mut told = vec![Told::Written(None); 1_000];
    told[499] = Told::Written(Some((0, 499)));
    told[600] = Told::MaybeWritten;
    let verdict = |lines: &[Vec<u8>], told: &[Told]| {
        let places = vec![0; workload.keys().len()];
        let mut ledger = Ledger::new(&workload, places, told);
        lines.iter().try_for_each(|line| ledger.read(line))?;
        ledger.close()
    };
    type Spoil = fn(&Workload, &mut Vec<Vec<u8>>);
    let faults: [(&str, Spoil); 6] = [
        ("are lost", |_, l| l.truncate(999)),
        ("follows a gap", |_, l| drop(l.remove(500))),
        ("twice", |w, l| l.push(logged(w, 7, 1_000))),
        ("comes after", |w, l| {
            l[500] = logged(w, 501, 500);
            l[501] = logged(w, 500, 501);
        }),
        ("differs", |_, l| l[500].push(b'!')),
        ("is not ours", |w, l| l.push(logged(w, 1_000, 1_000))),
    ];
    verdict(&lines, &told)?;
    for (why, spoil) in faults {
        let mut lines = lines.clone();
        spoil(&workload, &mut lines);
        noticed(verdict(&lines, &told), why)?;
    }
    told[999] = Told::NotWritten;
    noticed(verdict(&lines, &told), "was told not to be")?;
    verdict(&lines[..999], &told)?;
    told[500] = Told::Written(Some((0, 501)));
    noticed(verdict(&lines, &told), "was told to be at")
}

fn noticed(verdict: Result<(), String>, why: &str) -> Result<(), String> {
    match verdict {
        Err(found) if found.contains(why) => Ok(()),
        other => Err(format!("expected \"{why}\", got {other:?}")),
    }
}

fn logged(workload: &Workload, number: u64, offset: u64) -> Vec<u8> {
    let mut line = format!("CreateTime:1|Partition:0|Offset:{offset}|").into_bytes();
    workload.record(number).line(&mut line);
    line
}

/// The seat, and the rest of the line: `headers|key|value`.
fn split(line: &[u8]) -> Option<(Seat, &[u8])> {
    let mut parts = line.splitn(4, |&b| b == b'|');
    number(parts.next()?, "CreateTime:")?;
    let partition = number(parts.next()?, "Partition:")?;
    let offset = number(parts.next()?, "Offset:")?;
    Some(((partition as usize, offset), parts.next()?))
}

fn number(part: &[u8], name: &str) -> Option<u64> {
    let digits = part.strip_prefix(name.as_bytes())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn complaint(why: &str, line: &[u8]) -> String {
    let start = String::from_utf8_lossy(&line[..line.len().min(200)]);
    format!("the record {why}: {start}")
}
