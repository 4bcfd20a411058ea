//! The peers' side of each connection, and checks that need no prediction.

use std::collections::BTreeMap;

use serde_json::Value;
use switchboard_core::{Config, ConnectionId, Identity, Request, Switchboard, Time, WriteTurn};
use switchboard_kit::{Reader, Received};

use super::{Driver, Fault, ensure};
use crate::model::queue::Item;

/// The peer of one connection.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) peer: Reader,
    /// Bytes that a writer holds for it.
    pub(super) held: Option<WriteTurn>,
    /// Its socket takes no more bytes.
    pub(super) blocked: bool,
    /// It answers pings.
    pub(super) answers: bool,
    /// Pings that it has read and not answered: number, and whether by message.
    pub(super) pings: Vec<(u64, bool)>,
    /// Rooms it knows to be in, with epoch and last number.
    rooms: BTreeMap<String, (String, u64)>,
    /// It has been welcomed.
    welcomed: bool,
    /// Its last known read mode.
    pub(super) read_mode: Option<switchboard_core::ReadMode>,
    /// The times at which its messages were accepted.
    pub(super) accepted: Vec<u64>,
}

impl Socket {
    pub(super) fn new(answers: bool) -> Self {
        Self {
            peer: Reader::new(true),
            held: None,
            blocked: false,
            answers,
            pings: Vec::new(),
            rooms: BTreeMap::new(),
            welcomed: false,
            read_mode: None,
            accepted: Vec::new(),
        }
    }

    /// Checks a JSON message that the peer has read.
    fn told(&mut self, text: &str, value: &Value) -> Result<Option<(String, u64)>, Fault> {
        let field = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| value[key].as_u64().unwrap_or_default();
        let (kind, channel) = (field("type"), field("channel"));
        let early = ["authenticated", "error", "health_ping"].contains(&kind.as_str());
        ensure(self.welcomed || early || kind == "welcome", || {
            format!("before welcome: {text}")
        })?;
        match kind.as_str() {
            "welcome" => {
                ensure(!self.welcomed, || "welcomed twice".into())?;
                self.welcomed = true;
            }
            "subscribed" => {
                // Where a history is kept, what follows may be older.
                let first = value["first"].as_u64();
                let last = first.map_or(number("seq"), |first| first - 1);
                let state = (field("epoch"), last);
                let before = self.rooms.insert(channel, state);
                ensure(before.is_none(), || format!("subscribed twice: {text}"))?;
            }
            "unsubscribed" => {
                let before = self.rooms.remove(&channel);
                ensure(before.is_some(), || format!("was not subscribed: {text}"))?;
            }
            "message" => {
                let room = self.rooms.get_mut(&channel);
                let (epoch, last) = room.ok_or_else(|| format!("not subscribed: {text}"))?;
                let seq = number("seq");
                ensure(seq > *last, || format!("number {seq} after {last}: {text}"))?;
                *last = seq;
                return Ok(Some((epoch.clone(), seq)));
            }
            "presence" => {
                ensure(self.rooms.contains_key(&channel), || {
                    format!("not subscribed: {text}")
                })?;
            }
            "health_ping" => self.pings.push((number("timestamp"), true)),
            _ => {}
        }
        Ok(None)
    }
}

impl Driver {
    /// Checks a frame that the peer has read.
    pub(super) fn hears(&mut self, id: ConnectionId, heard: &Received) -> Result<(), Fault> {
        self.figures.frames += 1;
        self.check_close(id, heard)?;
        let json = self.json();
        let Some(socket) = self.sockets.get_mut(&id) else {
            return Ok(());
        };
        match heard {
            Received::Ping(payload) => {
                let number = <[u8; 8]>::try_from(&payload[..]).map_err(|_| "a strange ping")?;
                socket.pings.push((u64::from_be_bytes(number), false));
            }
            Received::Text(text) if json => {
                let Ok(value) = serde_json::from_str::<Value>(text) else {
                    return Ok(());
                };
                let Some(key) = socket.told(text, &value)? else {
                    return Ok(());
                };
                let first = self.numbered.entry(key).or_insert_with(|| text.clone());
                ensure(first == text, || {
                    format!("two messages with one number: {first}, {text}")
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Compares what was written with the prediction, frame by frame.
    pub(super) fn compare_stream(heard: &[Received], items: &[Item]) -> Result<(), Fault> {
        let foreseen =
            |items: &[Item]| format!("{:?}", items.iter().map(|it| &it.is).collect::<Vec<_>>());
        ensure(heard.len() == items.len(), || {
            format!("read {heard:?}, expected {}", foreseen(items))
        })?;
        for (heard, item) in heard.iter().zip(items) {
            ensure(item.is.is(heard), || {
                format!("read {heard:?}, expected {:?}", item.is)
            })?;
        }
        Ok(())
    }

    /// Checks that the accepted messages of every window are within burst and rate.
    pub(super) fn accepted(&mut self, id: ConnectionId) -> Result<(), Fault> {
        let (now, rate) = (self.now, self.config.rates.messages);
        let (Some(rate), Some(socket)) = (rate, self.sockets.get_mut(&id)) else {
            return Ok(());
        };
        socket.accepted.push(now);
        for (index, &from) in socket.accepted.iter().enumerate() {
            let count = (socket.accepted.len() - index) as u64;
            let most = rate.burst + rate.per_second * (now - from) / 1_000_000_000;
            ensure(count <= most, || {
                format!("{count} messages accepted in a window, at most {most}")
            })?;
        }
        Ok(())
    }
}

/// Returns the prefix of an epoch, which a switchboard draws from its seed.
pub(super) fn node_of(seed: u64) -> String {
    let now = Time::ZERO;
    let read = || -> Option<String> {
        let mut sys = Switchboard::new(Config::default(), seed, now).ok()?;
        let id = sys.connect(now, "10.0.0.1".parse().ok()?).ok()?;
        let request = Request::upgraded(
            "/ws",
            Some("lobby".into()),
            std::iter::empty::<(&str, &str)>(),
        );
        sys.upgraded(now, id, &request.ok()?).ok()?;
        sys.authenticated(now, id, Ok(Identity::Anonymous), None)
            .ok()?;
        let mut turn = WriteTurn::default();
        sys.take_turn(&mut turn, 1);
        let mut peer = Reader::new(false);
        let heard = peer.read(turn.job(0)?.1).ok()?;
        heard.iter().find_map(|heard| {
            let Received::Text(text) = heard else {
                return None;
            };
            let value: Value = serde_json::from_str(text).ok()?;
            let epoch = value["epoch"].as_str()?;
            Some(epoch.split('-').next()?.to_owned())
        })
    };
    read().unwrap_or_default()
}
