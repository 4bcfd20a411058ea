//! What clients receive.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_kit::{PONG, Received, close, frame};

use super::client::Life;
use super::link::{Down, Up};
use super::plan::{MILLI, ROOMS, SECOND};
use super::world::World;

/// A message of a server, as far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct Heard<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    pub(super) channel: Option<&'a str>,
    pub(super) seq: Option<u64>,
    pub(super) epoch: Option<&'a str>,
    pub(super) recovered: Option<bool>,
    pub(super) id: Option<u64>,
    pub(super) duplicate: Option<bool>,
    pub(super) local: Option<bool>,
    pub(super) code: Option<serde_json::Value>,
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    pub(super) key: Option<&'a str>,
    pub(super) sender: Option<&'a str>,
    pub(super) up: Option<bool>,
    pub(super) delivered: Option<u64>,
    pub(super) count: Option<usize>,
    pub(super) users: Option<Vec<&'a str>>,
    pub(super) joined: Option<Vec<&'a str>>,
    pub(super) left: Option<Vec<&'a str>>,
    #[serde(borrow)]
    pub(super) info: Option<BTreeMap<&'a str, &'a RawValue>>,
}

impl Heard<'_> {
    pub(super) fn room(&self) -> Option<usize> {
        let channel = self.channel?;
        ROOMS.iter().position(|room| *room == channel)
    }
}

impl World {
    /// A client reads what has arrived.
    pub(super) fn client_reads(&mut self, l: u32) {
        while let Some(item) = self.next_of_node(l) {
            let c = self.links[l as usize].client;
            self.links[l as usize].heard = self.now;
            match item {
                Down::Bytes(bytes) => match self.links[l as usize].reader.read(&bytes) {
                    Ok(received) => {
                        for received in received {
                            self.tally.events += 1;
                            self.receives(c, l, received);
                        }
                    }
                    Err(violation) => self.fail("wire", format!("link {l}: {violation}")),
                },
                Down::Fin | Down::Reset => {
                    self.send_up(l, Up::Reset);
                    let back = self.rng.u64(20 * MILLI..500 * MILLI);
                    self.loses_link(c, back);
                }
            }
        }
    }

    fn receives(&mut self, c: u32, l: u32, received: Received) {
        if self.links[l as usize].client_gone {
            return;
        }
        match received {
            Received::Http(101) | Received::Pong(_) => {}
            Received::Http(status) => {
                self.note(|| format!("client {c} is answered {status}"));
                self.loses_link(c, SECOND);
            }
            Received::Text(text) => {
                self.note(|| format!("client {c} link {l} hears {text}"));
                match serde_json::from_str(&text) {
                    Ok(heard) => self.hears(c, l, &heard),
                    Err(error) => self.fail("wire", format!("{error}: {text}")),
                }
            }
            Received::Binary(_) => self.fail("wire", "a binary message"),
            Received::Ping(payload) => {
                self.send_up(l, Up::Bytes(frame(PONG, payload).bytes()));
            }
            Received::Close(code) => {
                let (code, reason) = code.unwrap_or_default();
                self.note(|| format!("client {c} link {l} is closed: {code} {reason}"));
                self.send_up(l, Up::Bytes(close(code, "").bytes()));
                self.send_up(l, Up::Fin);
                self.is_closed(c, l, code, &reason);
            }
        }
    }

    fn is_closed(&mut self, c: u32, l: u32, code: u16, reason: &str) {
        let is_known = matches!(
            (code, reason),
            (1000, "replaced")
                | (1001 | 1012, _)
                | (4004, "kicked")
                | (4005, "already_connected")
                | (4101, "slow_consumer")
                | (4201, "heartbeat_timeout")
        );
        self.check("closes", is_known, || {
            format!("client {c} is closed with {code} {reason}")
        });
        let back = match code {
            4005 => {
                self.count("refused as already connected", 1);
                self.rng.u64(SECOND..4 * SECOND)
            }
            4004 => {
                self.count("kicked", 1);
                self.rng.u64(SECOND..10 * SECOND)
            }
            _ => self.rng.u64(20 * MILLI..SECOND),
        };
        self.loses_link(c, back);
        if code == 1000 {
            self.is_replaced(c, l);
        }
    }

    /// Another connection of the user is there in place of the client's.
    fn is_replaced(&mut self, c: u32, l: u32) {
        self.count("replaced", 1);
        self.clients[c as usize].life = Life::Replaced;
        let (user, node) = (self.clients[c as usize].user, self.links[l as usize].node);
        let others = self.clients.iter().filter(|it| it.user == user);
        let mut links = others.filter_map(|it| it.link);
        let elsewhere = links.any(|l| self.links[l as usize].node != node);
        self.count("replaced from another node", u64::from(elsewhere));
    }

    fn hears(&mut self, c: u32, l: u32, heard: &Heard<'_>) {
        match heard.kind {
            "welcome" => self.links[l as usize].opened = Some(self.now),
            "subscribed" => self.is_told_position(c, l, heard),
            "unsubscribed" => {
                let request = heard.id;
                self.clients[c as usize]
                    .pending
                    .retain(|pending| Some(pending.request) != request);
            }
            "message" => self.gets_message(c, l, heard),
            "skip" | "gap" => self.is_told_missing(c, l, heard),
            "ack" => self.is_acknowledged(c, l, heard),
            "error" => self.is_refused(c, l, heard),
            "presence" => self.sees_users(c, heard),
            "direct" => {
                self.count("message to a user", 1);
                self.gets_unnumbered(c, l, heard, "\"d");
            }
            "everyone" => {
                self.count("message to everyone", 1);
                self.gets_unnumbered(c, l, heard, "\"e");
            }
            "cluster" => {
                let up = heard.up == Some(true);
                self.links[l as usize].is_alone = !up;
                let what = if up {
                    "node back told"
                } else {
                    "node away told"
                };
                self.count(what, 1);
                self.check("no fault, no notice", self.may_be_away(), || {
                    format!("client {c} is told {heard:?}")
                });
            }
            "bye" => {}
            other => self.fail("wire", format!("client {c} hears of {other}")),
        }
    }

    /// A message that nobody misses.
    pub(super) fn gets_unnumbered(&mut self, c: u32, l: u32, heard: &Heard<'_>, mark: &str) {
        let content = heard.content.map_or("", RawValue::get);
        let id = content
            .strip_prefix(mark)
            .and_then(|it| it.strip_suffix('"'));
        let Some(id) = id.and_then(|it| it.parse().ok()) else {
            return self.fail("content", format!("client {c}: {heard:?}"));
        };
        let is_new = self.links[l as usize].unnumbered.insert(id);
        self.check("once", is_new, || {
            format!("client {c} gets {content} twice through link {l}")
        });
    }
}
