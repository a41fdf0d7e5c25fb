//! The cluster over real sockets.

mod common;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use common::*;
use kafka_protocol::messages::{FetchRequest, MetadataResponse, ProduceResponse};
use ottla_sim::{Api, Cluster, Fault, Model, On, Port, code};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// Longer than any test.
const AGES: Duration = Duration::from_secs(3_600);

/// A raw client: frames, and nothing else.
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Client(stream)
    }

    fn write(&mut self, request: &Bytes) {
        self.0.write_all(&framed(request)).unwrap();
    }

    /// The next frame, its length in front.
    fn read(&mut self) -> io::Result<Bytes> {
        let mut head = [0; 4];
        self.0.read_exact(&mut head)?;
        let mut frame = BytesMut::zeroed(4 + u32::from_be_bytes(head) as usize);
        frame[..4].copy_from_slice(&head);
        self.0.read_exact(&mut frame[4..])?;
        Ok(frame.freeze())
    }

    /// Waits for the end of the stream, which is a reset where the broker had not read everything.
    fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

fn framed(request: &Bytes) -> Vec<u8> {
    [&(request.len() as u32).to_be_bytes()[..], request].concat()
}

fn produce_request(correlation: i32, sequence: i32) -> Bytes {
    produce_request_of(9, correlation, sequence)
}

fn produce_request_of(producer: i64, correlation: i32, sequence: i32) -> Bytes {
    let batch = batch(
        stamp(producer, 0, sequence),
        &[value(&format!("{producer}-{sequence}"))],
    );
    let body = produce(-1, &[("t", 0, batch)]).with_timeout_ms(AGES.as_millis() as i32);
    request(PRODUCE, 12, correlation, &body)
}

fn base_offset(frame: Bytes, correlation: i32) -> i64 {
    let response: ProduceResponse = response(frame, 12, correlation);
    let partition = &response.responses[0].partition_responses[0];
    assert_eq!(partition.error_code, code::NONE);
    partition.base_offset
}

/// Waits until something is true of the model.
fn until(cluster: &Cluster, what: impl Fn(&Model) -> bool) {
    let start = Instant::now();
    while !cluster.with_model(|model| what(model)) {
        assert!(start.elapsed() < LIMIT, "it never comes to that");
        thread::yield_now();
    }
}

/// Drops a cluster, whose end waits for nobody.
fn drop_at_once(cluster: Cluster) {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        drop(cluster);
        tell.send(()).unwrap();
    });
    told.recv_timeout(LIMIT).expect("the cluster's end hangs");
}

fn started() -> (Cluster, SocketAddr) {
    let cluster = Cluster::start(3).unwrap();
    cluster.with_model(|model| model.create_topic("t", 1));
    let first = cluster.addresses()[0];
    (cluster, first)
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (cluster, address) = started();
    cluster.with_model(|model| {
        model.inject(On::produce("t", 0), Fault::Delay(Duration::from_millis(50)))
    });
    let mut client = Client::connect(address);
    let all: Vec<u8> = (0..20)
        .flat_map(|n| framed(&produce_request(n, n)))
        .collect();
    client.0.write_all(&all).unwrap();
    for n in 0..20 {
        assert_eq!(base_offset(client.read().unwrap(), n), i64::from(n));
    }
    cluster.with_model(|model| assert_eq!(model.high_watermark("t", 0), 20));
}

#[test]
fn answers_wait_for_followers_and_paused_brokers() {
    let (cluster, address) = started();
    cluster.with_model(|model| model.set_replication_lag("t", 0, AGES));
    let mut client = Client::connect(address);
    client.write(&produce_request(1, 0));
    until(&cluster, |model| model.waits(1, 0));
    cluster.with_model(|model| {
        assert_eq!(
            (model.high_watermark("t", 0), model.log_end("t", 0)),
            (0, 1)
        );
        model.set_replication_lag("t", 0, Duration::ZERO);
    });
    assert_eq!(base_offset(client.read().unwrap(), 1), 0);

    cluster.with_model(|model| model.pause_broker(1));
    client.write(&produce_request(2, 1));
    until(&cluster, |model| model.waits(1, 0));
    cluster.with_model(|model| {
        assert_eq!(model.log_end("t", 0), 1, "the broker does nothing");
        model.resume_broker(1);
    });
    assert_eq!(base_offset(client.read().unwrap(), 2), 1);
}

