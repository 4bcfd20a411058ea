//! What the members of rooms were told, and what must hold about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchboard_core::cluster::{Entry, Fate, Info, Order, Output, PositionKind, Ticket, WhenDown};

use crate::acts::room_terms;

#[derive(Default)]
pub(crate) struct Witness {
    /// Which message has which number.
    log: BTreeMap<(String, Arc<str>, u64), u64>,
    /// Messages that were delivered by a node on its own, or refused.
    local: BTreeSet<u64>,
    members: BTreeMap<(usize, String), Member>,
    /// Messages that nobody misses, by node.
    volatile: BTreeSet<(usize, u64)>,
    /// Users on other nodes, by node and room.
    elsewhere: BTreeMap<(usize, String), BTreeMap<Arc<str>, Info>>,
    /// Message and room.
    open: BTreeMap<(usize, Ticket), (u64, String)>,
    /// What happened how often.
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

/// What the members of a room on one node know.
#[derive(Default)]
struct Member {
    /// Epoch, last number, and whether the epoch is the node's own.
    at: Option<(Arc<str>, u64, bool)>,
    /// Where it was before it was on its own.
    before: Option<(Arc<str>, u64)>,
    /// Where it was in each epoch that it has left.
    past: BTreeMap<Arc<str>, u64>,
    /// The last message of each node: they are counted up as they are sent.
    last: BTreeMap<Arc<str>, u64>,
    /// They have not been told where they begin.
    is_new: bool,
    /// Where those were who left before.
    known: Option<(Arc<str>, u64, bool)>,
}

impl Witness {
    pub(crate) fn published(&mut self, node: usize, ticket: Ticket, id: u64, room: &str) {
        self.open.insert((node, ticket), (id, room.to_owned()));
    }

    pub(crate) fn entered(&mut self, node: usize, room: &str) {
        let place = (node, room.to_owned());
        let known = self.members.remove(&place).and_then(|member| member.at);
        let member = Member {
            is_new: true,
            known,
            ..Member::default()
        };
        self.members.insert(place, member);
    }

    /// A process is gone, and nobody hears what it says.
    pub(crate) fn killed(&mut self, node: usize) {
        self.members.retain(|(at, _), _| *at != node);
        self.elsewhere.retain(|(at, _), _| *at != node);
        self.open.retain(|(at, _), _| *at != node);
    }

    /// Members who enter see these users on other nodes.
    pub(crate) fn sees(
        &mut self,
        node: usize,
        room: &str,
        users: impl Iterator<Item = (Arc<str>, Info)>,
    ) {
        self.elsewhere
            .insert((node, room.to_owned()), users.collect());
    }

    /// Whom members see on other nodes, and what they are told of them.
    pub(crate) fn elsewhere(&self, node: usize, room: &str) -> BTreeMap<Arc<str>, Info> {
        self.elsewhere[&(node, room.to_owned())].clone()
    }

    /// Messages whose fate is not told.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// Where the members of a room are.
    pub(crate) fn position(&self, node: usize, room: &str) -> Option<(Arc<str>, u64)> {
        let member = self.members.get(&(node, room.to_owned()))?;
        let (epoch, seq, local) = member.at.clone()?;
        (!local).then_some((epoch, seq))
    }

    pub(crate) fn told(&mut self, at: usize, name: &Arc<str>, output: Output) {
        match output {
            Output::Position {
                room,
                epoch,
                seq,
                kind,
            } => self.position_told(at, &room, epoch, seq, kind),
            Output::Skip {
                room,
                from,
                to,
                lost,
            } => self.skipped(at, &room, (from, to), lost),
            Output::Deliver {
                room,
                seq,
                node,
                body,
                ticket,
            } => self.delivered((at, name), &room, seq, node, &body, ticket),
            Output::Published { ticket, fate } => self.fate_told(at, ticket, fate),
            Output::Unavailable { room } => {
                assert_eq!(room_terms(&room).when_down, WhenDown::Refuse);
                self.count("unavailable");
            }
            Output::Volatile { node, body, .. } => {
                let id = str::from_utf8(&body).unwrap().parse().unwrap();
                assert_ne!(node, *name, "{id} comes back to its node");
                assert!(self.volatile.insert((at, id)), "{id} arrives twice");
                self.count("volatile");
            }
            Output::Recalled {
                room,
                epoch,
                entries,
                ..
            } => self.recalled(&room, &epoch, &entries),
            Output::Occupants { room, joined, left } => self.occupants(at, &room, joined, left),
            other => panic!("{other:?} is not told"),
        }
    }

    fn skipped(&mut self, at: usize, room: &str, (from, to): (u64, u64), lost: bool) {
        let has_order = room_terms(room).order == Order::Total;
        let what = match lost {
            true if has_order => "lost",
            true => "missed",
            false => "repeat",
        };
        *self.seen.entry(what).or_default() += to + 1 - from;
        let (_, seq, local) = self.at(at, room);
        assert!(
            !*local || !has_order,
            "a number of the node's own is skipped"
        );
        assert_eq!(from, *seq + 1, "node {at} in {room}");
        assert!(to >= from);
        *seq = to;
    }

