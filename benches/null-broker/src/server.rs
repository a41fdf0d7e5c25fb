//! The broker on sockets: a thread for each connection.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::{Bytes, BytesMut};

use crate::{NullBroker, invalid};

/// A request that is longer ends its connection, as Kafka's `socket.request.max.bytes` does.
const LONGEST: usize = 100 << 20;

/// Serves everybody who connects, until the process ends.
///
/// # Errors
///
/// If the system takes no more connections or threads. What goes wrong on one connection ends that one only.
pub fn serve(listener: &TcpListener, broker: &Arc<Mutex<NullBroker>>) -> io::Result<()> {
    for stream in listener.incoming() {
        let (stream, broker) = (stream?, Arc::clone(broker));
        thread::Builder::new().spawn(move || {
            if let Err(error) = converse(&stream, &broker)
                && error.kind() == io::ErrorKind::InvalidData
            {
                eprintln!("null-broker: {error}");
            }
        })?;
    }
    Ok(())
}

fn converse(stream: &TcpStream, broker: &Mutex<NullBroker>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::with_capacity(64 << 10, stream);
    let mut spare = BytesMut::new();
    loop {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Err(invalid(format!("a request of {length} bytes")));
        }
        // Its old contents stay where they are: the read is over them.
        spare.resize(length, 0);
        input.read_exact(&mut spare)?;
        let request = spare.freeze();
        let answer = answer(broker, request.clone())?;
        // Nobody else holds it any more.
        spare = request.try_into_mut().unwrap_or_default();
        if let Some(answer) = answer {
            (&mut &*stream).write_all(&answer)?;
        }
    }
}

fn answer(broker: &Mutex<NullBroker>, request: Bytes) -> io::Result<Option<Bytes>> {
    let mut broker = broker.lock().unwrap_or_else(PoisonError::into_inner);
    broker.answer(request)
}
