//! Prices that change a thousand times a second, for readers of any speed: a slow one skips what was
//! overwritten meanwhile, and ends with the latest price of each symbol.
//! Run `cargo run --release --example ticker` and open its address.

use std::future::IntoFuture;
use std::time::Duration;

use switchboard_tokio::{
    Application, Config, Connection, Denied, Hub, Keep, Limits, Message, PageResponse,
    RoomPresence, RoomRule, SlowPolicy, serve,
};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

const SYMBOLS: u64 = 500;
/// Updates at a time, and the time between them.
const BATCH: u64 = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// Everybody may read, anonymously, and nobody may write.
struct Ticker;

impl Application for Ticker {
    async fn on_message(&self, _: &Connection, _: Message) -> Result<(), Denied> {
        Err(Denied::Forbidden)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let hub = Hub::new(config(), Ticker)?;
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
    tokio::select! {
        () = publish(&hub) => {}
        interrupt = tokio::signal::ctrl_c() => interrupt?,
    }
    hub.drain(Duration::from_secs(2), Duration::from_secs(5))
        .await;
    serving.await??;
    Ok(())
}

fn config() -> Config {
    Config {
        room_rules: vec![RoomRule {
            prefix: "prices".into(),
            keep: Keep::Latest { keys: 500 },
            slow: Some(SlowPolicy::DropOldest),
            presence: RoomPresence::off(),
            ..RoomRule::default()
        }],
        // All readers may come from one machine, to try it out.
        limits: Limits {
            per_ip: 1_000,
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// Publishes until the hub drains. `update` counts all updates from 1, so that it can be seen which
/// of a symbol's prices is the latest.
async fn publish(hub: &Hub) {
    let mut turns = interval(PAUSE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut update = 0;
    loop {
        turns.tick().await;
        for _ in 0..BATCH {
            update += 1;
            let symbol = format!("S{:03}", update * 7 % SYMBOLS);
            let price = 100 + update * update % 97;
            let content = format!(r#"{{"price":{price},"update":{update}}}"#);
            // Refused only while the writers are far behind: the next price comes soon.
            let _ = hub.publish_key("prices", &symbol, &content);
        }
        hub.ready().await;
    }
}

/// Enough to see it work. A real page uses the TypeScript client, which reconnects.
const PAGE: &str = include_str!("ticker.html");
