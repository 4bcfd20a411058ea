//! What must hold of all that the members of a room were told.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::member::{Event, number, text};

/// What happened how often.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    /// Positions from which on a member was told to begin anew.
    pub(crate) anew: u64,
    /// How often a node went on alone, and told its members.
    pub(crate) alone: u64,
    /// Numbers that were told as lost.
    pub(crate) lost: u64,
    /// Connections beside the first ones.
    pub(crate) returns: u64,
}

/// The logs of all members, which are compared.
struct Logs<'a> {
    all: &'a [(String, Vec<Event>)],
    /// Which message has which number.
    numbers: BTreeMap<(String, u64), String>,
    tally: Tally,
}

/// Where a member is.
struct Place<'a> {
    name: &'a str,
    at: Option<(String, u64)>,
    /// It was told that its node is on its own.
    is_alone: bool,
    /// Where it was when it connected.
    since: Option<(String, u64)>,
    /// It was told since it connected that it does not get what it missed.
    begins_anew: bool,
    /// How far it came in each epoch.
    known: BTreeMap<String, u64>,
    /// Where each message stood.
    contents: BTreeMap<String, (String, u64)>,
    /// The last message of each member in each epoch. What was on its way to Redis when it went away comes
    /// behind what the members of a node had among themselves meanwhile.
    last: BTreeMap<(String, String), u64>,
}

/// Checks that no member got a message twice or out of order, that each number is one message, and that
/// whoever missed one was told.
pub(crate) fn check(logs: &[(String, Vec<Event>)]) -> Tally {
    let mut all = Logs {
        all: logs,
        numbers: BTreeMap::new(),
        tally: Tally::default(),
    };
    for (name, events) in logs {
        let mut place = Place {
            name,
            at: None,
            is_alone: false,
            since: None,
            begins_anew: false,
            known: BTreeMap::new(),
            contents: BTreeMap::new(),
            last: BTreeMap::new(),
        };
        for event in events {
            match event {
                Event::Connected => {
                    all.tally.returns += 1;
                    place.is_alone = false;
                    place.begins_anew = false;
                    place.since = place.at.clone();
                }
                Event::Ended => {}
                Event::Received(message) => all.received(&mut place, message),
            }
        }
        all.tally.returns -= 1;
    }
    all.tally
}

impl Logs<'_> {
    fn received(&mut self, place: &mut Place<'_>, message: &Value) {
        match message["type"].as_str().expect("a type") {
            "subscribed" => self.positioned(place, message),
            "message" => self.delivered(place, message),
            "cluster" => place.is_alone = message["up"] == false,
            "skip" | "gap" => {
                let (from, to) = (number(&message["from"]), number(&message["to"]));
                let next = place.next();
                assert!(from <= next, "{}: {message} instead of {next}", place.name);
                if message["type"] == "gap" {
                    self.tally.lost += to + 1 - from;
                }
                place.moves_to(to);
            }
            "ack" if message["local"].is_null() => {
                let content = format!("{}-{}", place.name, message["id"]);
                let epoch = place.at.as_ref().expect("in the room").0.clone();
                self.numbered(place.name, epoch, number(&message["seq"]), &content);
            }
            _ => {}
        }
    }

    fn positioned(&mut self, place: &mut Place<'_>, message: &Value) {
        let (epoch, seq) = (text(&message["epoch"]), number(&message["seq"]));
        let before = place.known.get(&epoch).copied();
        place.begins_anew |= message["recovered"] == false;
        let at = match (before, &message["recovered"]) {
            (Some(before), Value::Bool(true)) => before,
            // It goes on where it was before it was on its own.
            (Some(before), Value::Null) => {
                // Where it came from one node on its own to another one, it goes on where that was before.
                let is_elsewhere = place.since.as_ref().is_some_and(|(its, _)| *its != epoch);
                let is_told = place.begins_anew && is_elsewhere && before < seq;
                assert!(
                    before == seq || is_told,
                    "{}: {message}, not {before}",
                    place.name
                );
                seq
            }
            (None, Value::Bool(true)) => panic!("{}: recovered what? {message}", place.name),
            _ if place.is_alone => {
                self.tally.alone += 1;
                seq
            }
            _ => {
                self.tally.anew += 1;
                seq
            }
        };
        let name = place.name;
        assert!(before <= Some(at), "{name}: {message} after {before:?}");
        place.at = Some((epoch, at));
        place.moves_to(at);
    }

    fn delivered(&mut self, place: &mut Place<'_>, message: &Value) {
        let (seq, content) = (number(&message["seq"]), text(&message["content"]));
        let name = place.name;
        assert_eq!(seq, place.next(), "{name}: {message} at {:?}", place.at);
        place.moves_to(seq);
        let at = place.at.clone().expect("in the room");
        if let Some(before) = place.contents.insert(content.clone(), at) {
            let story = self.story(&content, name);
            panic!("{name}: {message} came again, after {before:?}: {story}");
        }
        let (sender, count) = content.split_once('-').expect("a member's message");
        let count: u64 = count.parse().expect("a number");
        let epoch = place.at.as_ref().expect("in the room").0.clone();
        let of_sender = (epoch.clone(), sender.to_owned());
        let before = place.last.insert(of_sender, count).unwrap_or(0);
        assert!(before < count, "{name}: {content} after {before}");
        self.numbered(name, epoch, seq, &content);
        self.tally.messages += 1;
    }

    /// What its sender and a member were told about a message, and what else changed for them.
    fn story(&self, content: &str, member: &str) -> String {
        let (sender, count) = content.split_once('-').expect("a member's message");
        let id = count.parse().ok();
        let matters = |event: &&Event| match event {
            Event::Connected | Event::Ended => true,
            Event::Received(it) => {
                let kind = it["type"].as_str().unwrap_or_default();
                let is_message =
                    it["content"] == content || (id.is_some() && it["id"].as_u64() == id);
                is_message || ["subscribed", "cluster", "gap", "skip"].contains(&kind)
            }
        };
        let mut story = String::new();
        for (name, events) in self.all {
            if *name == sender || *name == member {
                for event in events.iter().filter(matters) {
                    let _ = write!(story, "\n  {name} {event:?}");
                }
            }
        }
        story
    }

    fn numbered(&mut self, name: &str, epoch: String, seq: u64, content: &str) {
        let place = (epoch, seq);
        let known = self.numbers.get(&place);
        let known = known.map_or(content, |known| known);
        assert_eq!(known, content, "{name}: {place:?} is two messages");
        self.numbers.insert(place, content.to_owned());
    }
}

impl Place<'_> {
    fn next(&self) -> u64 {
        self.at.as_ref().expect("in the room").1 + 1
    }

    fn moves_to(&mut self, seq: u64) {
        let (epoch, at) = self.at.as_mut().expect("in the room");
        *at = seq;
        self.known.insert(epoch.clone(), seq);
    }
}
