//! A game for eight at a table: binary frames twenty times a second, a seat that is kept for ten seconds
//! for whoever loses the connection, and a host (the player in the lowest seat) who can put others out.
//! Run `cargo run --release --example game`; open its address in several browsers.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchboard_tokio::{
    Application, ApplicationCode, Config, Connection, ConnectionId, Denied, Exclude, Frame, Hub,
    Identity, Message, PageResponse, Request, RoomRule, Wire, serve,
};

const SEATS: u8 = 8;
type Seat = (Arc<str>, u8);
/// The players, by table and seat.
#[derive(Clone, Default)]
struct Game(Arc<Mutex<BTreeMap<Seat, Player>>>);

struct Player {
    name: String,
    id: ConnectionId,
    place: [u8; 2],
    step: [u8; 2],
}

impl Application for Game {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        // Anybody may take any name: check a password in a real application.
        let name = request.token().ok_or(Denied::Unauthorized)?.reveal();
        Ok(Identity::user(name))
    }

    async fn on_join(&self, client: &Connection, table: &str) {
        let mut players = self.0.lock().unwrap();
        let at = |seat: u8| players.get(&(table.into(), seat));
        let is_own = |&seat: &u8| at(seat).is_some_and(|it| it.name == client.user());
        let mut free = (0..SEATS).filter(|&seat| at(seat).is_none());
        // There is one: the hub lets in no more than there are seats.
        let seat = (0..SEATS).find(is_own).or(free.next()).unwrap_or_default();
        let player = Player {
            name: client.user().to_owned(),
            id: client.id(),
            place: at(seat).map_or([128; 2], |it| it.place),
            step: [0; 2],
        };
        players.insert((table.into(), seat), player);
        let _ = client.send_text(&format!("{seat}"));
    }

    /// Two bytes are a step; `SEAT REASON` puts somebody out.
    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        let mut players = self.0.lock().unwrap();
        let mut own = players.iter_mut().filter(|(_, it)| it.id == client.id());
        let (at, player) = own.next().ok_or(Denied::Forbidden)?;
        let (table, seat) = at.clone();
        if let Message::Binary(step) = message {
            player.step = step.try_into().map_err(|_| Denied::Forbidden)?;
            return Ok(());
        }
        let is_host = players.keys().find(|it| it.0 == table) == Some(&(table.clone(), seat));
        if let Message::Text(text) = message
            && let Some((seat, reason)) = text.split_once(' ').filter(|_| is_host)
            && let Ok(seat) = seat.parse()
            && let Some(player) = players.remove(&(table.clone(), seat))
        {
            // Clients do not come back after a code from 4500 on.
            let code = ApplicationCode::new(4500).expect("a code of applications");
            let _ = client.hub().close_with(player.id, code, reason);
            client.hub().release_seat(&table, &player.name);
        }
        Ok(())
    }
}

impl Game {
    /// Moves all players. Returns for each table the seat and the place of each.
    fn turn(&self, hub: &Hub) -> BTreeMap<Arc<str>, Vec<u8>> {
        let (mut frames, mut players) = (BTreeMap::<_, Vec<u8>>::new(), self.0.lock().unwrap());
        players.retain(|(table, _), it| hub.has_seat(table, &it.name));
        for ((table, seat), it) in players.iter_mut() {
            it.place = [0, 1].map(|axis| it.place[axis].wrapping_add(it.step[axis]));
            let frame = frames.entry(table.clone()).or_default();
            frame.extend([*seat, it.place[0], it.place[1]]);
        }
        frames
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let (game, mut config) = (Game::default(), Config::default());
    config.wire = Wire::Raw;
    config.room_rules.push(RoomRule {
        members: Some(SEATS.into()),
        hold_seat: Some(Duration::from_secs(10)),
        ..RoomRule::default()
    });
    let hub = Hub::new(config, game.clone())?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let serving = serve(listener, hub.clone()).with_pages(async |_| PageResponse {
        content_type: "text/html; charset=utf-8".into(),
        ..PageResponse::text(200, include_str!("game.html"))
    });
    let serving = tokio::spawn(serving.into_future());
    let mut turns = tokio::time::interval(Duration::from_millis(50));
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    while tokio::select! { _ = turns.tick() => true, _ = &mut interrupt => false } {
        for (table, frame) in game.turn(&hub) {
            let _ = hub.broadcast_raw(&table, Frame::binary(&frame), Exclude::NOBODY);
        }
    }
    hub.drain(Duration::ZERO, Duration::from_secs(5)).await;
    serving.await??;
    Ok(())
}
