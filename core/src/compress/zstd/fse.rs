//! Finite state entropy: tables of symbols' frequencies, and the states that write symbols by them.

use super::bits::BitWriter;

/// Symbols that a table may have at most: the codes of match lengths are the most.
pub(super) const MAX_SYMBOLS: usize = 53;
const MAX_LOG: u32 = 9;

/// How often each symbol comes in a table of `1 << log` places: -1 is "less than once", in one place.
#[derive(Clone, Copy)]
pub(super) struct Distribution {
    pub(super) log: u32,
    pub(super) symbols: usize,
    pub(super) norm: [i16; MAX_SYMBOLS],
}

impl Distribution {
    pub(super) const fn fixed(log: u32, counts: &[i16]) -> Self {
        let mut norm = [0; MAX_SYMBOLS];
        let mut symbol = 0;
        while symbol < counts.len() {
            norm[symbol] = counts[symbol];
            symbol += 1;
        }
        Self {
            log,
            symbols: counts.len(),
            norm,
        }
    }

    /// Scales `counts` to a table of `1 << log` places, or fewer if so few symbols are to be written by it.
    ///
    /// At least two symbols must have been counted, and the table must have a place for each.
    pub(super) fn scale(counts: &[u32], max_log: u32) -> Self {
        let total: u32 = counts.iter().sum();
        let present = counts.iter().filter(|&&count| count > 0).count() as u32;
        debug_assert!(present > 1);
        let wanted = total.ilog2().saturating_sub(1);
        let log = wanted.max(present.ilog2() + 1).clamp(5, max_log);
        let size = 1u32 << log;
        let mut norm = [0; MAX_SYMBOLS];
        let mut rest = size as i32;
        for (norm, &count) in norm.iter_mut().zip(counts) {
            let scaled = u64::from(count) << log;
            *norm = match count {
                0 => 0,
                _ if count <= total >> log => -1,
                _ => ((scaled + u64::from(total) / 2) / u64::from(total)).max(1) as i16,
            };
            rest -= i32::from(norm.abs());
        }
        // What rounding left or took too much is the share of the symbols that feel it least.
        while rest != 0 {
            let largest = norm.iter_mut().max().expect("there are symbols");
            let change = rest.max(i32::from(1 - *largest / 2).min(-1));
            *largest += change as i16;
            rest -= change;
        }
        let symbols = counts.len() - counts.iter().rev().take_while(|&&count| count == 0).count();
        Self { log, symbols, norm }
    }

    /// Writes the table's description. Returns its length, or `None` if it does not fit.
    pub(super) fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut writer = BitWriter::new(out);
        writer.add(u64::from(self.log - 5), 4);
        let mut rest = (1i32 << self.log) + 1;
        let mut threshold = 1i32 << self.log;
        let mut width = self.log + 1;
        let mut symbol = 0;
        while rest > 1 && symbol < self.symbols {
            let norm = i32::from(self.norm[symbol]);
            symbol += 1;
            let largest = 2 * threshold - 1 - rest;
            rest -= norm.abs();
            let mut value = norm + 1;
            if value >= threshold {
                value += largest;
            }
            writer.add(value as u64, width - u32::from(value < largest));
            writer.flush();
            while rest < threshold {
                width -= 1;
                threshold >>= 1;
            }
            if norm == 0 && rest > 1 {
                symbol += write_run(&mut writer, &self.norm[symbol..self.symbols]);
            }
        }
        writer.finish_unmarked()
    }

    /// The bits that all of `counts` take by this table, in 256ths, or `None` if it lacks one of the symbols.
    pub(super) fn cost(&self, counts: &[u32]) -> Option<u64> {
        let mut cost = 0;
        for (symbol, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let norm = match self.norm.get(symbol).filter(|_| symbol < self.symbols)? {
                0 => return None,
                norm => u32::from(norm.unsigned_abs()),
            };
            cost += u64::from(count) * u64::from((self.log << 8) - log2_in_256ths(norm));
        }
        Some(cost)
    }
}

/// Writes how many symbols that never come follow one that never comes. Returns how many.
fn write_run(writer: &mut BitWriter<'_>, norms: &[i16]) -> usize {
    let run = norms.iter().take_while(|&&norm| norm == 0).count();
    let mut rest = run;
    while rest >= 3 {
        writer.add(3, 2);
        writer.flush();
        rest -= 3;
    }
    writer.add(rest as u64, 2);
    writer.flush();
    run
}

/// The logarithm of `n`, straight between the powers of two, which is within a tenth of a bit.
pub(super) fn log2_in_256ths(n: u32) -> u32 {
    let whole = n.ilog2();
    let fraction = ((u64::from(n) << 8) >> whole) as u32 & 0xff;
    (whole << 8) + fraction
}

