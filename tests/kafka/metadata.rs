//! What a node knows of its cluster, by Metadata version 1: asked by hand, since ottla's own codec is under test.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a node may take for one answer. One that is down refuses at once.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Metadata {
    /// The nodes that are up.
    pub(crate) brokers: Vec<i32>,
    /// The partitions of the topic that was asked for, ascending.
    pub(crate) partitions: Vec<Partition>,
}

pub(crate) struct Partition {
    pub(crate) index: i32,
    /// -1 while there is none.
    pub(crate) leader: i32,
    pub(crate) in_sync: Vec<i32>,
}

/// Asks the node at this address for all brokers, and for one topic.
pub(crate) fn ask(address: SocketAddr, topic: Option<&str>) -> io::Result<Metadata> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(&request(topic))?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer)?;
    metadata(&mut Fields(&answer)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {:?}", self.index, self.leader, self.in_sync)
    }
}

fn request(topic: Option<&str>) -> Vec<u8> {
    let mut body = vec![
        0, 3, 0, 1, // Metadata, version 1
        0, 0, 0, 7, // correlation id
        0xff, 0xff, // no client id
    ];
    body.extend((topic.iter().len() as u32).to_be_bytes());
    if let Some(name) = topic {
        body.extend((name.len() as u16).to_be_bytes());
        body.extend(name.as_bytes());
    }
    let size = body.len() as u32;
    [&size.to_be_bytes(), body.as_slice()].concat()
}

fn metadata(fields: &mut Fields<'_>) -> Option<Metadata> {
    fields.int32()?; // correlation id
    let brokers = fields.array(|fields| {
        let id = fields.int32()?;
        fields.string()?; // host
        fields.int32()?; // port
        fields.string()?; // rack
        Some(id)
    })?;
    fields.int32()?; // controller
    let topics = fields.array(|fields| {
        fields.int16()?; // error
        fields.string()?; // name
        fields.take(1)?; // is it internal
        fields.array(partition)
    })?;
    let mut partitions: Vec<_> = topics.into_iter().flatten().collect();
    partitions.sort_by_key(|partition| partition.index);
    Some(Metadata {
        brokers,
        partitions,
    })
}

fn partition(fields: &mut Fields<'_>) -> Option<Partition> {
    fields.int16()?; // error
    let index = fields.int32()?;
    let leader = fields.int32()?;
    fields.array(Fields::int32)?; // replicas
    let in_sync = fields.array(Fields::int32)?;
    Some(Partition {
        index,
        leader,
        in_sync,
    })
}

/// What is left of an answer.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(taken)
    }

    fn int16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn int32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A string, or nothing where it is null.
    fn string(&mut self) -> Option<&'a [u8]> {
        let size = self.int16()?.max(0);
        self.take(size as usize)
    }

    fn array<T>(&mut self, mut element: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.int32()?).map(|_| element(self)).collect()
    }
}