#[test]
fn metadata_names_the_real_addresses() {
    let (cluster, address) = started();
    let mut client = Client::connect(address);
    client.write(&request(METADATA, 12, 1, &metadata_request("t")));
    let response: MetadataResponse = response(client.read().unwrap(), 12, 1);
    let told: Vec<String> = response
        .brokers
        .iter()
        .map(|broker| format!("{}:{}", broker.host, broker.port))
        .collect();
    let listening: Vec<String> = cluster
        .addresses()
        .iter()
        .map(SocketAddr::to_string)
        .collect();
    assert_eq!(told, listening);
    assert_eq!(cluster.bootstrap_servers(), listening.join(","));
}

#[test]
fn two_clients_work_at_once() {
    let (cluster, address) = started();
    let work = |producer: i64| {
        let mut client = Client::connect(address);
        let offsets: Vec<i64> = (0..200)
            .map(|n| {
                client.write(&produce_request_of(producer, n, n));
                base_offset(client.read().unwrap(), n)
            })
            .collect();
        assert!(offsets.is_sorted());
    };
    thread::scope(|scope| {
        scope.spawn(|| work(1));
        scope.spawn(|| work(2));
    });
    cluster.with_model(|model| {
        assert_eq!(model.log("t", 0).count(), 400);
        assert_eq!(model.violations(), [] as [&str; 0]);
    });
}

#[test]
fn a_waiting_fetch_holds_up_nobody_else() {
    let (cluster, address) = started();
    cluster.with_model(|model| model.inject(On::Fetch, Fault::Delay(AGES)));
    let mut reader = Client::connect(address);
    reader.write(&request(FETCH, 12, 1, &FetchRequest::default()));
    until(&cluster, |model| model.requests(Api::Fetch) == 1);
    let mut writer = Client::connect(address);
    writer.write(&produce_request(1, 0));
    assert_eq!(base_offset(writer.read().unwrap(), 1), 0);
    drop_at_once(cluster);
}

#[test]
fn frames_that_no_broker_takes_close_the_connection() {
    let (_cluster, address) = started();
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 8],
        &[0, 0, 0, 0],
        &[0, 0, 0, 2, 0, 3],
        &[6, 64, 0, 1],
    ] {
        let mut client = Client::connect(address);
        client.0.write_all(bytes).unwrap();
        assert!(client.is_closed(), "{bytes:?}");
    }
    let mut client = Client::connect(address);
    client.write(&produce_request(1, 0));
    assert_eq!(
        base_offset(client.read().unwrap(), 1),
        0,
        "the broker lives on"
    );
}

#[test]
fn a_fault_closes_the_connection_after_the_append() {
    let (cluster, address) = started();
    cluster.with_model(|model| model.inject(On::produce("t", 0), Fault::AppendThenDisconnect));
    let mut client = Client::connect(address);
    client.write(&produce_request(1, 0));
    assert!(client.is_closed());
    let mut client = Client::connect(address);
    client.write(&produce_request(2, 0));
    assert_eq!(base_offset(client.read().unwrap(), 2), 0);
    cluster.with_model(|model| assert_eq!(model.high_watermark("t", 0), 1));
}

#[test]
fn a_broker_stops_and_starts_again_on_its_port() {
    let (cluster, address) = started();
    let mut client = Client::connect(address);
    client.write(&produce_request(1, 0));
    client.read().unwrap();
    cluster.stop_broker(1);
    cluster.stop_broker(1);
    assert!(client.is_closed());
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(cluster.with_model(|model| model.leader("t", 0)), Some(2));

    cluster.start_broker(1).unwrap();
    cluster.start_broker(1).unwrap();
    cluster.with_model(|model| model.move_leader("t", 0, 1));
    let mut client = Client::connect(address);
    client.write(&produce_request(2, 1));
    assert_eq!(base_offset(client.read().unwrap(), 2), 1);
}

