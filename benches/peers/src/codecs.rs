//! ottla's codecs and librdkafka's, on the same batches; see README.md.
//!
//! `ottla-codecs DIR` writes records of batches to files in DIR, and their names to its output. Then it answers lines,
//! `PEER CODEC LEVEL FROM [TO]`: with the nanoseconds of processor time that it takes to compress all of a file once, or,
//! having written what was compressed to another file, with the bytes of that. In a file each piece has its length before
//! it.

mod codecs_librdkafka;
#[allow(dead_code)]
#[path = "../../src/measure.rs"]
mod measure;
#[allow(dead_code)]
#[path = "../../src/payload.rs"]
mod payload;

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use ottla_core::fuzzing::{self, Batch, Bench};
use ottla_core::{Compression, Record};

use measure::Cost;
use payload::{KINDS, Payload};

type Failure = Box<dyn Error>;

/// Compresses a piece, and hands over what came of it.
type Compress = Box<dyn FnMut(&[u8], &mut dyn FnMut(&[u8]))>;

/// Bytes of a value.
const SIZE: usize = 1_024;
/// What a value takes in a batch at most, and the batch besides.
const RECORD: usize = SIZE + 10;
const HEAD: usize = 61;
/// Values of one file.
const VALUES: usize = 4_096;
/// Sizes of batches in KiB.
const BATCHES: [usize; 2] = [16, 1_024];

/// What is measured at once.
const LEAST: Duration = Duration::from_millis(100);

fn main() -> Result<(), Failure> {
    let dir = std::env::args().nth(1).ok_or("a folder is missing")?;
    for (kind, payload) in KINDS {
        for size in BATCHES {
            let file = Path::new(&dir).join(format!("{kind}-{size}"));
            fs::write(&file, batches(&payload(SIZE), size << 10))?;
            print!("{} ", file.display());
        }
    }
    println!();
    for line in io::stdin().lines() {
        println!("{}", answer(&line?)?);
    }
    Ok(())
}

/// The records of all batches of this size.
fn batches(payload: &Payload, size: usize) -> Vec<u8> {
    let at_once = (size - HEAD) / RECORD;
    let mut file = Vec::new();
    for first in (0..VALUES).step_by(at_once) {
        let batch = Batch::new(16 << 10, None, |add| {
            for n in first..VALUES.min(first + at_once) {
                add(&Record {
                    topic: fuzzing::topic(),
                    partition: None,
                    timestamp: 1_767_225_600_000,
                    key: None,
                    value: Some(payload.value(n)),
                    headers: &[],
                });
            }
        });
        put(&mut file, &batch.records());
    }
    file
}

fn answer(line: &str) -> Result<u128, Failure> {
    let words: Vec<&str> = line.split(' ').collect();
    let [peer, codec, level, from, ref to @ ..] = words[..] else {
        return Err(format!("this is no task: {line}").into());
    };
    let file = fs::read(from)?;
    let pieces: Vec<&[u8]> = pieces(&file).collect();
    let (codec, level) = (codec_of(codec)?, level.parse()?);
    let mut compress = match peer {
        "ottla" => ottla(codec, level)?,
        "librdkafka" => codecs_librdkafka::codec(codec, level),
        other => return Err(format!("there is no peer {other}").into()),
    };
    let Some(to) = to.first() else {
        return Ok(time(&mut compress, &pieces));
    };
    let (mut compressed, mut bytes) = (Vec::new(), 0);
    for piece in pieces {
        compress(piece, &mut |short| {
            put(&mut compressed, short);
            bytes += short.len() as u128;
        });
    }
    fs::write(to, compressed)?;
    Ok(bytes)
}

fn codec_of(name: &str) -> Result<Compression, Failure> {
    let mut all = Compression::ALL.into_iter();
    let found = all.find(|codec| codec.name() == name);
    found.ok_or_else(|| format!("there is no codec {name}").into())
}

fn ottla(codec: Compression, level: i32) -> Result<Compress, Failure> {
    let mut bench = Bench::new(codec, level).ok_or("a codec is not built in")?;
    let mut out = vec![0; 2 << 20];
    Ok(Box::new(move |piece, take| {
        let len = bench.compress(piece, &mut out).expect("there is room");
        take(&out[..len]);
    }))
}

/// What it costs to compress the pieces once, in nanoseconds.
fn time(compress: &mut Compress, pieces: &[&[u8]]) -> u128 {
    let (start, mut times) = (Cost::begin(), 0);
    loop {
        for piece in pieces {
            compress(piece, &mut |short| {
                std::hint::black_box(short);
            });
        }
        times += 1;
        let cost = start.end(times);
        if cost.cpu >= LEAST {
            return cost.cpu.as_nanos() / times as u128;
        }
    }
}

fn put(file: &mut Vec<u8>, piece: &[u8]) {
    file.extend_from_slice(&(piece.len() as u32).to_be_bytes());
    file.extend_from_slice(piece);
}

fn pieces(mut file: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = file.split_first_chunk()?;
        let (piece, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        file = rest;
        Some(piece)
    })
}
