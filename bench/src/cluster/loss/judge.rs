//! What the members' logs say about losses.

use std::collections::HashMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What a publisher was told about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing: it knows that it does not know.
    Open,
    /// It is published.
    Acknowledged,
    /// It is published on one node only.
    Local,
    /// It is not published.
    Refused,
}

/// What a member was told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Message {
        publisher: usize,
        number: usize,
        at: Instant,
    },
    /// Something may be missing before this.
    Told,
}

/// All that a member was told.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) listens: bool,
    pub(super) is_in: bool,
    pub(super) events: Vec<Event>,
    /// The fates of its own messages, by number.
    pub(super) fates: Vec<Fate>,
    /// The highest number of each publisher.
    last: HashMap<usize, usize>,
}

impl Log {
    /// Returns the number of a new message.
    pub(super) fn publishes(&mut self) -> usize {
        self.fates.push(Fate::Open);
        self.fates.len() - 1
    }

    pub(super) fn received(&mut self, publisher: usize, number: usize, at: Instant) {
        self.events.push(Event::Message {
            publisher,
            number,
            at,
        });
        let last = self.last.entry(publisher).or_default();
        *last = number.max(*last);
    }

    /// The first word about a message counts.
    pub(super) fn learns(&mut self, number: usize, told: Fate) {
        if let Some(fate) = self.fates.get_mut(number)
            && *fate == Fate::Open
        {
            *fate = told;
        }
    }

    /// It is in the room. Returns the messages whose fate is open, if it was not before.
    pub(super) fn enters(&mut self) -> Vec<usize> {
        if std::mem::replace(&mut self.is_in, true) {
            return Vec::new();
        }
        let open = |&number: &usize| self.fates[number] == Fate::Open;
        (0..self.fates.len()).filter(open).collect()
    }

    /// Returns whether it has the last one of as many messages of each publisher.
    pub(super) fn has_all_of(&self, counts: &[usize]) -> bool {
        let last = |publisher| self.last.get(&publisher).map_or(0, |last| last + 1);
        (0..counts.len()).all(|publisher| last(publisher) >= counts[publisher])
    }

    pub(super) fn knows_all_fates(&self) -> bool {
        !self.fates.contains(&Fate::Open)
    }
}

/// What was lost: deliveries of one message to one member, where nothing else is said.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Losses {
    /// Messages.
    pub(crate) published: u64,
    pub(crate) due: u64,
    pub(crate) lost: u64,
    /// Neither the member nor the publisher could know.
    pub(crate) silent: u64,
    pub(crate) twice: u64,
    /// After a later message of the same publisher.
    pub(crate) disordered: u64,
    /// In another order than the first member has them.
    pub(crate) differing: u64,
    /// Messages whose publisher was told that they are not published, or on its node only.
    pub(crate) refused: u64,
    /// Messages about whose fate their publisher was told nothing.
    pub(crate) open: u64,
    /// The longest time without a message, in milliseconds.
    pub(crate) pause_ms: u64,
}

impl Losses {
    /// Adds another run. The longest pause counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.due += other.due;
        self.lost += other.lost;
        self.silent += other.silent;
        self.twice += other.twice;
        self.disordered += other.disordered;
        self.differing += other.differing;
        self.refused += other.refused;
        self.open += other.open;
        self.pause_ms = self.pause_ms.max(other.pause_ms);
    }
}

type Key = (usize, usize);

/// Compares what was published with what each member who listens got. The publishers come first.
pub(super) fn judge(logs: &[Log]) -> Losses {
    let fates: Vec<&[Fate]> = logs
        .iter()
        .filter(|log| !log.listens)
        .map(|log| log.fates.as_slice())
        .collect();
    let mut losses = Losses::default();
    for fate in fates.iter().copied().flatten() {
        losses.published += 1;
        losses.refused += u64::from(matches!(fate, Fate::Local | Fate::Refused));
        losses.open += u64::from(*fate == Fate::Open);
    }
    let mut places: Option<HashMap<Key, usize>> = None;
    for log in logs.iter().filter(|log| log.listens) {
        losses.due += losses.published;
        let got = count(log, &fates, &mut losses);
        match &places {
            None => places = Some(got.into_iter().zip(0..).collect()),
            Some(places) => losses.differing += descents(&got, places),
        }
    }
    losses
}

