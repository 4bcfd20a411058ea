//! Hostile clients cost memory for what they send, not for what they announce. Each test runs in
//! its own process, which holds the server and its clients.

use std::fs;

use super::alone::alone;
use super::app::Plain;
use super::catalogue::{covers, test_path};
use super::frames::{BINARY, CONTINUATION, PING, PONG, TEXT, frame, long, part};
use super::peer::{Peer, upgrade};
use super::server::Server;
use crate::rt::{Config, Exclude, Frame, Presence, Rates, SendError, Wire};

covers! {
    a_declared_length_costs_nothing_before_it_comes:
        "F9", "16 MiB declared and 1 KiB sent by each of 200, then silence" => "less than 16 MiB for all";
        "CVE-2022-35922", "3.1 GiB declared, 200 KiB sent" => "less than 16 MiB";
    fragments_cost_what_they_carry:
        "F11", "1 023 fragments of 1 byte by each of 100" => "less than 16 MiB for all";
        "F12", "one fragment less than the limit, parked by each of 100" =>
            "less than 16 MiB for all, and given back at the end";
        "CVE-2026-48779", "102 300 fragments of 1 byte" => "less than 16 MiB";
    a_broadcast_to_stalled_members_is_in_memory_once:
        "L11", "64 KiB to 100 stalled members, until 128 MiB are queued" => "less than 64 MiB";
        "CVE-2020-35896", "the same until each is over its bound" => "4101, and less than 64 MiB";
}

const MIB: usize = 1 << 20;

/// The resident and virtual memory of this process, where the system reports it (Linux).
#[derive(Clone, Copy)]
struct Memory {
    resident: usize,
    addresses: usize,
}

impl Memory {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: usize = line.trim().trim_end_matches(" kB").parse().ok()?;
            Some(kib << 10)
        };
        Self {
            resident: figure("VmRSS:").unwrap_or_default(),
            addresses: figure("VmSize:").unwrap_or_default(),
        }
    }

    /// Asserts that memory grew by less than `bytes`. Address space that is never written is cheap,
    /// but not free.
    fn assert_grew_less(self, bytes: usize) {
        let now = Self::now();
        let resident = now.resident.saturating_sub(self.resident);
        let addresses = now.addresses.saturating_sub(self.addresses);
        assert!(
            resident < bytes && addresses < 512 * MIB,
            "{resident}, {addresses}"
        );
    }
}

fn patient() -> Config {
    let mut config = Config {
        wire: Wire::Raw,
        rates: Rates::unlimited(),
        presence: Presence {
            enabled: false,
            ..Presence::default()
        },
        ..Config::default()
    };
    config.limits.per_ip = 1_000;
    config.limits.message_bytes = 16 * MIB;
    config.limits.unfinished_bytes = 1 << 40;
    config
}

/// Each client sends `bytes` and a ping, whose answer proves that they were read; all of them
/// together cost less than 16 MiB.
fn cheap(server: &Server, clients: usize, bytes: &[u8]) {
    let mut peers: Vec<Peer> = (0..clients).map(|_| server.client("/ws")).collect();
    server.until_connected(clients);
    let before = Memory::now();
    for peer in &mut peers {
        peer.send(bytes);
    }
    for peer in &mut peers {
        let pong = peer.try_frame().expect("a pong");
        assert_eq!((pong.first, &*pong.payload), (0x80 | PONG, &b"read"[..]));
    }
    before.assert_grew_less(16 * MIB);
    drop(peers);
    server.until_empty();
}

#[test]
fn a_declared_length_costs_nothing_before_it_comes() {
    let test = test_path!(a_declared_length_costs_nothing_before_it_comes);
    alone(test, "ulimit -n 1024 &&", || {
        let server = Server::start(patient(), Plain::default());
        let declared = long(0x80 | BINARY, 16 * MIB as u64, &[7; 1_024]);
        let bytes = [frame(PING, b"read"), declared].concat();
        cheap(&server, 200, &bytes);
    });
}

#[test]
fn fragments_cost_what_they_carry() {
    let test = test_path!(fragments_cost_what_they_carry);
    alone(test, "ulimit -n 1024 &&", || {
        let server = Server::start(patient(), Plain::default());
        let fragments = part(CONTINUATION, b"x").repeat(1_022);
        let bytes = [part(TEXT, b"x"), fragments, frame(PING, b"read")].concat();
        cheap(&server, 100, &bytes);
    });
}

#[test]
fn a_broadcast_to_stalled_members_is_in_memory_once() {
    let test = test_path!(a_broadcast_to_stalled_members_is_in_memory_once);
    alone(test, "ulimit -n 1024 &&", || {
        let mut config = patient();
        config.limits.queue_bytes = 4 * MIB;
        config.limits.queued_bytes = 1 << 40;
        let server = Server::start(config, Plain::default());
        let mut peers: Vec<Peer> = (0..100)
            .map(|_| {
                let mut peer = Peer::connect_narrow(server.address);
                peer.send(&upgrade("/ws/blue", &[]));
                assert_eq!(peer.head().status, 101);
                peer
            })
            .collect();
        server.until_connected(100);
        let before = Memory::now();
        let send = || {
            let frame = Frame::binary(&vec![7; 64 << 10]);
            loop {
                let sent = server
                    .hub
                    .broadcast_raw("blue", frame.clone(), Exclude::NOBODY);
                if sent != Err(SendError::Busy) {
                    break sent.expect("sent");
                }
                std::thread::yield_now();
            }
        };
        // The network's buffers hold some of it too.
        while server.hub.stats().queued_bytes < 2 * MIB {
            assert_eq!(send().accepted, 100);
        }
        before.assert_grew_less(64 * MIB);
        for _ in 0..200 {
            send();
        }
        assert_eq!(server.closes("slow_consumer"), 100);
        before.assert_grew_less(64 * MIB);
        for peer in &mut peers {
            peer.finish();
        }
        drop(peers);
        server.until_empty();
    });
}
