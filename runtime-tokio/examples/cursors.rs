//! A board on which everybody sees the pointers of the others. A movement is volatile: whoever is
//! behind misses it, and gets the next. The colour of a pointer is what members are told of its user.
//! Run `cargo run --release --example cursors`; open its address in two browsers.

use std::future::IntoFuture;
use std::time::Duration;

use serde_json::{Value, json};
use switchboard_tokio::{
    Admission, Application, Config, Connection, Denied, Hub, Message, PageResponse, PresenceInfo,
    Request, serve,
};
use tokio::net::TcpListener;

const COLOURS: [&str; 5] = ["crimson", "teal", "goldenrod", "slateblue", "seagreen"];

struct Cursors;

impl Application for Cursors {
    async fn admit(&self, request: &Request) -> Result<Admission, Denied> {
        // Anybody may take any name: check a password in a real application.
        let name = request.token().ok_or(Denied::Unauthorized)?.reveal();
        let number: usize = name.bytes().map(usize::from).sum();
        let look = json!({ "colour": COLOURS[number % COLOURS.len()] });
        let look = PresenceInfo::encode(&look).map_err(|_| Denied::Failed)?;
        Ok(Admission::user(name).presence(look))
    }

    async fn on_message(&self, _: &Connection, message: Message) -> Result<(), Denied> {
        let Message::Room {
            content,
            volatile: true,
            ..
        } = message
        else {
            let text = "movements are volatile here";
            return Err(Denied::because("not_volatile", text));
        };
        let point: Value = serde_json::from_str(&content).unwrap_or_default();
        let within = |at: &Value| at.as_f64().is_some_and(|at| (0.0..=1.0).contains(&at));
        if !within(&point["x"]) || !within(&point["y"]) {
            return Err(Denied::because("no_point", "x and y must be from 0 to 1"));
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let hub = Hub::new(Config::default(), Cursors)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let serving = serve(listener, hub.clone()).with_pages(async |request| match request.path() {
        "/" => PageResponse {
            content_type: "text/html; charset=utf-8".into(),
            ..PageResponse::text(200, PAGE)
        },
        _ => PageResponse::text(404, "not found"),
    });
    let serving = tokio::spawn(serving.into_future());
    tokio::signal::ctrl_c().await?;
    hub.drain(Duration::from_secs(2), Duration::from_secs(5))
        .await;
    serving.await??;
    Ok(())
}

/// Enough to see it work. A real page uses the TypeScript client, which reconnects.
const PAGE: &str = include_str!("cursors.html");
