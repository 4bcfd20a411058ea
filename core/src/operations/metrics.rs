//! The metrics of a node. docs/operations.md lists them, and a test compares.

use std::collections::BTreeMap;

use super::exposition::{Exposition, Format};
use super::reasons::{close_reasons, refusals};
use crate::{CloseReason, Recoveries, Stats};

/// Reasons for dropped messages beside those that end a connection.
const DROPS: [&str; 4] = ["drop_newest", "drop_oldest", "left", "volatile"];

pub(super) fn text(stats: &Stats, format: Format) -> String {
    let mut out = Exposition::new(format);
    node(&mut out, stats);
    connections(&mut out, stats);
    messages(&mut out, stats);
    histories(&mut out, stats);
    compression(&mut out, stats);
    cluster(&mut out, stats);
    out.finish()
}

fn node(out: &mut Exposition, stats: &Stats) {
    out.info(
        "build_info",
        "The version of Switchboard.",
        &[("version", env!("CARGO_PKG_VERSION"))],
    );
    out.gauge(
        "uptime_seconds",
        "Time since the node was created.",
        stats.uptime_s,
    );
    out.gauge(
        "draining",
        "1 once a drain has begun, otherwise 0.",
        u8::from(stats.draining),
    );
    out.gauge("rooms", "Rooms with members.", stats.active_rooms);
    out.gauge(
        "lobbies",
        "Rooms with a member that entered by its URL.",
        stats.active_lobbies,
    );
    out.gauge("users", "Users with a connection.", stats.users);
}

fn connections(out: &mut Exposition, stats: &Stats) {
    out.gauge(
        "connections",
        "Admitted connections.",
        stats.total_connections,
    );
    out.gauge(
        "connections_limit",
        "The limit on admitted connections.",
        stats.max_connections,
    );
    out.gauge(
        "connections_closing",
        "Connections that have ended and whose sockets are not closed yet.",
        stats.closing,
    );
    out.gauge(
        "handshakes",
        "Connections that are not admitted yet, or refused and not closed yet.",
        stats.pending_handshakes,
    );
    out.gauge(
        "disconnect_hooks",
        "Connections that have ended and whose hook on_disconnect has not returned.",
        stats.disconnecting,
    );
    out.counters("connections_opened", "Connections admitted.", |family| {
        let sockets = stats.opened - stats.opened_streams;
        family.count(&[("transport", "websocket")], sockets);
        family.count(&[("transport", "sse")], stats.opened_streams);
    });
    out.counters(
        "connections_closed",
        "Connections that ended, including those that were never admitted, by close code and reason.",
        |family| {
            for reason in close_reasons() {
                let (key, code) = (reason.as_str(), code(reason));
                let labels = [("code", &*code), ("reason", key)];
                let labels = &labels[usize::from(code.is_empty())..];
                family.count(labels, of(&stats.closes, key));
            }
        },
    );
    out.counters(
        "handshakes_rejected",
        "Connections refused, by reason.",
        |family| {
            for refused in refusals() {
                let key = refused.as_str();
                family.count(&[("reason", key)], of(&stats.refused, key));
            }
        },
    );
    out.histogram(
        "ping_rtt_seconds",
        "Times from pings to their answers.",
        &stats.rtt,
    );
}

fn messages(out: &mut Exposition, stats: &Stats) {
    out.counter(
        "messages_received",
        "Messages received from clients.",
        stats.messages_in,
    );
    out.counter(
        "messages_sent",
        "Messages sent to clients, each copy counted.",
        stats.messages_out,
    );
    out.counter(
        "received_bytes",
        "Payload bytes of the messages received.",
        stats.bytes_in,
    );
    out.counter(
        "sent_bytes",
        "Bytes written to sockets: messages, control frames and HTTP responses.",
        stats.bytes_out,
    );
    out.counters(
        "messages_dropped",
        "Messages dropped instead of sent, by reason.",
        |family| {
            let ends = close_reasons().map(CloseReason::as_str);
            for reason in DROPS.into_iter().chain(ends) {
                family.count(&[("reason", reason)], of(&stats.dropped, reason));
            }
        },
    );
    out.gauge(
        "send_queue_bytes",
        "Memory of all queued frames in bytes; a frame that is queued for many connections counts once.",
        stats.queued_bytes,
    );
    out.histogram(
        "publish_fanout",
        "Connections that a message to a room was accepted for.",
        &stats.fanout,
    );
}

