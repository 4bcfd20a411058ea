//! One program with both runtimes.

use std::net::{IpAddr, Ipv4Addr};

use smol::io::{AsyncReadExt, AsyncWriteExt};
use switchboard_smol::{Application, Config};
use switchboard_tokio::Hub;

struct Nothing;

impl Application for Nothing {}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n";

fn hub() -> Hub {
    Hub::new(Config::default(), Nothing).expect("a good configuration")
}

#[test]
fn a_hub_runs_on_the_runtime_that_its_stream_belongs_to() {
    let hub_of_tokio = hub();
    let tokio = tokio::runtime::Runtime::new().expect("a runtime");
    let (near, mut far) = tokio::io::duplex(1_000);
    let answer = tokio.block_on(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let taken = hub_of_tokio.accept_stream(near, PEER, Vec::new());
        taken.expect("a runtime");
        far.write_all(REQUEST).await.expect("written");
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.expect("an answer");
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");

    let hub_of_smol = hub();
    let answer = smol::block_on(async {
        let listener = smol::net::TcpListener::bind((PEER, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut far = smol::net::TcpStream::connect(address).await.expect("there");
        let (near, _) = listener.accept().await.expect("a stream");
        let taken = hub_of_smol.accept_stream(near, PEER, Vec::new());
        taken.expect("a runtime");
        far.write_all(REQUEST).await.expect("written");
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.expect("an answer");
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[test]
fn both_crates_have_the_types_of_what_a_hub_is_configured_with_and_returns() {
    let config = Config {
        recorder: switchboard_tokio::FlightRecorder { bytes: 1 << 20 },
        ..Config::default()
    };
    let hub = Hub::new(config, Nothing).expect("a good configuration");
    let dump: Option<switchboard_tokio::Dump> = hub.dump();
    assert!(dump.is_some());
    let cluster: Option<switchboard_tokio::ClusterStats> = hub.cluster_stats();
    assert!(cluster.is_none());

    let recorder = switchboard_smol::FlightRecorder::default();
    assert_eq!(recorder, Config::default().recorder);
    let _: Option<switchboard_smol::Dump> = hub.dump();
    let _: Option<switchboard_smol::ClusterStats> = hub.cluster_stats();
}