#[test]
fn dropping_a_cluster_closes_what_is_open_and_frees_its_ports() {
    // Nobody else gets the port between the first cluster and the second.
    let port = Port::new().unwrap();
    let address = port.address();
    let listening = || Cluster::builder().listen(&address.to_string()).start();
    let cluster = listening().unwrap();
    cluster.with_model(|model| model.create_topic("t", 1));
    let mut idle = Client::connect(address);
    let mut half = Client::connect(address);
    half.0.write_all(&[0, 0, 1]).unwrap();
    let mut hung = Client::connect(address);
    cluster.with_model(|model| model.inject(On::produce("t", 0), Fault::Silence));
    hung.write(&produce_request(1, 0));
    until(&cluster, |model| model.requests(Api::Produce) == 1);
    drop_at_once(cluster);
    assert!(idle.is_closed() && half.is_closed() && hung.is_closed());
    assert_eq!(listening().unwrap().addresses(), [address]);
}

#[test]
fn brokers_take_consecutive_ports_from_the_one_given() {
    let held = three_ports();
    let addresses = held.each_ref().map(Port::address);
    let cluster = Cluster::builder()
        .brokers(3)
        .listen(&addresses[0].to_string())
        .start()
        .unwrap();
    assert_eq!(cluster.addresses(), addresses);
}

/// Three ports in a row on which nobody listens: below those that the system gives to who asks for any, and others in each
/// process.
fn three_ports() -> [Port; 3] {
    let port = |number: u16| Port::at(([127, 0, 0, 1], number).into()).ok();
    let three = |n: u32| {
        let first = 10_000 + ((process::id() + n) % 6_000) as u16 * 3;
        Some([port(first)?, port(first + 1)?, port(first + 2)?])
    };
    (0..100).find_map(three).expect("some are free")
}

#[test]
fn wrong_addresses_are_named() {
    let taken = Cluster::start(1).unwrap();
    let address = taken.bootstrap_servers();
    for listen in [address.as_str(), "nonsense", "127.0.0.1:99999"] {
        let error = Cluster::builder().listen(listen).start().unwrap_err();
        assert!(error.to_string().contains(listen), "{error}");
    }
    let error = Cluster::builder()
        .brokers(2)
        .listen("127.0.0.1:65535")
        .start()
        .unwrap_err();
    assert!(error.to_string().contains("65535"), "{error}");
}

#[test]
fn the_builder_s_settings_hold() {
    let cluster = Cluster::builder()
        .brokers(2)
        .partitions(5)
        .advertise("localhost", None)
        .start()
        .unwrap();
    assert!(cluster.bootstrap_servers().starts_with("localhost:"));
    let mut client = Client::connect(cluster.addresses()[1]);
    client.write(&request(METADATA, 12, 1, &metadata_request("new")));
    let response: MetadataResponse = response(client.read().unwrap(), 12, 1);
    assert_eq!(
        (response.topics[0].partitions.len(), response.brokers.len()),
        (5, 2)
    );
}

/// The brokers' hosts and ports as a client is told them that connects there.
fn told(address: SocketAddr) -> Vec<String> {
    let mut client = Client::connect(address);
    client.write(&request(METADATA, 12, 1, &metadata_request("t")));
    let response: MetadataResponse = response(client.read().unwrap(), 12, 1);
    let brokers = response.brokers.iter();
    brokers
        .map(|broker| format!("{} {}", &*broker.host, broker.port))
        .collect()
}

/// The same host on the ports of all brokers.
fn at_all_ports(host: &str, cluster: &Cluster) -> Vec<String> {
    let addresses = cluster.addresses();
    let ports = addresses.iter().map(SocketAddr::port);
    ports.map(|port| format!("{host} {port}")).collect()
}

