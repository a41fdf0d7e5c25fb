//! What a level of `compression.zstd.level` means here.

/// How matches are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Search {
    /// One place where the same bytes were last; skips `skip` bytes more than one where there is no match.
    Fast { skip: usize },
    /// Two places: of eight bytes the same, and of five.
    Double,
    /// Up to `depth` places in turn, latest first. A match of less than `enough` bytes waits `wait` bytes for a better
    /// one.
    Chain {
        depth: u32,
        enough: usize,
        wait: u32,
    },
}

/// A level's search, and how large its tables may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) search: Search,
    /// Logarithm of the entries of the table by which bytes are found, and of the second table.
    pub(super) table_logs: (u32, u32),
}

impl Level {
    /// Takes Java's levels, 0 for the default.
    ///
    /// Up to 12 they search much as C's encoder does. Those above only look in more places, where C's weighs all
    /// ways to cut the bytes. Below 0 every level skips more, and literals are left as they are; from -8192 on all are alike.
    pub(super) fn new(level: i32) -> Self {
        let (search, table_logs) = match level {
            ..0 => (
                Search::Fast {
                    skip: (1 - level.max(-8_192)) as usize / 2,
                },
                (13, 0),
            ),
            1 => (Search::Fast { skip: 0 }, (14, 0)),
            2 => (Search::Fast { skip: 0 }, (16, 0)),
            // With twice as many entries in the second table batches become shorter or longer by less than half a
            // percent, and take up to a third longer, where the processor's cache has no room for it.
            0 | 3 => (Search::Double, (17, 15)),
            4 => (Search::Double, (18, 17)),
            _ => {
                let (log, depth, enough, wait) = match level {
                    5 => (17, 4, 16, 1),
                    6 => (17, 8, 24, 1),
                    7 => (17, 12, 32, 1),
                    8 => (18, 12, 48, 2),
                    9 => (18, 16, 64, 2),
                    10 => (18, 24, 64, 2),
                    11 => (18, 32, 96, 2),
                    12 => (19, 48, 128, 2),
                    13..16 => (19, 64, 256, 2),
                    16..19 => (20, 128, 512, 2),
                    _ => (20, 256, 1_024, 2),
                };
                let search = Search::Chain {
                    depth,
                    enough,
                    wait,
                };
                (search, (log, log))
            }
        };
        Self { search, table_logs }
    }
}