    fn fate_told(&mut self, at: usize, ticket: Ticket, fate: Fate) {
        let told = self.open.remove(&(at, ticket));
        let (id, room) = told.expect("a fate told twice");
        match fate {
            Fate::Numbered(epoch, seq) => {
                self.numbered(room, epoch, seq, id);
                self.count("numbered");
            }
            Fate::Applied => self.count("applied"),
            Fate::Local => {
                self.local.insert(id);
                self.count("nobody");
            }
            Fate::Refused => {
                self.local.insert(id);
                self.count("refused message");
            }
            Fate::Forwarded => self.count("forwarded"),
            Fate::NotKept => panic!("{id} is the value of no key"),
        }
    }

    fn recalled(&mut self, room: &str, epoch: &Arc<str>, entries: &[Entry]) {
        for pair in entries.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq + 1, "a hole in what is recalled");
        }
        for entry in entries {
            let id = str::from_utf8(&entry.body).unwrap().parse().unwrap();
            self.numbered(room.to_owned(), Arc::clone(epoch), entry.seq, id);
        }
        if !entries.is_empty() {
            self.count("recalled");
            *self.seen.entry("recalled messages").or_default() += entries.len() as u64;
        }
    }

    fn position_told(
        &mut self,
        node: usize,
        room: &str,
        epoch: Arc<str>,
        seq: u64,
        kind: PositionKind,
    ) {
        let member = self
            .members
            .get_mut(&(node, room.to_owned()))
            .expect("a position in a room that nobody is in");
        let before = match &member.at {
            Some((epoch, seq, false)) => Some((epoch.clone(), *seq)),
            _ => member.before.clone(),
        };
        let what = match kind {
            PositionKind::Start => {
                assert!(member.is_new && before.is_none(), "a second start");
                member.is_new = false;
                if let Some((known, at, false)) = &member.known {
                    assert!(*known != epoch || seq >= *at, "back to a number before");
                }
                "start"
            }
            PositionKind::Resumed => {
                assert_eq!(before, Some((epoch.clone(), seq)), "resumed elsewhere");
                "resumed"
            }
            PositionKind::NewEpoch => {
                assert_ne!(before.clone().expect("no epoch before").0, epoch, "not new");
                let been = member.past.get(&epoch).copied();
                assert!(
                    seq == 0 || Some(seq) == been,
                    "messages of the new epoch are skipped unsaid"
                );
                "new epoch"
            }
            PositionKind::Local => "alone",
        };
        let has_order = room_terms(room).order == Order::Total;
        let is_local = kind == PositionKind::Local || !has_order;
        member.past.extend(before.clone());
        member.before = if is_local { before } else { None };
        member.at = Some((epoch, seq, is_local));
        self.count(what);
    }

    fn delivered(
        &mut self,
        (at, name): (usize, &Arc<str>),
        room: &str,
        seq: u64,
        node: Arc<str>,
        body: &[u8],
        ticket: Option<Ticket>,
    ) {
        let id: u64 = str::from_utf8(body).unwrap().parse().unwrap();
        let (epoch, last, local) = self.at(at, room);
        assert_eq!(seq, *last + 1, "{room} on node {at}");
        *last = seq;
        let (epoch, local) = (epoch.clone(), *local);
        if room_terms(room).order == Order::Local {
            self.count("without order");
        } else if local {
            self.local.insert(id);
            self.count("local");
        } else {
            self.numbered(room.to_owned(), epoch, seq, id);
            assert!(
                !self.local.contains(&id),
                "{id} was delivered by its node alone"
            );
            self.count("delivered");
        }
        let own = node == *name;
        let member = self.members.get_mut(&(at, room.to_owned())).unwrap();
        if !local || room_terms(room).order == Order::Local {
            let before = member.last.insert(node, id).unwrap_or(0);
            assert!(before < id, "{id} after {before} in {room} on node {at}");
        }
        if let Some(ticket) = ticket {
            assert!(own, "the ticket of another node's message");
            let told = self.open.remove(&(at, ticket));
            assert_eq!(told, Some((id, room.to_owned())), "a fate told twice");
        } else {
            let mut open = self.open.iter();
            let is_open = open.any(|(key, (open, _))| key.0 == at && *open == id);
            assert!(
                !is_open,
                "{id} is delivered to its own node without its ticket"
            );
        }
    }

    fn occupants(
        &mut self,
        at: usize,
        room: &str,
        joined: Vec<(Arc<str>, Info)>,
        left: Vec<Arc<str>>,
    ) {
        let seen = self
            .elsewhere
            .get_mut(&(at, room.to_owned()))
            .expect("users of a room that nobody is in");
        for (user, info) in joined {
            let known = seen.insert(user, info.clone());
            assert_ne!(known, Some(info), "a user who is there comes");
            let what = known.map_or("joined", |_| "info changed");
            *self.seen.entry(what).or_default() += 1;
        }
        for user in left {
            assert!(
                seen.remove(&user).is_some(),
                "a user who is not there leaves"
            );
            *self.seen.entry("left").or_default() += 1;
        }
    }

    /// A number in an epoch is one message, for whoever hears of it.
    fn numbered(&mut self, room: String, epoch: Arc<str>, seq: u64, id: u64) {
        let place = (room, epoch, seq);
        let known = *self.log.entry(place.clone()).or_insert(id);
        assert_eq!(known, id, "{place:?} is two messages");
    }

    fn at(&mut self, node: usize, room: &str) -> &mut (Arc<str>, u64, bool) {
        self.members
            .get_mut(&(node, room.to_owned()))
            .expect("something for a room that nobody is in")
            .at
            .as_mut()
            .expect("something before a position")
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }
}