#[test]
fn brokers_on_all_interfaces_tell_each_client_the_host_it_came_to() {
    let builder = Cluster::builder().brokers(2).listen("0.0.0.0:0");
    let cluster = builder.start().unwrap();
    for host in ["127.0.0.1", "127.0.0.2"] {
        let port = cluster.addresses()[1].port();
        let address = SocketAddr::new(host.parse().unwrap(), port);
        assert_eq!(told(address), at_all_ports(host, &cluster));
    }
    assert!(cluster.bootstrap_servers().starts_with("127.0.0.1:"));
}

#[test]
fn a_hint_names_the_leader_at_the_host_the_client_came_to() {
    let builder = Cluster::builder().brokers(2).listen("0.0.0.0:0");
    let cluster = builder.start().unwrap();
    cluster.with_model(|model| model.create_topic("t", 1));
    cluster.with_model(|model| model.move_leader("t", 0, 2));
    let address = SocketAddr::new([127, 0, 0, 2].into(), cluster.addresses()[0].port());
    let mut client = Client::connect(address);
    client.write(&produce_request(1, 0));
    let response: ProduceResponse = response(client.read().unwrap(), 12, 1);
    let endpoint = &response.node_endpoints[0];
    assert_eq!((endpoint.node_id.0, &*endpoint.host), (2, "127.0.0.2"));
}

#[test]
fn brokers_on_all_interfaces_of_ipv6_know_both_kinds_of_address() {
    // A machine without IPv6 has nothing to show.
    let Ok(cluster) = Cluster::builder().listen("[::]:0").start() else {
        return;
    };
    let port = cluster.addresses()[0].port();
    for host in ["::1", "127.0.0.1"] {
        let address = SocketAddr::new(host.parse().unwrap(), port);
        // Some systems keep the two kinds apart.
        if TcpStream::connect(address).is_ok() {
            assert_eq!(told(address), [format!("{host} {port}")]);
        }
    }
}

#[test]
fn what_is_advertised_is_told_to_everybody() {
    let builder = Cluster::builder().brokers(2).listen("0.0.0.0:0");
    let cluster = builder
        .clone()
        .advertise("kafka.example", None)
        .start()
        .unwrap();
    let address = SocketAddr::new([127, 0, 0, 2].into(), cluster.addresses()[0].port());
    assert_eq!(told(address), at_all_ports("kafka.example", &cluster));

    let cluster = builder.clone().advertise("::1", Some(9)).start().unwrap();
    assert_eq!(cluster.bootstrap_servers(), "[::1]:9,[::1]:10");
    let address = SocketAddr::new([127, 0, 0, 1].into(), cluster.addresses()[0].port());
    assert_eq!(told(address), ["::1 9", "::1 10"]);

    let error = builder.advertise("kafka.example", Some(65_535)).start();
    let error = error.unwrap_err().to_string();
    assert_eq!(
        error,
        "advertised kafka.example:65535: no port is left for broker 2"
    );
}

#[test]
fn a_broker_takes_batches_as_long_as_it_is_told() {
    let long = Item {
        value: Some(vec![b'x'; 3_000_000].into()),
        timestamp: 1_000,
        ..Item::default()
    };
    let long = batch(UNSTAMPED, &[long]);
    for (limit, expected) in [
        (None, code::MESSAGE_TOO_LARGE),
        (Some(long.len() - 1), code::MESSAGE_TOO_LARGE),
        (Some(long.len()), code::NONE),
    ] {
        let builder = Cluster::builder();
        let builder = match limit {
            Some(bytes) => builder.max_message_bytes(bytes),
            None => builder,
        };
        let cluster = builder.start().unwrap();
        cluster.with_model(|model| model.create_topic("t", 1));
        let mut client = Client::connect(cluster.addresses()[0]);
        let produce = produce(-1, &[("t", 0, long.clone())]);
        client.write(&request(PRODUCE, 12, 1, &produce));
        let response: ProduceResponse = response(client.read().unwrap(), 12, 1);
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, expected, "{limit:?}");
    }
}
