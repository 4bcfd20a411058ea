//! What a connection is told, checked as it goes out.

use serde_json::Value;

use super::seam::Entry;
use super::stored::Stored;

/// What a connection was told of the room.
#[derive(Default)]
pub(super) struct Told {
    /// The position that it named when it asked to enter.
    since: Option<(String, u64)>,
    /// How many of the latest messages newcomers get.
    on_join: u64,
    /// The next number that may come, once it is in the room.
    next: Option<u64>,
    /// The last number used when it entered.
    entered: u64,
}

impl Told {
    pub(super) fn new(on_join: usize) -> Self {
        Self {
            on_join: on_join as u64,
            ..Self::default()
        }
    }

    /// It asks to enter.
    pub(super) fn asks(&mut self, since: Option<(String, u64)>) {
        self.since = since;
    }

    /// A text goes out.
    pub(super) fn check(&mut self, stored: &Stored, text: &str) {
        let value: Value = serde_json::from_str(text).expect("JSON");
        let number = |field: &str| value[field].as_u64().expect("a number");
        match value["type"].as_str() {
            Some("subscribed") => self.enters(&value),
            Some("message") => {
                let seq = number("seq");
                self.covers(stored, seq, seq);
                // H5, and byte for byte what others get.
                assert!(ours(stored, seq), "{seq} is not for it");
                assert_eq!(stored.texts.get(&seq).map(String::as_str), Some(text));
            }
            Some("skip") => {
                let (from, to) = (number("from"), number("to"));
                self.covers(stored, from, to);
                assert!(to <= self.entered, "{to} is skipped after it has caught up");
                let mut numbers = from..=to;
                assert!(numbers.all(|seq| !ours(stored, seq)), "{text}");
            }
            Some("gap") => {
                let (from, to) = (number("from"), number("to"));
                self.covers(stored, from, to);
                assert!(to < stored.first, "{to} is still kept");
            }
            Some("ack") => {
                // H6, second half: the number is that message.
                let entry = &stored.all[&number("seq")];
                assert_eq!(entry.request, value["id"].as_u64(), "{text}");
            }
            _ => {}
        }
    }

    /// H2 and H3: recovered exactly if all that follows is kept.
    fn enters(&mut self, subscribed: &Value) {
        let number = |field: &str| subscribed[field].as_u64().expect("a number");
        let (seq, first) = (number("seq"), number("first"));
        assert!(self.next.is_none(), "it is in already");
        let recovers = self.since.take().map(|(epoch, since)| {
            let all = subscribed["epoch"] == *epoch && since <= seq && first <= since + 1;
            (all, since)
        });
        let told = subscribed["recovered"].as_bool();
        assert_eq!(told, recovers.map(|(all, _)| all), "{subscribed}");
        self.entered = seq;
        self.next = Some(match recovers {
            Some((true, since)) => since + 1,
            Some((false, _)) => seq + 1,
            None => first.max((seq + 1).saturating_sub(self.on_join)),
        });
    }

    /// H2: each number comes once, in order; before the place at which it entered none is left out.
    fn covers(&mut self, stored: &Stored, from: u64, to: u64) {
        let next = self.next.expect("it is in the room");
        assert!(next <= from && from <= to, "{from} to {to} at {next}");
        for passed in next..from {
            assert!(passed > self.entered, "{passed} is left out");
            assert!(!ours(stored, passed), "{passed} is lost silently");
        }
        self.next = Some(to + 1);
    }

    /// H4: who has nothing waiting has missed nothing.
    pub(super) fn check_end(&self, stored: &Stored) {
        let mut rest = stored.all.range(self.next.unwrap_or(u64::MAX)..);
        let missed = rest.find(|(seq, entry)| **seq <= self.entered || entry.ours);
        assert_eq!(missed.map(|(seq, _)| seq), None, "it was told all");
    }
}

fn ours(stored: &Stored, seq: u64) -> bool {
    stored.all.get(&seq).is_some_and(|entry: &Entry| entry.ours)
}
