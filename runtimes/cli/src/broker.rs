//! `ottla broker`: the embedded cluster for other programs, until a signal to end.

use std::{io, process::ExitCode};

use ottla_sim::Cluster;
use tokio::runtime;

use crate::{Failure, args::Broker, interrupt::Interrupt, output};

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
        output::print(&format!("listening on {}\n", cluster.bootstrap_servers()))?;
        interrupt.came().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn start(args: &Broker) -> Result<Cluster, Failure> {
    let cluster = Cluster::builder()
        .listen(&args.listen)
        .brokers(args.brokers)
        .partitions(args.partitions.cast_signed());
    // The error names the address.
    cluster.start().map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Failure::usage(format!("--listen {error}")),
        _ => Failure::failed(format!("can't listen on {error}")),
    })
}
