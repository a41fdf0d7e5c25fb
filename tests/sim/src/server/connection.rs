//! One connection: a thread that reads a request, asks the model and writes the answer.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::broker::Stop;
use super::{Shared, frame};
use crate::Answer;

/// Serves requests until either side closes the connection.
pub(crate) fn serve(
    stream: &TcpStream,
    broker: i32,
    connection: u64,
    shared: &Arc<Shared>,
    stop: &Stop,
) {
    // An error is the peer's leaving or its nonsense: a broker closes the connection and goes on.
    let _ = converse(stream, broker, connection, shared, stop);
    let _ = stream.shutdown(std::net::Shutdown::Both);
    shared.with_model(|model| model.closed(broker, connection));
}

fn converse(
    mut stream: &TcpStream,
    broker: i32,
    connection: u64,
    shared: &Arc<Shared>,
    stop: &Stop,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::with_capacity(64 << 10, stream);
    while let Some(request) = frame::read(&mut requests)? {
        let now = shared.start.elapsed();
        match shared.with_model(|model| model.handle(now, broker, connection, request)) {
            Answer::Reply(frame) => stream.write_all(&frame)?,
            Answer::Later { due, frame } => {
                if stop.wait(due.saturating_sub(now)) {
                    return Ok(());
                }
                stream.write_all(&frame)?;
            }
            Answer::Silence => {}
            Answer::Disconnect => return Ok(()),
        }
    }
    Ok(())
}
