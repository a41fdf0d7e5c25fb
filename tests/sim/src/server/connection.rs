//! One connection: a thread that reads a request, asks the model and writes the answer.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::broker::Stop;
use super::{Shared, frame};
use crate::Answer;

/// How often a connection looks whether an answer that has to wait is there.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Serves requests until either side closes the connection.
pub(crate) fn serve(
    stream: &TcpStream,
    broker: i32,
    connection: u64,
    shared: &Arc<Shared>,
    stop: &Stop,
) {
    // An error is the peer's leaving or its nonsense: a broker closes the connection and goes on.
    shared.note_host(stream, broker, connection);
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
        let mut answer = shared.with_model(|model| model.handle(now, broker, connection, request));
        while answer == Answer::Waits {
            if stop.wait(LOOK_AGAIN) {
                return Ok(());
            }
            let now = shared.start.elapsed();
            answer = shared.with_model(|model| {
                let found = model.poll_answer_on(now, broker, connection);
                found.unwrap_or(match model.waits(broker, connection) {
                    true => Answer::Waits,
                    false => Answer::Silence,
                })
            });
        }
        match answer {
            Answer::Reply(frame) => stream.write_all(&frame)?,
            Answer::Later { due, frame } => {
                if stop.wait(due.saturating_sub(shared.start.elapsed())) {
                    return Ok(());
                }
                stream.write_all(&frame)?;
            }
            Answer::Silence | Answer::Waits => {}
            Answer::Disconnect => return Ok(()),
        }
    }
    Ok(())
}
