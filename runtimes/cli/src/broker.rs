//! `ottla broker`: the embedded cluster for other programs, until a signal to end.

use std::{io, net::SocketAddr, process::ExitCode};

use ottla_sim::Cluster;
use tokio::runtime;

use crate::{
    Failure,
    args::{Advertised, Broker},
    interrupt::Interrupt,
    output,
};

/// Serves until a signal to end, which is how this command is meant to end: exit code 0.
pub(crate) fn run(args: &Broker) -> Result<ExitCode, Failure> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("can't start: {e}")))?;
    runtime.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let cluster = start(args)?;
        output::print(&ready(args, &cluster))?;
        interrupt.came().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn start(args: &Broker) -> Result<Cluster, Failure> {
    let cluster = Cluster::builder()
        .listen(&args.listen)
        .brokers(args.brokers)
        .partitions(args.partitions.cast_signed())
        .max_message_bytes(args.max_message_bytes as usize);
    let cluster = match &args.advertise {
        Some(Advertised { host, port }) => {
            check_ports(args, *port)?;
            cluster.advertise(host, *port)
        }
        None => cluster,
    };
    // The error names the address.
    cluster.start().map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Failure::usage(format!("--listen {error}")),
        _ => Failure::failed(format!("can't listen on {error}")),
    })
}

/// Where the brokers listen, and what clients are told if that is something else.
fn ready(args: &Broker, cluster: &Cluster) -> String {
    let addresses = cluster.addresses();
    let listening: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let listening = listening.join(",");
    let told = cluster.bootstrap_servers();
    if args.advertise.is_none()
        && addresses
            .iter()
            .any(|address| address.ip().is_unspecified())
    {
        format!("listening on {listening}; each client is told the host it came to\n")
    } else if told == listening {
        format!("listening on {listening}\n")
    } else {
        format!("listening on {listening}; clients are told {told}\n")
    }
}

fn check_ports(args: &Broker, first: Option<u16>) -> Result<(), Failure> {
    match first {
        Some(first) if first.checked_add(args.brokers - 1).is_none() => {
            Err(Failure::usage(format!(
                "--advertise: {} brokers need as many ports, and {first} is too high for the first",
                args.brokers
            )))
        }
        _ => Ok(()),
    }
}
