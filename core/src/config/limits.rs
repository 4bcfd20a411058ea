//! Limits on sizes and counts.

use serde::{Deserialize, Serialize};

/// Limits on sizes and counts. Each must be at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Admitted connections (10 000).
    pub connections: usize,
    /// Connections that are not admitted yet, or that are refused and not closed yet (1 000). The same
    /// number of further connections can be told that there is no seat, and the same number can wait
    /// for a page or read it.
    ///
    /// Once half of these seats are taken, one address may hold at most a tenth of them, but at
    /// least 20, including its pages and refusals; further connections of that address are dropped.
    /// With 20 seats or fewer, one address can take them all.
    pub handshakes: usize,
    /// Connections of one address: an IPv4 address or an IPv6 /64 network (100). A refused one
    /// counts until it is gone.
    pub per_ip: usize,
    /// Connections in one room (1 000). Rooms can have another limit ([`RoomRule`](super::RoomRule)).
    pub room_members: usize,
    /// Rooms of one connection (100).
    pub rooms_per_connection: usize,
    /// Rooms of the node (100 000). Once half of them exist, the clients of one address create no
    /// more while it holds a tenth of them, at least 20 (an IPv6 /56: two tenths, a /48: three).
    pub rooms: usize,
    /// Bytes of the name of a user or a room (128).
    pub name_bytes: usize,
    /// Bytes of one message from a client (64 KiB).
    pub message_bytes: usize,
    /// Fragments of one message from a client (1 024).
    pub fragments: usize,
    /// Bytes of unfinished messages over all connections (64 MiB). Messages that wait for hooks may
    /// take the same amount again; beyond it, connections whose hooks are busy are not read.
    pub unfinished_bytes: usize,
    /// Bytes that a member may lag behind in a room, and bytes of a connection's own frames: answers,
    /// notices, direct messages (1 MiB). Doubled while the writers have not served the connection yet.
    /// With the JSON protocol it must hold the first messages to a new connection: at least 400 plus
    /// four times `name_bytes`, with event streams 650 instead of 400.
    pub queue_bytes: usize,
    /// Messages that a member may lag behind in a room, and messages among a connection's own frames (1
    /// 024). Doubled while the writers have not served the connection yet. With the JSON protocol at
    /// least 2.
    pub queue_messages: usize,
    /// Unsent bytes of one connection in the kernel, in addition to its queue (64 KiB). With a small
    /// limit, slow readers are detected early and receive recent messages, and pings do not wait behind
    /// much data. Bytes in flight do not count. Applies on Linux to TCP streams that the hub itself
    /// reads and writes.
    pub unsent_bytes: usize,
    /// Bytes of memory of all frames that wait; one that waits for many connections counts once
    /// (256 MiB). Above it, connections whose sockets do not take bytes are closed (4101), those that
    /// hold back the most first. Where that would not help, publishers wait, and sends of the
    /// application are refused with [`SendError::Busy`](crate::SendError::Busy).
    pub queued_bytes: usize,
    /// Connections that are closing but not gone (1 000).
    pub closing: usize,
    /// Bytes of a connection's own frames above which reading from it pauses; `None` (the default) never
    /// pauses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_reading: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshakes: 1_000,
            per_ip: 100,
            room_members: 1_000,
            rooms_per_connection: 100,
            rooms: 100_000,
            name_bytes: 128,
            message_bytes: 64 << 10,
            fragments: 1_024,
            unfinished_bytes: 64 << 20,
            queue_bytes: 1 << 20,
            queue_messages: 1_024,
            unsent_bytes: 64 << 10,
            queued_bytes: 256 << 20,
            closing: 1_000,
            pause_reading: None,
        }
    }
}
