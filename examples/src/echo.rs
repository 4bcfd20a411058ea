//! An echo server for conformance suites and benchmarks.

use std::net::SocketAddr;

use clap::Parser;
use switchboard_core::{
    Config, Denied, Endpoint, Frame, Limits, Origins, Presence, Rates, SendError, Wire,
};
use switchboard_runtime::{Application, Connection, Message};

use crate::flags::{self, Switch};

/// Sends every WebSocket message back to its sender.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Options {
    /// Address to listen on; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = flags::address)]
    pub listen: SocketAddr,
    /// Compression of messages, for clients that offer it
    #[arg(long, value_enum, default_value = "off")]
    compress: Switch,
}

impl Options {
    /// Parses the command line. On an error, prints one line and exits with status 2.
    pub fn from_flags() -> Self {
        flags::parse()
    }

    /// Returns the configuration: large messages, and backpressure from half of the queue limit on.
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
            compression: flags::compression(self.compress),
            origins: Origins::Any,
            endpoint: Endpoint::Any,
            ..Config::default()
        }
    }
}

/// The application.
#[derive(Debug)]
pub struct Echo;

impl Application for Echo {
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        let hub = client.hub();
        let frame = hub.compress(match message {
            Message::Text(text) => Frame::text(&text),
            Message::Binary(bytes) => Frame::binary(&bytes),
            _ => return Ok(()),
        });
        // Ignore a connection that has gone. If the node is full, wait for the writers to catch up.
        while let Err(SendError::Busy) = hub.send(client.id(), frame.clone()) {
            hub.ready().await;
        }
        Ok(())
    }
}
