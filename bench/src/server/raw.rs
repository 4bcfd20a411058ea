//! Switchboard in raw mode: forwards messages like the peers, with the limits, heartbeats and
//! bounds that Switchboard always has.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use switchboard_tokio::http::Upgrade;
use switchboard_tokio::{
    Application, Config, Connection, Denied, Exclude, Frame, Hub, Identity, Message, Rate, Request,
    Wire, serve as serve_hub,
};

use super::{QUEUE_BYTES, QUEUE_MESSAGES};
use crate::wire;

struct Forward;

impl Application for Forward {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        Ok(request
            .token()
            .map_or(Identity::Anonymous, |token| Identity::User {
                name: token.reveal().to_owned(),
                expires_in: None,
            }))
    }

    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        let Message::Text(text) = message else {
            return Ok(());
        };
        let (hub, frame) = (client.hub(), Frame::text(&text));
        let receipt = if text.as_bytes().starts_with(wire::DIRECT) {
            let to = wire::addressee(text.as_bytes()).ok_or(Denied::Forbidden)?;
            hub.send_to_user(to, frame)
        } else {
            let room = wire::field(text.as_bytes(), r#""channel":""#);
            let room = room
                .and_then(|room| str::from_utf8(room).ok())
                .ok_or(Denied::Forbidden)?;
            hub.broadcast_raw(room, frame, Exclude::default())
        };
        receipt.map(|_| ()).map_err(|_| Denied::Forbidden)
    }
}

/// Serves until an error.
pub(crate) async fn serve(listener: TcpListener, ping: Duration) -> io::Result<()> {
    serve_hub(registered(listener)?, hub(ping)?).await?;
    Ok(())
}

/// Serves inside an axum application until an error.
pub(crate) async fn serve_in_axum(listener: TcpListener, ping: Duration) -> io::Result<()> {
    async fn websocket(upgrade: Upgrade, State(hub): State<Hub>) -> Response {
        upgrade.accept(&hub)
    }
    let app = Router::new()
        .route("/ws", any(websocket))
        .route("/ws/{room}", any(websocket))
        .with_state(hub(ping)?)
        .into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(registered(listener)?, app).await
}

fn registered(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

fn hub(ping: Duration) -> io::Result<Hub> {
    let mut config = Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    config.limits.connections = 30_000;
    config.limits.per_ip = 30_000;
    config.limits.room_members = 30_000;
    config.limits.queue_bytes = QUEUE_BYTES;
    config.limits.queue_messages = QUEUE_MESSAGES;
    config.health.ping_interval = ping;
    config.rates.messages = Some(Rate {
        per_second: 1_000_000,
        burst: 2_000_000,
    });
    Hub::new(config, Forward).map_err(io::Error::other)
}
