//! What is planned for one connection: drawn when it comes, and the same for the same seed, broker and number.

use std::{collections::VecDeque, time::Duration};

use super::dice::Dice;

pub(crate) struct Plan {
    pub(crate) welcome: Welcome,
    /// The strikes against what goes to the broker, and against what comes from it.
    pub(crate) strikes: [VecDeque<Strike>; 2],
    /// From now on the port refuses for so long.
    pub(crate) refuse: Option<Duration>,
}

/// What becomes of a connection before its first byte.
pub(crate) enum Welcome {
    Serve,
    Close,
    Reset,
    /// It is accepted, and nobody reads.
    Silence,
}

/// Strikes once so many bytes went through.
pub(crate) struct Strike {
    pub(crate) at: u64,
    pub(crate) blow: Blow,
}

#[derive(Clone, Copy)]
pub(crate) enum Blow {
    /// Both ways end in order.
    Cut,
    Reset,
    /// Only the way that is struck ends.
    HalfClose,
    Stall(Duration),
    StallBoth(Duration),
    /// A few bytes at a time.
    Drip(Pace),
    /// Every piece comes later.
    Delay(Pace),
}

/// How the next `bytes` go through: so many at a time, each after a rest.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) bytes: u64,
    pub(crate) step: usize,
    pub(crate) rest: Duration,
}

impl Plan {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let welcome = match dice.below(20) {
            0 => Welcome::Close,
            1 => Welcome::Reset,
            2 => Welcome::Silence,
            _ => Welcome::Serve,
        };
        Self {
            welcome,
            strikes: [Strike::draw_some(dice), Strike::draw_some(dice)],
            refuse: dice.one_in(12).then(|| dice.millis(5..150)),
        }
    }

    pub(crate) fn harmless() -> Self {
        Self {
            welcome: Welcome::Serve,
            strikes: [VecDeque::new(), VecDeque::new()],
            refuse: None,
        }
    }
}

impl Strike {
    fn draw_some(dice: &mut Dice) -> VecDeque<Self> {
        let mut strikes: Vec<_> = (0..dice.below(3)).map(|_| Self::draw(dice)).collect();
        strikes.sort_by_key(|strike| strike.at);
        strikes.into()
    }

    fn draw(dice: &mut Dice) -> Self {
        // The greeting of a link takes some hundred bytes; then come batches.
        let reach = dice.pick(&[200, 2_000, 20_000]);
        Self {
            at: dice.below(reach),
            blow: Blow::draw(dice),
        }
    }
}

impl Blow {
    fn draw(dice: &mut Dice) -> Self {
        // Below and above what `request.timeout.ms` allows.
        let pause = dice.pick(&[5..80, 5..80, 300..700]);
        match dice.below(10) {
            0 => Self::Cut,
            1 | 2 => Self::Reset,
            3 => Self::HalfClose,
            4 | 5 => Self::Stall(dice.millis(pause)),
            6 => Self::StallBoth(dice.millis(pause)),
            7 | 8 => Self::Drip(Pace {
                bytes: dice.within(20..600),
                step: dice.within(1..12) as usize,
                rest: Duration::from_micros(dice.below(400)),
            }),
            _ => Self::Delay(Pace {
                bytes: dice.within(2_000..50_000),
                step: usize::MAX,
                rest: dice.millis(1..30),
            }),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::HalfClose => "half-close",
            Self::Stall(time) if time.as_millis() >= 300 => "long stall",
            Self::Stall(_) => "stall",
            Self::StallBoth(time) if time.as_millis() >= 300 => "long stall both ways",
            Self::StallBoth(_) => "stall both ways",
            Self::Drip(_) => "drip",
            Self::Delay(_) => "delay",
        }
    }
}
