//! The echo: every message back to its sender, for conformance suites and benchmarks.

use std::net::SocketAddr;

use clap::Parser;
use switchboard_core::{
    Config, Denied, Endpoint, Limits, Origins, Presence, Rates, SendError, Wire,
};
use switchboard_runtime::{Application, Connection, Message};

use crate::flags;

/// Sends every WebSocket message back to its sender.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = flags::address)]
    pub listen: SocketAddr,
}

impl Options {
    /// Reads the flags; what is wrong is told in one line (2).
    pub fn from_flags() -> Self {
        flags::parse()
    }

    /// Large messages, and reading that pauses while the queue is more than half full.
    pub fn config(&self) -> Config {
        const QUEUE: usize = 64 << 20;
        const MANY: usize = 1 << 20;
        Config {
            limits: Limits {
                connections: MANY,
                handshakes: MANY,
                per_ip: MANY,
                message_bytes: 16 << 20,
                fragments: 1 << 30,
                unfinished_bytes: 1 << 30,
                queue_bytes: QUEUE,
                queue_messages: 1 << 30,
                queued_bytes: 1 << 30,
                pause_reading: Some(QUEUE / 2),
                ..Limits::default()
            },
            rates: Rates::unlimited(),
            presence: Presence {
                enabled: false,
                ..Presence::default()
            },
            wire: Wire::Raw,
            origins: Origins::Any,
            endpoint: Endpoint::Any,
            ..Config::default()
        }
    }
}

/// The echo's side of the hub.
#[derive(Debug)]
pub struct Echo;

impl Application for Echo {
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        // It fails for a connection that has gone, which needs no echo, or while the node holds all
        // that it may hold: then the writers have to catch up first.
        while let Err(SendError::Busy) = match &message {
            Message::Text(text) => client.send_text(text),
            Message::Binary(bytes) => client.send_binary(bytes),
            Message::Room { .. } => return Ok(()),
        } {
            client.hub().ready().await;
        }
        Ok(())
    }
}
