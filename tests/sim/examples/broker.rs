//! Serves the model cluster until it is killed: `broker [HOST:PORT [BROKERS [PARTITIONS]]]`.

use ottla_sim::Cluster;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let listen = words.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let brokers = words.next().map_or(Ok(1), |word| word.parse())?;
    let partitions = words.next().map_or(Ok(1), |word| word.parse())?;
    let cluster = Cluster::builder()
        .listen(&listen)
        .brokers(brokers)
        .partitions(partitions)
        .start()?;
    println!("listening on {}", cluster.bootstrap_servers());
    loop {
        std::thread::park();
    }
}
