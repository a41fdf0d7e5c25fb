//! Writes the inputs that every run begins with: `seeds FOLDER`. It writes the same ones each time.

use std::path::Path;
use std::{env, fs, io};

// Its runtime has what the instrumentation of this binary calls.
use libfuzzer_sys as _;
use ottla_core::Compression;
use ottla_fuzz::letters::Letter;
use ottla_fuzz::line::{Line, PARTITIONS, TOPIC};
use ottla_fuzz::responses::Question;
use ottla_fuzz::{Tape, codecs};
use ottla_sim::Api;

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).expect("seeds FOLDER");
    let folder = Path::new(&folder);
    for target in ["accumulator", "batches", "codecs", "core", "splits"] {
        for n in 0..24u64 {
            save(
                folder,
                target,
                &format!("noise-{n:02}"),
                &noise(n, 60 + 30 * n as usize),
            )?;
        }
    }
    for codec in &Compression::ALL[1..] {
        save_compressed(folder, *codec)?;
    }
    for newest in 0..=13 {
        save_conversation(folder, newest)?;
    }
    for (n, frames) in FRAMES.iter().enumerate() {
        save(folder, "frames", &format!("frames-{n:02}"), frames)?;
    }
    for (n, text) in TEXTS.iter().enumerate() {
        save(folder, "config", &format!("text-{n:02}"), text.as_bytes())?;
    }
    Ok(())
}

/// What a producer and brokers that speak versions up to `newest` say to each other.
fn save_conversation(folder: &Path, newest: i16) -> io::Result<()> {
    let versions = [
        (Api::Produce, newest.max(3)),
        (Api::Metadata, newest.max(1)),
        (Api::InitProducerId, newest.min(5)),
        (Api::ApiVersions, newest.min(4)),
    ];
    let mut line = Line::new(&[], &versions);
    // The producer knows another leader, and is told so: in newer versions with the new one's address.
    let other = line
        .model
        .brokers()
        .find(|&id| line.model.leader(TOPIC, 0) != Some(id));
    line.model
        .move_leader(TOPIC, 0, other.expect("there are two brokers"));
    let tape = noise(newest as u64, 400);
    let mut tape = Tape::new(&tape);
    while !tape.is_over() {
        let mut letter = Letter::read(&mut tape, PARTITIONS);
        letter.value = letter.value.filter(|value| value.len() < 100);
        line.send(&letter);
    }
    line.run();

    let mut requests = Vec::new();
    for (request, answer) in &line.exchanges {
        // Milliseconds, broker, connection and length, as the target reads them.
        requests.extend([
            1,
            0,
            0,
            (request.len() / 64) as u8,
            (request.len() % 64) as u8,
        ]);
        requests.extend_from_slice(request);
        let [api, version] = [0, 2].map(|at| i16::from_be_bytes([request[at], request[at + 1]]));
        if let Some(answer) = answer
            && let Some(question) = Question::tape(api, version)
        {
            let len = answer.len();
            let name = format!("api-{api:02}-version-{version:02}-{len:03}-bytes");
            save(
                folder,
                "responses",
                &name,
                &[&question, &answer[..]].concat(),
            )?;
        }
    }
    save(
        folder,
        "server",
        &format!("versions-to-{newest:02}"),
        &requests,
    )
}

/// What a codec makes of payloads of several kinds, whole and with a byte too few.
fn save_compressed(folder: &Path, codec: Compression) -> io::Result<()> {
    let place = codecs::tape(codec).expect("it is a codec");
    let payloads: [&[u8]; 4] = [
        b"",
        b"Dear Ottla, dear Ottla, dear Ottla!",
        &noise(3, 700),
        &TEXTS.concat().repeat(40).into_bytes(),
    ];
    for (n, payload) in payloads.iter().enumerate() {
        let mut out = vec![0; 100 + 2 * payload.len()];
        let len = codecs::bench(codec, 1).compress(payload, &mut out);
        let compressed = &out[..len.expect("there is room")];
        let input = [&[place, 0], compressed].concat();
        let name = format!("{}-{n}", codec.name());
        save(folder, "opening", &name, &input)?;
        save(
            folder,
            "opening",
            &format!("{name}-short"),
            &input[..input.len() - 1],
        )?;
    }
    Ok(())
}

fn save(folder: &Path, target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

/// Bytes that look random (xorshift), small ones more often.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next() >> (next() % 4)).collect()
}

/// Limit, number and sizes of the pieces, and the stream.
const FRAMES: &[&[u8]] = &[
    b"\x01\x00\0\0\0\x03abc\0\0\0\0\0\0\0\x01d",
    b"\x01\x01\x01\0\0\0\x03abc\0\0\0\0\0\0\0\x01d",
    b"\x02\x02\x05\x00\0\0\0\x20abcdefghijklmnopqrstuvwxyz123456\0\0\0\x02no\0\0",
    b"\x01\x03\x02\x07\x01\0\0\0\x03abc\xff\xff\xff\xffrest",
    b"\x01\x01\x03\0\0\0\x11abcdefghijklmnopq",
    b"\xff\x02\x04\x02HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\xff\x01\x02\x15\x03\x01\x00\x02\x02\x0a",
    b"\x00\x00\0\0\0\0\0\0\0\0\0\0\0\x01",
];

/// Files as people have them.
const TEXTS: &[&str] = &[
    "bootstrap.servers=localhost:9092\n",
    "bootstrap.servers = a:1, b:2 ,[::1]:9093\nclient.id: letters\nacks all\nlinger.ms=20\nbatch.size=65536\n",
    "# comment\n! another\nbootstrap.servers=\\\n  broker-1.example:9092,\\\n  broker-2.example:9092\ncompression.type=none\n",
    "bootstrap.servers=h:1\nacks=1\nretries=0\nmax.in.flight.requests.per.connection=1\nenable.idempotence=false\n",
    "bootstrap.servers=h:1\nenable.idempotence=true\nacks=0\n",
    "bootstrap.servers=h:1\ndelivery.timeout.ms=100\nlinger.ms=50\nrequest.timeout.ms=100\n",
    "bootstrap.servers=h:1\nbuffer.memory=0\nmax.block.ms=0\nmax.request.size=2147483647\nsend.buffer.bytes=-1\nreceive.buffer.bytes=-1\n",
    "bootstrap.servers=h:1\nconnections.max.idle.ms=-1\nmetadata.max.age.ms=9223372036854775807\nretry.backoff.ms=9223372036854775807\nretry.backoff.max.ms=0\n",
    "bootstrap.servers=h:1\npartitioner.ignore.keys=TRUE\npartitioner.adaptive.partitioning.enable=False\npartitioner.availability.timeout.ms=1\nreconnect.backoff.ms=7\n",
    "bootstrap.servers=h:1\nreceive.message.max.bytes=1024\nsequence.gap.policy=resend\nsocket.connection.setup.timeout.ms=1\nsocket.connection.setup.timeout.max.ms=0\n",
    "bootstrap.servers=h:1\nsecurity.protocol=PLAINTEXT\nsasl.jaas.config=secret\n",
    "bootstrap.servers=h:1\nkey.serializer=org.apache.kafka.common.serialization.StringSerializer\nbatch.sise=1\n",
    "bootstrap.servers=h:65536\n",
    "client.id=\\u00e4\\ud83d\\ude00\\t\\n\\r\\f\\=\\:\\#\\!\\ \\\\\n",
    "a=\\ud83d\n",
    "a=\\u12",
    "=x\n",
    "\u{feff}a\\ b : c \r\nd=e\rf\\\r\n g\n",
];
