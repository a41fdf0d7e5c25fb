//! A broker for measuring: `null-broker [PARTITIONS]` listens on a free port of 127.0.0.1, prints it, and serves until
//! its standard input ends.

use std::io;
use std::net::TcpListener;
use std::{env, process, thread};

use ottla_null_broker::{NullBroker, serve};

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
    // Whoever started it is gone, or wants it to end.
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    serve(&listener, NullBroker::new("127.0.0.1", port, partitions))
}
