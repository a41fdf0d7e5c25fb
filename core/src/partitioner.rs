//! Which partition a record goes to, as Java's producer decides: by the key's hash, or sticky (KIP-794).

use alloc::vec::Vec;

use crate::rng::Rng;

/// The partition of a record with this key in a topic of `partitions` partitions; 0 if there are none.
///
/// The same as in Java's producer, so that both put a key into the same partition.
pub fn partition_for_key(key: &[u8], partitions: u32) -> i32 {
    let positive = (murmur2(key) & 0x7fff_ffff) as u32;
    // Below 2^31 like the dividend, whatever the divisor.
    positive.checked_rem(partitions).unwrap_or(0) as i32
}

/// Java's `Utils.murmur2`: MurmurHash2 of 32 bits with Kafka's seed.
fn murmur2(bytes: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;

    let (words, tail) = bytes.as_chunks::<4>();
    let mut hash = SEED ^ bytes.len() as u32;
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        let last = tail
            .iter()
            .rev()
            .fold(0, |last, &byte| last << 8 | u32::from(byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ hash >> 15) as i32
}

/// Chooses partitions for the records of one topic that have no key: one partition until about `batch.size` bytes went
/// there, then another.
///
/// The next one is drawn evenly from the partitions that have a leader or, once [`update_loads`](Self::update_loads)
/// found a difference, with a likelihood that falls with the length of the partition's queue.
///
/// For each record: [`peek`](Self::peek); if that partition has no batch that takes more records,
/// [`finish_batch`](Self::finish_batch) and `peek` again; append; [`appended`](Self::appended).
pub(crate) struct Sticky {
    /// Bytes after which the partition changes; never 0.
    batch_size: usize,
    current: Option<Current>,
    /// Empty while the choice is even.
    loads: Vec<Load>,
}

struct Current {
    partition: i32,
    produced: usize,
}

struct Load {
    partition: i32,
    /// The partition is drawn by a number below this that is not below its predecessor's. Holds the length of the queue
    /// while the table is made.
    end: u32,
}

impl Sticky {
    /// A `batch_size` of 0 counts as 1: the partition changes with every record.
    pub(crate) fn new(batch_size: usize) -> Self {
        Self {
            batch_size: batch_size.max(1),
            current: None,
            loads: Vec::new(),
        }
    }

    /// As [`new`](Self::new) for another `batch_size`; what was chosen stays.
    pub(crate) fn resize(&mut self, batch_size: usize) {
        self.batch_size = batch_size.max(1);
    }

    /// The partition for the next record, of a topic with `partitions` partitions; 0 if there are none.
    ///
    /// `available` tells whether a partition has a leader; it is asked only when a new partition is drawn.
    pub(crate) fn peek(
        &mut self,
        rng: &mut Rng,
        partitions: u32,
        available: impl Fn(i32) -> bool,
    ) -> i32 {
        // A topic that was made anew may have fewer partitions than the one that was chosen from (H157).
        if let Some(current) = &self.current
            && (current.partition as u32) < partitions
        {
            return current.partition;
        }
        let partition = self.draw(rng, partitions, available);
        self.current = Some(Current {
            partition,
            produced: 0,
        });
        partition
    }

    /// Notes that the record for which the partition was peeked took `bytes` in its batch.
    ///
    /// Changes the partition once `batch.size` bytes went there and the batch is complete (`batch_boundary`: the last
    /// batch of the partition takes no more records), so that no fraction of a batch is left behind; and anywhere after
    /// twice that.
    pub(crate) fn appended(&mut self, bytes: usize, batch_boundary: bool) {
        let Some(current) = &mut self.current else {
            return;
        };
        current.produced = current.produced.saturating_add(bytes);
        let enough = current.produced >= self.batch_size && batch_boundary;
        if enough || current.produced >= self.batch_size.saturating_mul(2) {
            self.current = None;
        }
    }

    /// Notes that the chosen partition has no open batch: the change that waited for this takes place. So does one away
    /// from a partition that is not `available`, which could keep few records for ever.
    pub(crate) fn finish_batch(&mut self, available: impl Fn(i32) -> bool) {
        self.appended(0, true);
        self.current
            .take_if(|current| !available(current.partition));
    }

    /// Takes the queues' lengths, so that partitions with short queues get more records.
    ///
    /// `queues` are pairs of partition and length; it leaves out the partitions without a leader, and those whose broker
    /// has not taken anything for `partitioner.availability.timeout.ms`. `partitions` counts these too. While all are
    /// there with the same length, the choice stays even.
    pub(crate) fn update_loads(
        &mut self,
        partitions: u32,
        queues: impl Iterator<Item = (i32, u32)>,
    ) {
        self.loads.clear();
        if partitions < 2 {
            return;
        }
        self.loads.extend(
            queues
                .take(partitions as usize)
                .map(|(partition, queue)| Load {
                    partition,
                    end: queue,
                }),
        );
        let longest = self.loads.iter().map(|load| load.end).max().unwrap_or(0);
        let shortest = self.loads.iter().map(|load| load.end).min().unwrap_or(0);
        if longest == shortest && self.loads.len() == partitions as usize {
            self.loads.clear();
            return;
        }
        // Queues of 0, 3, 1 weigh 4, 1, 3, which as a running sum is 4, 5, 8. The cap keeps the sum within 32 bits.
        let heaviest = u32::MAX / partitions;
        let mut end = 0;
        for load in &mut self.loads {
            end += (longest - load.end).saturating_add(1).min(heaviest);
            load.end = end;
        }
    }

    fn draw(&self, rng: &mut Rng, partitions: u32, available: impl Fn(i32) -> bool) -> i32 {
        let weighted = self
            .loads
            .last()
            .map(|last| self.loaded(rng.below(last.end)));
        weighted
            .filter(|partition| (*partition as u32) < partitions)
            .unwrap_or_else(|| even(rng, partitions, available))
    }

    /// The partition whose share of the running sum `point` falls into.
    fn loaded(&self, point: u32) -> i32 {
        let index = self.loads.partition_point(|load| load.end <= point);
        self.loads.get(index).map_or(0, |load| load.partition)
    }
}

/// One of the available partitions, each equally likely; one of all if none is available.
fn even(rng: &mut Rng, partitions: u32, available: impl Fn(i32) -> bool) -> i32 {
    // Nearly always the first draw hits; only when most are unavailable are they counted.
    const DRAWS: usize = 4;
    for _ in 0..DRAWS {
        let partition = rng.below(partitions) as i32;
        if available(partition) {
            return partition;
        }
    }
    let all = 0..partitions as i32;
    let count = all
        .clone()
        .filter(|&partition| available(partition))
        .count();
    let nth = rng.below(count as u32) as usize;
    all.filter(|&partition| available(partition))
        .nth(nth)
        .unwrap_or_else(|| rng.below(partitions) as i32)
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn rng() -> Rng {
        Rng::from_seed([5; 32])
    }

    fn all(_: i32) -> bool {
        true
    }

    /// How often each partition is chosen by `n` records that each fill a batch.
    fn frequencies(
        sticky: &mut Sticky,
        n: usize,
        partitions: u32,
        available: impl Fn(i32) -> bool,
    ) -> Vec<u32> {
        let (mut rng, mut counts) = (rng(), vec![0; partitions as usize]);
        for _ in 0..n {
            counts[sticky.peek(&mut rng, partitions, &available) as usize] += 1;
            sticky.appended(1, true);
        }
        counts
    }

    /// (key, murmur2, partition of 1, 2, 3, 7, 12, 50, 1000 and 2^31-1), computed by kafka-clients 4.3.1. The first six
    /// keys are those of Kafka's UtilsTest.
    type Golden = (&'static [u8], i32, [i32; 8]);
    const H158_GOLDEN: &[Golden] = &[
        (b"21", -973932308, [0, 0, 0, 3, 0, 40, 340, 1173551340]),
        (b"foobar", -790332482, [0, 0, 0, 0, 6, 16, 166, 1357151166]),
        (
            b"a-little-bit-long-string",
            -985981536,
            [0, 0, 2, 1, 8, 12, 112, 1161502112],
        ),
        (
            b"a-little-bit-longer-string",
            -1486304829,
            [0, 1, 2, 0, 11, 19, 819, 661178819],
        ),
        (
            b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            -58897971,
            [0, 1, 2, 3, 5, 27, 677, 2088585677],
        ),
        (b"abc", 479470107, [0, 1, 0, 4, 3, 7, 107, 479470107]),
        (b"", 275646681, [0, 1, 0, 2, 9, 31, 681, 275646681]),
        (b"a", -1563381124, [0, 0, 1, 5, 4, 24, 524, 584102524]),
        (b"ab", 316155434, [0, 0, 2, 0, 2, 34, 434, 316155434]),
        (b"abcd", -1323649548, [0, 0, 2, 5, 8, 0, 100, 823834100]),
        (
            "äöü".as_bytes(),
            -2070914556,
            [0, 0, 2, 5, 8, 42, 92, 76569092],
        ),
        (
            "😀".as_bytes(),
            131881617,
            [0, 1, 0, 0, 9, 17, 617, 131881617],
        ),
        (&[0xff; 1], -311467685, [0, 1, 0, 5, 3, 13, 963, 1836015963]),
        (&[0xff; 2], -1642832928, [0, 0, 2, 0, 8, 20, 720, 504650720]),
        (&[0xff; 3], 1548199422, [0, 0, 0, 0, 6, 22, 422, 1548199422]),
        (&[0xff; 4], 644171429, [0, 1, 2, 6, 5, 29, 429, 644171429]),
        (&[0xff; 5], -363838622, [0, 0, 0, 2, 6, 26, 26, 1783645026]),
        (&[0xff; 6], 28450676, [0, 0, 2, 2, 8, 26, 676, 28450676]),
        (&[0xff; 7], -71293549, [0, 1, 1, 4, 7, 49, 99, 2076190099]),
        (&[0xff; 8], 185950397, [0, 1, 2, 3, 5, 47, 397, 185950397]),
        (&[0xff; 9], 1612811207, [0, 1, 2, 0, 11, 7, 207, 1612811207]),
        (&[0; 4], 850957120, [0, 0, 1, 6, 4, 20, 120, 850957120]),
    ];

    #[test]
    fn h158_keys_go_where_java_puts_them() {
        for (key, hash, partitions) in H158_GOLDEN {
            assert_eq!(murmur2(key), *hash, "{key:?}");
            let ours = [1, 2, 3, 7, 12, 50, 1000, 2147483647].map(|n| partition_for_key(key, n));
            assert_eq!(ours, *partitions, "{key:?}");
        }
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(murmur2(&bytes), -1948347274);
    }

    #[test]
    fn h158_ten_thousand_keys_agree_with_java() {
        let (mut fold, mut counts) = (0_i32, [0; 12]);
        for i in 0..10_000 {
            let key = std::format!("order-{i}");
            fold = fold.wrapping_mul(31).wrapping_add(murmur2(key.as_bytes()));
            counts[partition_for_key(key.as_bytes(), 12) as usize] += 1;
        }
        assert_eq!(fold, 1984604635);
        assert_eq!(
            counts,
            [831, 849, 762, 815, 856, 836, 876, 844, 829, 834, 839, 829]
        );
    }

    #[test]
    fn h157_no_partition_count_panics() {
        assert_eq!(partition_for_key(b"key", 0), 0);
        assert!(partition_for_key(b"key", u32::MAX) >= 0);
        assert_eq!(Sticky::new(1).peek(&mut rng(), 0, all), 0);
    }

    #[test]
    fn h158_sticks_until_the_batch_size_is_reached() {
        let (mut rng, mut sticky) = (rng(), Sticky::new(3));
        let mut stays = Vec::new();
        for _ in 0..100 {
            let first = sticky.peek(&mut rng, 1000, all);
            for _ in 0..3 {
                assert_eq!(sticky.peek(&mut rng, 1000, all), first);
                sticky.appended(1, true);
            }
            stays.push(sticky.peek(&mut rng, 1000, all) == first);
        }
        assert!(stays.iter().filter(|stay| **stay).count() < 5);
    }

    #[test]
    fn h104_a_partition_that_lost_its_leader_is_left_at_the_next_batch() {
        let (mut rng, mut sticky) = (rng(), Sticky::new(1_000));
        let dead = sticky.peek(&mut rng, 8, all);
        sticky.appended(1, false);
        let alive = |partition| partition != dead;
        assert_eq!(sticky.peek(&mut rng, 8, alive), dead, "its batch is open");
        sticky.finish_batch(alive);
        assert_ne!(sticky.peek(&mut rng, 8, alive), dead);
    }

    #[test]
    fn h158_switches_at_a_batch_boundary_or_at_twice_the_size() {
        let (mut rng, mut sticky) = (rng(), Sticky::new(10));
        sticky.peek(&mut rng, 8, all);
        sticky.appended(10, false);
        assert!(
            sticky.current.is_some(),
            "an open batch keeps the partition"
        );
        sticky.finish_batch(all);
        assert!(
            sticky.current.is_none(),
            "sent meanwhile: the next record may go elsewhere"
        );

        sticky.peek(&mut rng, 8, all);
        sticky.appended(9, true);
        sticky.finish_batch(all);
        assert!(sticky.current.is_some(), "not enough yet");
        sticky.appended(10, false);
        assert!(sticky.current.is_some(), "19 of 20");
        sticky.appended(1, false);
        assert!(
            sticky.current.is_none(),
            "twice the size is enough anywhere"
        );
        sticky.appended(usize::MAX, true);
    }

    #[test]
    fn h055_a_topic_whose_batches_shrink_sticks_for_longer() {
        let (mut rng, mut sticky) = (rng(), Sticky::new(10));
        sticky.peek(&mut rng, 8, all);
        sticky.appended(9, false);
        sticky.resize(30);
        sticky.appended(20, true);
        assert!(sticky.current.is_some(), "29 of 30");
        sticky.appended(1, true);
        assert!(sticky.current.is_none());
    }

    #[test]
    fn a_batch_size_of_zero_changes_with_every_record() {
        let (mut rng, mut sticky) = (rng(), Sticky::new(0));
        let first = sticky.peek(&mut rng, 8, all);
        sticky.appended(0, true);
        assert_eq!(sticky.peek(&mut rng, 8, all), first, "nothing was appended");
        sticky.appended(1, true);
        assert!(sticky.current.is_none());
    }

    #[test]
    fn one_partition_is_enough() {
        let counts = frequencies(&mut Sticky::new(1), 10, 1, all);
        assert_eq!(counts, [10]);
    }

    #[test]
    fn the_choice_is_even() {
        let counts = frequencies(&mut Sticky::new(1), 60_000, 6, all);
        assert!(
            counts.iter().all(|c| (9_500..10_500).contains(c)),
            "{counts:?}"
        );
    }

    #[test]
    fn unavailable_partitions_are_left_out() {
        let counts = frequencies(&mut Sticky::new(1), 10_000, 3, |p| p != 1);
        assert_eq!(counts[1], 0);
        assert!((4_800..5_200).contains(&counts[0]), "{counts:?}");

        let counts = frequencies(&mut Sticky::new(1), 9_000, 1000, |p| p % 400 == 7);
        let chosen: Vec<_> = [7, 407, 807].iter().map(|p| counts[*p]).collect();
        assert!(
            chosen.iter().all(|c| (2_800..3_200).contains(c)),
            "{chosen:?}"
        );
        assert_eq!(chosen.iter().sum::<u32>(), 9_000);
    }

    #[test]
    fn without_any_leader_the_choice_is_among_all() {
        let counts = frequencies(&mut Sticky::new(1), 4_000, 4, |_| false);
        assert!(counts.iter().all(|c| (900..1100).contains(c)), "{counts:?}");
    }

    #[test]
    fn h158_weights_mirror_the_queues_as_in_java() {
        // The queues of BuiltInPartitionerTest.adaptivePartitionsTest, every point of the table twice.
        let mut sticky = Sticky::new(1);
        sticky.update_loads(5, (0..).zip([5, 0, 3, 0, 1]));
        assert_eq!(sticky.loads.last().unwrap().end, 1 + 6 + 3 + 6 + 5);
        let mut counts = [0; 5];
        for point in (0..21).chain(0..21) {
            counts[sticky.loaded(point) as usize] += 1;
        }
        assert_eq!(counts, [2, 12, 6, 12, 10]);

        let counts = frequencies(&mut sticky, 21_000, 5, |_| panic!("the loads already know"));
        for (count, weight) in counts.iter().zip([1, 6, 3, 6, 5]) {
            assert!(count.abs_diff(weight * 1000) < 200, "{counts:?}");
        }
    }

    #[test]
    fn the_example_of_java_s_comment() {
        let mut sticky = Sticky::new(1);
        sticky.update_loads(3, (0..).zip([0, 3, 1]));
        let chosen: Vec<_> = (0..8).map(|point| sticky.loaded(point)).collect();
        assert_eq!(chosen, [0, 0, 0, 0, 1, 2, 2, 2]);
    }

    #[test]
    fn equal_queues_leave_the_choice_even() {
        let mut sticky = Sticky::new(1);
        sticky.update_loads(3, (0..).zip([4, 4, 4]));
        assert!(sticky.loads.is_empty());
        sticky.update_loads(3, (0..).zip([4, 4, 5]));
        assert!(!sticky.loads.is_empty());
        sticky.update_loads(0, core::iter::empty());
        assert!(sticky.loads.is_empty());
        sticky.update_loads(1, core::iter::once((0, 9)));
        assert!(sticky.loads.is_empty(), "one partition leaves no choice");
    }

    #[test]
    fn h104_partitions_of_a_slow_broker_get_nothing() {
        let mut sticky = Sticky::new(1);
        sticky.update_loads(3, [(0, 2), (2, 2)].into_iter());
        let counts = frequencies(&mut sticky, 1_000, 3, all);
        assert_eq!(counts[1], 0);
        assert!(counts[0] > 400 && counts[2] > 400, "{counts:?}");

        sticky.update_loads(2, core::iter::once((1, 0)));
        assert_eq!(
            frequencies(&mut sticky, 100, 2, all),
            [0, 100],
            "one that is left takes all"
        );

        sticky.update_loads(2, core::iter::empty());
        assert!(
            sticky.loads.is_empty(),
            "with none left every partition has its chance again"
        );
    }

    #[test]
    fn huge_queues_do_not_overflow() {
        let mut sticky = Sticky::new(1);
        sticky.update_loads(
            100_000,
            (0..).zip((0..100_000).map(|p| if p == 0 { u32::MAX } else { 0 })),
        );
        let ends: Vec<_> = sticky.loads.iter().map(|load| load.end).collect();
        assert!(ends.is_sorted());
        assert_eq!(sticky.loaded(0), 0);
        assert_eq!(sticky.loaded(ends[99_998]), 99_999);
        sticky.update_loads(2, (0..).zip([u32::MAX, 0, 7, 9]));
        assert_eq!(sticky.loads.len(), 2);
    }

    #[test]
    fn h157_a_shrunken_topic_is_chosen_from_anew() {
        let (mut rng, mut sticky) = (rng(), Sticky::new(100));
        sticky.update_loads(10, core::iter::once((9, 0)));
        assert_eq!(sticky.peek(&mut rng, 10, all), 9);
        assert!(sticky.peek(&mut rng, 4, all) < 4);
    }
}