/// What to do to a state to write one symbol.
#[derive(Clone, Copy)]
struct Step {
    /// Added to a state, has the number of bits to write in its upper half.
    bits: u32,
    /// From what is left of the state to its successor's place.
    next: i32,
}

/// A distribution made ready for writing.
pub(super) struct Table {
    log: u32,
    states: [u16; 1 << MAX_LOG],
    steps: [Step; MAX_SYMBOLS],
}

impl Table {
    pub(super) const EMPTY: Self = Self {
        log: 0,
        states: [0; 1 << MAX_LOG],
        steps: [Step { bits: 0, next: 0 }; MAX_SYMBOLS],
    };

    pub(super) fn build(&mut self, distribution: &Distribution) {
        let size = 1usize << distribution.log;
        let norm = &distribution.norm[..distribution.symbols];
        self.log = distribution.log;
        let mut places = [0u8; 1 << MAX_LOG];
        spread(norm, &mut places[..size]);

        let mut first = [0u16; MAX_SYMBOLS];
        let mut total = 0;
        for (symbol, &norm) in norm.iter().enumerate() {
            first[symbol] = total;
            self.steps[symbol] = Step::new(norm, distribution.log, total);
            total += norm.unsigned_abs();
        }
        for (place, &symbol) in places[..size].iter().enumerate() {
            let next = &mut first[usize::from(symbol)];
            self.states[usize::from(*next)] = (size + place) as u16;
            *next += 1;
        }
    }

    /// The table of a single symbol, which takes no bits.
    pub(super) fn build_single(&mut self, symbol: u8) {
        self.log = 0;
        self.states[0] = 0;
        self.steps[usize::from(symbol)] = Step { bits: 0, next: 0 };
    }

    /// The state that stands for the last symbol, which costs nothing to write.
    #[inline(always)]
    pub(super) fn start(&self, symbol: u8) -> State {
        let step = self.steps[usize::from(symbol)];
        let count = (step.bits.wrapping_add(1 << 15)) >> 16;
        let value = (count << 16).wrapping_sub(step.bits);
        State(self.next(value >> count, step))
    }

    /// Writes the symbol before the one that `state` stands for.
    #[inline(always)]
    pub(super) fn put(&self, state: &mut State, symbol: u8, writer: &mut BitWriter<'_>) {
        let step = self.steps[usize::from(symbol)];
        let value = u32::from(state.0);
        let count = value.wrapping_add(step.bits) >> 16;
        writer.add(u64::from(value & !(u32::MAX << count)), count);
        state.0 = self.next(value >> count, step);
    }

    /// Writes the state itself, which the decoder starts from.
    pub(super) fn end(&self, state: &State, writer: &mut BitWriter<'_>) {
        let value = u32::from(state.0) & !(u32::MAX << self.log);
        writer.add(u64::from(value), self.log);
        writer.flush();
    }

    #[inline(always)]
    fn next(&self, rest: u32, step: Step) -> u16 {
        self.states[rest.wrapping_add_signed(step.next) as usize & ((1 << MAX_LOG) - 1)]
    }
}

pub(super) struct State(u16);

impl Step {
    /// For a symbol with `norm` places in a table of `1 << log`, of which other symbols have the first `before`.
    fn new(norm: i16, log: u32, before: u16) -> Self {
        let before = i32::from(before);
        match norm {
            0 => Self {
                bits: ((log + 1) << 16) - (1 << log),
                next: 0,
            },
            -1 | 1 => Self {
                bits: (log << 16).wrapping_sub(1 << log),
                next: before - 1,
            },
            _ => {
                let norm = u32::from(norm.unsigned_abs());
                let most = log - (norm - 1).ilog2();
                Self {
                    bits: (most << 16).wrapping_sub(norm << most),
                    next: before - norm as i32,
                }
            }
        }
    }
}

/// Says which symbol has which place of the table: those of less than one place at its end, the others strewn about.
fn spread(norm: &[i16], places: &mut [u8]) {
    let mut end = places.len();
    for (symbol, _) in norm.iter().enumerate().filter(|(_, norm)| **norm == -1) {
        end -= 1;
        places[end] = symbol as u8;
    }
    let (mask, stride) = (places.len() - 1, places.len() / 2 + places.len() / 8 + 3);
    let mut place = 0;
    for (symbol, &norm) in norm.iter().enumerate() {
        for _ in 0..norm {
            places[place] = symbol as u8;
            place = (place + stride) & mask;
            while place >= end {
                place = (place + stride) & mask;
            }
        }
    }
}
