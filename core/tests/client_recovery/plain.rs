//! A plain server that keeps history, as the protocol describes it.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::seam::{Entry, ROOM, Server};

/// A server with one room, as the protocol describes it. It shares no code with the client.
pub(super) struct Plain {
    /// Number of entries kept.
    keep: usize,
    epoch: u64,
    seq: u64,
    history: VecDeque<(u64, Entry)>,
    /// The client's requests in the order in which they were published, over all epochs.
    published: Vec<u64>,
    /// All messages of the present epoch.
    all: BTreeMap<u64, Entry>,
    evicted: bool,
    member: bool,
    /// The next number, for a member that is behind.
    cursor: Option<u64>,
    down: VecDeque<String>,
    lobby: bool,
    /// How many of the latest messages whoever comes without a position gets.
    on_join: u64,
}

impl Plain {
    pub(super) fn new(keep: usize, lobby: bool, on_join: u64) -> Self {
        Self {
            keep,
            epoch: 1,
            seq: 0,
            history: VecDeque::new(),
            published: Vec::new(),
            all: BTreeMap::new(),
            evicted: false,
            member: false,
            cursor: None,
            down: VecDeque::new(),
            lobby,
            on_join,
        }
    }

    fn first(&self) -> u64 {
        self.history.front().map_or(self.seq + 1, |&(seq, _)| seq)
    }

    fn send(&mut self, message: &Value) {
        self.down.push_back(message.to_string());
    }

    fn connected(&mut self, since: Option<&str>) {
        self.member = false;
        self.cursor = None;
        self.down.clear();
        self.send(&json!({"type": "welcome"}));
        if self.lobby {
            let since = since.map(|text| {
                let (epoch, seq) = text.rsplit_once('.').unwrap();
                (epoch.to_owned(), seq.parse().unwrap())
            });
            self.join(since, &Value::Null);
        }
    }

    fn join(&mut self, since: Option<(String, u64)>, id: &Value) {
        self.member = true;
        let mut answer = json!({
            "type": "subscribed", "channel": ROOM, "seq": self.seq,
            "epoch": format!("e{}", self.epoch), "first": self.first(),
        });
        if !id.is_null() {
            answer["id"] = id.clone();
        }
        if let Some((epoch, seq)) = since {
            let same = epoch == format!("e{}", self.epoch);
            let recovered = same && seq <= self.seq && self.first() <= seq + 1;
            answer["recovered"] = json!(recovered);
            self.cursor = Some(seq + 1).filter(|&next| recovered && next <= self.seq);
        } else {
            let next = self.first().max(self.seq.saturating_sub(self.on_join) + 1);
            self.cursor = Some(next).filter(|&next| next <= self.seq);
        }
        self.send(&answer);
    }

    fn requested(&mut self, text: &str) {
        let asked: Value = serde_json::from_str(text).unwrap();
        let id = asked["id"].clone();
        match asked["type"].as_str().unwrap() {
            "subscribe" if self.member => {
                self.send(&json!({"type": "error", "code": "already_subscribed", "id": id}));
            }
            "subscribe" => {
                let since = asked["since"].as_object().map(|since| {
                    let epoch = since["epoch"].as_str().unwrap().to_owned();
                    (epoch, since["seq"].as_u64().unwrap())
                });
                self.join(since, &id);
            }
            "message" => self.message(&asked, &id),
            other => panic!("a request of the type {other}"),
        }
    }

    fn message(&mut self, asked: &Value, id: &Value) {
        let request = id.as_u64();
        if let Some(again) = asked["again"].as_u64() {
            assert!(again <= self.seq, "a position of the future");
            if self.first() > again + 1 {
                return self.send(&json!({"type": "error", "code": "unrecoverable", "id": id}));
            }
            let later = self.history.iter().filter(|(seq, _)| *seq > again);
            let mut found = later.filter(|(_, entry)| entry.request == request);
            if let Some(seq) = found.next().map(|&(seq, _)| seq) {
                let ack = json!({"type": "ack", "id": id, "seq": seq, "duplicate": true});
                return self.send(&ack);
            }
        }
        let seq = self.number(request, asked["echo"] == json!(true));
        self.send(&json!({"type": "ack", "id": id, "seq": seq}));
    }

    /// Publishes a message, and gives it to the client if that is live.
    fn number(&mut self, request: Option<u64>, ours: bool) -> u64 {
        self.seq += 1;
        let entry = Entry { request, ours };
        self.published.extend(request);
        self.all.insert(self.seq, entry.clone());
        self.history.push_back((self.seq, entry));
        self.keep_last(self.keep);
        if ours && self.member && self.cursor.is_none() {
            self.give(self.seq);
        }
        self.seq
    }

    fn give(&mut self, seq: u64) {
        self.send(&json!({"type": "message", "channel": ROOM, "content": seq, "seq": seq}));
    }

    fn keep_last(&mut self, keep: usize) {
        while self.history.len() > keep {
            self.history.pop_front();
            self.evicted = true;
        }
    }

    /// Gives one more entry to a member that is behind.
    fn page(&mut self) {
        let Some(next) = self.cursor else {
            return;
        };
        let first = self.first();
        let mut after = next + 1;
        if next > self.seq {
            self.cursor = None;
            return;
        } else if next < first {
            self.send(&json!({"type": "gap", "channel": ROOM, "from": next, "to": first - 1}));
            after = first;
        } else if self.all[&next].ours {
            self.give(next);
        } else {
            self.send(&json!({"type": "skip", "channel": ROOM, "from": next, "to": next}));
        }
        self.cursor = Some(after).filter(|&after| after <= self.seq);
    }
}

impl Server for Plain {
    /// The newer connection of a session ends the older one, with all that it has not processed.
    fn connect(&mut self, since: Option<&str>, _: Vec<String>) {
        self.connected(since);
    }

    fn request(&mut self, text: &str) {
        self.requested(text);
    }

    fn publish(&mut self, ours: bool) {
        self.number(None, ours);
    }

    fn go_on(&mut self) {
        self.page();
    }

    fn is_busy(&self) -> bool {
        !self.down.is_empty() || self.cursor.is_some()
    }

    /// The member does not take what is sent: it gets the rest from the history.
    fn fall_behind(&mut self) {
        if self.member && self.cursor.is_none() {
            self.cursor = Some(self.seq + 1);
        }
    }

    fn evict(&mut self) {
        self.keep_last(1);
    }

    fn begin_anew(&mut self) {
        self.epoch += 1;
        self.seq = 0;
        self.history.clear();
        self.all.clear();
        self.member = false;
        self.cursor = None;
        self.down.clear();
    }

    fn pop(&mut self) -> Option<String> {
        self.down.pop_front()
    }

    fn epoch(&self) -> (String, usize) {
        (format!("e{}", self.epoch), self.epoch as usize - 1)
    }

    fn all(&self) -> &BTreeMap<u64, Entry> {
        &self.all
    }

    fn published(&self) -> &[u64] {
        &self.published
    }

    fn has_evicted(&self) -> bool {
        self.evicted
    }

    fn end(&mut self) {}
}
