//! A hub that outlives its runtimes.

use std::net::{IpAddr, Ipv4Addr};

use super::app::Plain;
use super::peer::Peer;
use super::server::until;
use crate::rt::{self, Config, Hub, Runtime};

/// Serves a new port on this runtime.
fn serve_on(runtime: &Runtime, hub: &Hub) -> Peer {
    let listener = runtime.run(rt::bind());
    let address = listener.local_addr().expect("an address");
    let serve = rt::serve(listener, hub.clone().spawn_on(runtime.executor()));
    runtime.spawn(async move {
        let _ = serve.await;
    });
    Peer::connect(address)
}

#[test]
fn a_hub_that_outlives_its_runtime_is_served_by_the_next() {
    for threads in [1, 3] {
        let hub = Hub::new(Config::default(), Plain::default()).expect("a configuration");
        for _ in 0..2 {
            let runtime = Runtime::new(threads);
            let mut peers = vec![serve_on(&runtime, &hub).upgrade("/ws/blue", &[])];
            peers[0].expect("welcome");
            peers[0].roundtrip();
            let mut late = serve_on(&runtime, &hub);
            drop(runtime);
            // The socket is not read any more, so the connection must end.
            until(
                "it has ended with its runtime",
                || hub.stats().total_connections + hub.stats().pending_handshakes == 0,
                || hub.stats(),
            );
            peers.remove(0).rest();
            let _ = late.try_send(b"?");
            late.rest();
            assert_eq!(hub.audit(), Ok(()));
        }
    }
}

#[test]
fn a_stream_is_taken_outside_of_the_runtime_and_refused_once_that_has_ended() {
    let hub = Hub::new(Config::default(), Plain::default()).expect("a configuration");
    let runtime = Runtime::new(1);
    let there = hub.clone().spawn_on(runtime.executor());
    serve_on(&runtime, &hub).upgrade("/ws/blue", &[]).leave();
    let bring = |hub: &Hub| {
        let (near, far) = rt::pipe(100);
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        (hub.accept_stream(near, peer, Vec::new()), far)
    };
    let (taken, _far) = bring(&hub);
    assert!(taken.is_ok(), "{taken:?}");
    drop(runtime);
    until("it is refused", || bring(&there).0.is_err(), || hub.stats());
}
