//! An adapter for a loop and a transport of one's own: a cluster in memory, no sockets, no runtime.
//!
//!     cargo run --example in_memory

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use std::{future::ready, pin::Pin};

use ottla::driver::{Driver, Pending, Runtime, Stream};
use ottla::{Config, Record};
use ottla_sim::{Answer, Model};

/// The network: every name is the cluster's, and every connection leads to its one broker.
struct Memory(Arc<Mutex<Model>>);

impl Runtime for Memory {
    type Stream = Link;

    fn resolve(&mut self, _: &str, port: u16) -> Pending<Vec<SocketAddr>> {
        Box::pin(ready(Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])))
    }

    fn connect(&mut self, _: SocketAddr, _: &Config) -> Pending<Link> {
        let model = Arc::clone(&self.0);
        Box::pin(ready(Ok(Link(model, Vec::new(), Vec::new(), None))))
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        // This loop has nothing else to do, so it asks again instead of sleeping.
        cx.waker().wake_by_ref();
        if Instant::now() < until {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

/// A connection: requests on their way, answers on their way, and who waits for these.
struct Link(Arc<Mutex<Model>>, Vec<u8>, Vec<u8>, Option<Waker>);

impl Stream for Link {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self(_, _, answers, reader) = self;
        if answers.is_empty() {
            *reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = answers.len().min(buffer.len());
        buffer[..count].copy_from_slice(&answers[..count]);
        answers.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, from: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Self(model, requests, answers, reader) = self;
        let before = requests.len();
        requests.extend(from.iter().flat_map(|slice| slice.iter()));
        let written = requests.len() - before;
        while let Some((length, rest)) = requests.split_first_chunk() {
            let length = i32::from_be_bytes(*length) as usize;
            let Some(request) = rest.get(..length) else {
                break;
            };
            let mut model = model.lock().unwrap();
            if let Answer::Reply(answer) = model.handle(Duration::ZERO, 1, 0, request) {
                answers.extend_from_slice(&answer);
                reader.take().inspect(Waker::wake_by_ref);
            }
            requests.drain(..4 + length);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Arc::new(Mutex::new(Model::new(1, 7)));
    let config = Config::builder()
        .bootstrap_servers("broker-1:9092")
        .build()?;
    let (producer, mut driver) = Driver::new(config, Memory(model))?;
    let looping = std::thread::spawn(move || {
        let cx = &mut Context::from_waker(Waker::noop());
        while Pin::new(&mut driver).poll(cx).is_pending() {}
    });
    let delivery = producer.send_blocking(Record::to("letters").value("Dear Ottla"))?;
    println!("offset {:?}", delivery.wait()?.offset);
    drop(producer);
    looping.join().map_err(|_| "the loop panicked")?;
    Ok(())
}