fn histories(out: &mut Exposition, stats: &Stats) {
    let history = &stats.history;
    out.gauge(
        "history_rooms",
        "Rooms that keep a history, with members or without.",
        history.rooms,
    );
    out.gauge(
        "history_messages",
        "Messages in the histories of rooms.",
        history.messages,
    );
    out.gauge(
        "history_bytes",
        "Bytes of these messages, as counted against the limits.",
        history.bytes,
    );
    out.gauge(
        "members_lagging",
        "Members that are catching up.",
        stats.lagging,
    );
    out.counters("recoveries", "Outcomes of recoveries.", |family| {
        let Recoveries {
            ok,
            gone,
            epoch,
            ahead,
        } = stats.recoveries;
        let results = [
            ("ok", ok),
            ("gone", gone),
            ("epoch", epoch),
            ("ahead", ahead),
        ];
        for (result, count) in results {
            family.count(&[("result", result)], count);
        }
    });
}

fn compression(out: &mut Exposition, stats: &Stats) {
    let (compressed, inflated) = (&stats.compressed, &stats.inflated);
    out.gauge(
        "connections_inflating",
        "Connections that can inflate messages.",
        compressed.connections,
    );
    out.counter(
        "messages_compressed",
        "Messages to rooms that were compressed, each counted once, whatever the number of members.",
        compressed.messages,
    );
    out.counter(
        "compression_input_bytes",
        "Bytes of these on the wire, without compression.",
        compressed.bytes_in,
    );
    out.counter(
        "compression_output_bytes",
        "Bytes of these on the wire, compressed.",
        compressed.bytes_out,
    );
    out.gauge(
        "compression_ratio",
        "Ratio of compressed to uncompressed bytes since the node was created; 0 before the first message.",
        compressed.bytes_out as f64 / compressed.bytes_in.max(1) as f64,
    );
    let contexts = &stats.contexts;
    out.gauge(
        "rooms_in_context",
        "Rooms whose messages are compressed one after another.",
        contexts.rooms,
    );
    out.counter(
        "messages_in_context",
        "Messages compressed in a context, each counted once, whatever the number of members.",
        contexts.messages,
    );
    out.counter(
        "context_input_bytes",
        "Bytes of these on the wire, without compression.",
        contexts.bytes_in,
    );
    out.counter(
        "context_output_bytes",
        "Bytes of these on the wire, compressed.",
        contexts.bytes_out,
    );
    out.counter(
        "messages_inflated",
        "Compressed messages of clients.",
        inflated.messages,
    );
    out.counter(
        "inflation_input_bytes",
        "Payload bytes of these as received.",
        inflated.bytes_in,
    );
    out.counter(
        "inflation_output_bytes",
        "Bytes of their inflated content.",
        inflated.bytes_out,
    );
}

/// What the node knows of its cluster; nothing without one.
fn cluster(out: &mut Exposition, stats: &Stats) {
    let Some(cluster) = &stats.cluster else {
        return;
    };
    out.gauge(
        "cluster_up",
        "1 while the broker of the cluster responds, otherwise 0.",
        u8::from(cluster.up),
    );
    out.gauge(
        "cluster_nodes",
        "Live nodes, including this one.",
        cluster.nodes,
    );
    out.gauge(
        "cluster_lag_seconds",
        "Round-trip time of the node's last heartbeat through the broker.",
        cluster.lag_ms.unwrap_or_default() / 1e3,
    );
    out.gauge(
        "cluster_outbox_messages",
        "Messages that wait for the broker.",
        cluster.outbox,
    );
    for (name, help, count) in [
        (
            "cluster_gaps",
            "Lost message numbers of rooms.",
            cluster.gaps,
        ),
        (
            "cluster_repairs",
            "Reads of a room's log because messages were missing.",
            cluster.repairs,
        ),
        (
            "cluster_epochs",
            "Changes of a room's epoch.",
            cluster.epochs,
        ),
    ] {
        out.counters(name, help, |family| family.count(&[], count));
    }
}

fn of(tally: &BTreeMap<&'static str, u64>, key: &str) -> u64 {
    tally.get(key).copied().unwrap_or_default()
}

/// Returns the close code of a reason; empty for ends without one, and for those of the application,
/// which are counted together.
fn code(reason: CloseReason) -> String {
    match reason {
        CloseReason::Application(_) => String::new(),
        reason => reason.code().map_or(String::new(), |code| code.to_string()),
    }
}
