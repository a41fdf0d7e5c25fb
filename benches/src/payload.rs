//! What is sent: by default text, random enough that no two values of a run are alike.

use std::io::Write;

/// Values that are sent in turn; together they stay in the processor's caches, as an application's fresh records do.
const VALUES: usize = 256;

/// So many that no codec finds one again.
const FRESH: usize = 8_192;

/// A kind of values: a word for it, and what makes them.
pub(crate) type Kind = (&'static str, fn(usize) -> Payload);

/// Those that codecs are measured with.
#[allow(dead_code)]
pub(crate) const KINDS: [Kind; 3] = [
    ("JSON", Payload::json),
    ("words", Payload::words),
    ("letters", Payload::letters),
];

/// Values of one size.
pub(crate) struct Payload {
    text: Vec<u8>,
    size: usize,
    values: usize,
}

/// Knuth's MMIX generator: the same text in every run.
fn random() -> impl FnMut() -> u32 {
    let mut state = 7_u64;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    }
}

impl Payload {
    pub(crate) fn new(size: usize) -> Self {
        const LETTERS: &[u8; 32] = b"etaoin shrdlu cmfwyp vbgkqj xz,.";
        let mut random = random();
        let letter = |_| LETTERS[(random() >> 27) as usize];
        let text = (0..VALUES * size).map(letter).collect();
        Self::of(text, size)
    }

    /// The same text, but with far more values.
    pub(crate) fn letters(size: usize) -> Self {
        let text = Self::new(FRESH / VALUES * size).text;
        Self::of(text, size)
    }

    /// Events as JSON, as many in a value as there is room for.
    pub(crate) fn json(size: usize) -> Self {
        let mut random = random();
        let mut event = move |n: usize, text: &mut Vec<u8>| {
            let (user, price) = (random() % 100_000, random() % 10_000);
            let kind = ["click", "view", "purchase", "refund"][random() as usize % 4];
            let (whole, cents, time) = (price / 100, price % 100, 1_767_225_600_000 + n * 13);
            writeln!(
                text,
                "{{\"id\":{n},\"user\":\"u{user:05}\",\"type\":\"{kind}\",\"price\":{whole}.{cents:02},\"time\":{time}}}"
            )
            .expect("memory takes all");
        };
        let (mut text, mut n) = (Vec::new(), 0);
        while text.len() < FRESH * size {
            event(n, &mut text);
            n += 1;
        }
        Self::of(text, size)
    }

    /// Text of 2,000 words, the frequent ones more often (Zipf).
    pub(crate) fn words(size: usize) -> Self {
        let mut random = random();
        let word = |random: &mut dyn FnMut() -> u32| {
            let len = 2 + random() % 9;
            (0..len).map(|_| b'a' + (random() % 26) as u8).collect()
        };
        let words: Vec<Vec<u8>> = (0..2_000).map(|_| word(&mut random)).collect();
        let mut text = Vec::new();
        while text.len() < FRESH * size {
            // The inverse of a distribution whose density falls as 1/rank.
            let rank = 2_000_f64.powf(f64::from(random()) / f64::from(u32::MAX)) as usize - 1;
            text.extend_from_slice(&words[rank.min(words.len() - 1)]);
            text.push(b' ');
        }
        Self::of(text, size)
    }

    /// Bytes that no codec makes shorter.
    pub(crate) fn noise(size: usize) -> Self {
        let mut random = random();
        let text = (0..FRESH * size).map(|_| random() as u8).collect();
        Self::of(text, size)
    }

    /// Values of one size, one after the other.
    pub(crate) fn of(text: Vec<u8>, size: usize) -> Self {
        let values = text.len() / size;
        Self { text, size, values }
    }

    /// What [`Payload::of`] takes.
    #[allow(dead_code)]
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many values there are.
    #[allow(dead_code)]
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    /// The value of the `n`-th record.
    #[inline]
    pub(crate) fn value(&self, n: usize) -> &[u8] {
        let from = n % self.values * self.size;
        &self.text[from..from + self.size]
    }
}
