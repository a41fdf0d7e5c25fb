//! A broker for measuring: `null-broker [PARTITIONS]` listens on a free port of 127.0.0.1, prints it, and serves until
//! its standard input ends. Then it prints how many records, batches and bytes in batches it was sent.

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, process, thread};

use ottla_null_broker::{NullBroker, Taken, serve};

fn main() -> io::Result<()> {
    let partitions = match env::args().nth(1).map(|word| word.parse::<i32>()) {
        None => 6,
        Some(Ok(partitions @ 1..)) => partitions,
        Some(_) => {
            eprintln!("null-broker takes a number of partitions, at least 1");
            process::exit(2);
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    println!("{port}");
    let broker = Arc::new(Mutex::new(NullBroker::new("127.0.0.1", port, partitions)));
    let served = Arc::clone(&broker);
    // Whoever started it is gone, or wants it to end.
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let taken = served
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .taken();
        let Taken {
            records,
            batches,
            bytes,
        } = taken;
        // Not everybody reads it.
        let _ = writeln!(io::stdout(), "{records} {batches} {bytes}");
        process::exit(0);
    });
    serve(&listener, &broker)
}
