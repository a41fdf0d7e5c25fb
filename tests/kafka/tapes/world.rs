//! The two clusters that hear a tape: Kafka over TCP, and the model in memory.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ottla_sim::{Answer, Model};

use super::ask::probe;

/// How long Kafka may take for one answer.
const LIMIT: Duration = Duration::from_secs(60);
/// The correlation id of the question whether a cluster is still there.
const PROBE: i32 = i32::MIN;
/// Connections that a tape has to each cluster.
pub(crate) const LINKS: usize = 2;

/// What comes back for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer, without the length in front.
    Frame(Vec<u8>),
    /// Nothing, and the connection is still there.
    Silence,
    /// The connection's end.
    Closed,
}

/// A cluster of one broker that answers on connections which come back after their end.
pub(crate) trait World {
    /// Sends a request, without the length in front. Of one that `wants_silence` nothing may come back.
    fn ask(&mut self, link: usize, request: &[u8], wants_silence: bool) -> Result<Heard, String>;
}

/// A real broker.
pub(crate) struct Real {
    address: SocketAddr,
    links: [Option<TcpStream>; LINKS],
}

impl Real {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            links: [const { None }; LINKS],
        }
    }

    fn exchange(&mut self, link: usize, request: &[u8], probes: bool) -> io::Result<Heard> {
        let stream = match &mut self.links[link] {
            Some(stream) => stream,
            none => none.insert(connect(self.address)?),
        };
        let mut frames = framed(request);
        if probes {
            frames.extend(framed(&probe(PROBE)));
        }
        stream.write_all(&frames)?;
        let answer = frame(stream)?;
        // Kafka answers in order: whatever comes first is for the request, unless that has no answer.
        if !probes {
            return Ok(Heard::Frame(answer));
        }
        if answer.starts_with(&PROBE.to_be_bytes()) {
            return Ok(Heard::Silence);
        }
        frame(stream)?;
        Ok(Heard::Frame(answer))
    }
}

impl World for Real {
    fn ask(&mut self, link: usize, request: &[u8], wants_silence: bool) -> Result<Heard, String> {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match self.exchange(link, request, wants_silence) {
            Ok(heard) => Ok(heard),
            Err(e) if matches!(e.kind(), BrokenPipe | ConnectionReset | UnexpectedEof) => {
                self.links[link] = None;
                Ok(Heard::Closed)
            }
            Err(e) => Err(format!("Kafka does not answer: {e}")),
        }
    }
}

/// The model.
pub(crate) struct Modelled {
    pub(crate) model: Model,
    start: Instant,
    /// The number of each connection; a new connection has a new one.
    links: [u64; LINKS],
    next: u64,
}

impl Modelled {
    /// `start` is when the model's clock stood at nothing.
    pub(crate) fn new(model: Model, start: Instant) -> Self {
        Self {
            model,
            start,
            links: std::array::from_fn(|link| link as u64),
            next: LINKS as u64,
        }
    }
}

impl World for Modelled {
    fn ask(&mut self, link: usize, request: &[u8], _: bool) -> Result<Heard, String> {
        let (now, connection) = (self.start.elapsed(), self.links[link]);
        match self.model.handle(now, 1, connection, request) {
            Answer::Reply(frame) => Ok(Heard::Frame(frame[4..].to_vec())),
            Answer::Silence => Ok(Heard::Silence),
            Answer::Disconnect => {
                self.model.closed(1, connection);
                self.links[link] = self.next;
                self.next += 1;
                Ok(Heard::Closed)
            }
            other => Err(format!("one model node has no reason to wait: {other:?}")),
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn framed(request: &[u8]) -> Vec<u8> {
    let size = request.len() as u32;
    [&size.to_be_bytes(), request].concat()
}

fn frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}