/// Adds what one member lost. Returns what it got, without repeats, in its order.
fn count(log: &Log, fates: &[&[Fate]], losses: &mut Losses) -> Vec<Key> {
    let mut came: Vec<Vec<bool>> = fates.iter().map(|own| vec![false; own.len()]).collect();
    // Whether the member was told that something is missing where a message is.
    let mut told = came.clone();
    // The next number of each publisher, and how often the member had been told when it came to that.
    let mut next = vec![(0, 0); fates.len()];
    let (mut tellings, mut got, mut heard) = (0, Vec::new(), None);
    for event in &log.events {
        let &Event::Message {
            publisher,
            number,
            at,
        } = event
        else {
            tellings += 1;
            continue;
        };
        let Some(has_come) = came.get_mut(publisher).and_then(|own| own.get_mut(number)) else {
            continue;
        };
        if std::mem::replace(has_come, true) {
            losses.twice += 1;
            continue;
        }
        got.push((publisher, number));
        let pause = heard
            .replace(at)
            .map_or(0, |since| (at - since).as_millis());
        losses.pause_ms = losses.pause_ms.max(pause as u64);
        let (expected, tellings_then) = &mut next[publisher];
        if number < *expected {
            losses.disordered += 1;
            continue;
        }
        told[publisher][*expected..number].fill(tellings > *tellings_then);
        (*expected, *tellings_then) = (number + 1, tellings);
    }
    for (publisher, own) in fates.iter().enumerate() {
        let (expected, tellings_then) = next[publisher];
        told[publisher][expected..].fill(tellings > tellings_then);
        for (number, fate) in own.iter().enumerate() {
            if !came[publisher][number] {
                losses.lost += 1;
                let is_silent = *fate == Fate::Acknowledged && !told[publisher][number];
                losses.silent += u64::from(is_silent);
            }
        }
    }
    got
}

/// Returns how often a message comes before one that has an earlier place.
fn descents(got: &[Key], places: &HashMap<Key, usize>) -> u64 {
    let order: Vec<usize> = got
        .iter()
        .filter_map(|key| places.get(key).copied())
        .collect();
    order.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publisher(fates: &[Fate]) -> Log {
        Log {
            fates: fates.to_vec(),
            ..Log::default()
        }
    }

    /// The member gets these messages of publisher 0; `None` says that something may be missing.
    fn listener(events: &[Option<usize>]) -> Log {
        let mut log = Log {
            listens: true,
            ..Log::default()
        };
        for event in events {
            match event {
                Some(number) => log.received(0, *number, Instant::now()),
                None => log.events.push(Event::Told),
            }
        }
        log
    }

    fn judged(fates: &[Fate], events: &[Option<usize>]) -> Losses {
        judge(&[publisher(fates), listener(events)])
    }

    const SENT: Fate = Fate::Acknowledged;

    #[test]
    fn a_loss_is_silent_unless_the_member_was_told_in_between_or_the_publisher_was() {
        let all = [SENT; 5];
        let silent = judged(&all, &[None, Some(0), Some(3), None, Some(4)]);
        assert_eq!((silent.lost, silent.silent), (2, 2));
        let told = judged(&all, &[Some(0), None, Some(3), Some(4)]);
        assert_eq!((told.lost, told.silent), (2, 0));
        let at_the_end = judged(&all, &[Some(0), Some(1), Some(2)]);
        assert_eq!((at_the_end.lost, at_the_end.silent), (2, 2));
        for fate in [Fate::Open, Fate::Local, Fate::Refused] {
            let known = judged(&[SENT, fate, SENT], &[Some(0), Some(2)]);
            assert_eq!((known.lost, known.silent), (1, 0), "{fate:?}");
        }
    }

    #[test]
    fn a_message_that_comes_late_is_out_of_order_and_not_lost() {
        let losses = judged(&[SENT; 3], &[Some(0), Some(2), Some(1), Some(2)]);
        assert_eq!((losses.lost, losses.disordered, losses.twice), (0, 1, 1));
    }

    #[test]
    fn members_that_have_messages_in_different_orders_are_noticed() {
        let (mut one, mut two) = (listener(&[]), listener(&[]));
        let now = Instant::now();
        for (publisher, number) in [(0, 0), (1, 0), (0, 1)] {
            one.received(publisher, number, now);
        }
        for (publisher, number) in [(0, 0), (0, 1), (1, 0)] {
            two.received(publisher, number, now);
        }
        let publishers = [publisher(&[SENT; 2]), publisher(&[SENT; 1])];
        let [first, second] = publishers;
        let losses = judge(&[first, second, one, two]);
        assert_eq!(
            (losses.differing, losses.disordered, losses.lost),
            (1, 0, 0)
        );
    }
}
