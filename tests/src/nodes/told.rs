//! What members are told of a room: where it is, its messages, and what they do not get.

use super::client::What;
use super::hearing::Heard;
use super::oracle::{Sender, identity};
use super::place::Stage;
use super::plan::{CURSORS, Mode, PRICES, STRICT};
use super::world::World;

impl World {
    /// Whether nodes may be without their broker for a while.
    pub(super) fn may_be_away(&self) -> bool {
        self.plan.mode != Mode::Nothing
    }

    /// Whether the broker may lose something.
    pub(super) fn may_lose(&self) -> bool {
        self.plan.mode == Mode::All
    }

    pub(super) fn is_told_position(&mut self, c: u32, l: u32, heard: &Heard<'_>) {
        let (Some(room), Some(name), Some(seq)) = (heard.room(), heard.epoch, heard.seq) else {
            return self.fail("wire", format!("client {c}: {heard:?}"));
        };
        let epoch = self.oracle.epoch(room, name);
        self.belongs(l, epoch);
        let place = &self.clients[c as usize].places[room];
        match place.stage {
            // It has left, and has asked to come in again before it was told that the room has moved.
            Stage::Asked(request) if request > 0 && heard.id.is_none() => {}
            Stage::Asked(request) => {
                let answers = heard.id.unwrap_or(0) == request;
                self.check("answers", answers, || {
                    format!("client {c} asked by {request}: {heard:?}")
                });
                self.comes_in(c, l, room, (epoch, seq), heard.recovered);
            }
            Stage::In => self.is_moved(c, l, room, (epoch, seq), heard),
            // It has left meanwhile.
            Stage::Out => {}
        }
    }

    /// An epoch that is not the broker's belongs to one process.
    fn belongs(&mut self, l: u32, epoch: u32) {
        let process = self.links[l as usize].process;
        let found = &mut self.oracle.epochs[epoch as usize];
        if found.is_shared {
            return;
        }
        let of = *found.process.get_or_insert(process);
        self.check("epochs", of == process, || {
            format!("epoch {epoch} is of process {of} and of {process}")
        });
    }

    /// A client has come into a room.
    fn comes_in(
        &mut self,
        c: u32,
        l: u32,
        room: usize,
        (epoch, seq): (u32, u64),
        recovered: Option<bool>,
    ) {
        let place = &mut self.clients[c as usize].places[room];
        let since = place.since.take();
        let before = place.known.get(&epoch).copied();
        place.stage = Stage::In;
        place.came_from = since.filter(|_| recovered == Some(false));
        if recovered == Some(true) {
            let from = since.filter(|(its, at)| *its == epoch && *at <= seq);
            let Some((_, at)) = from else {
                let what = format!("client {c} recovers in {epoch} at {seq} from {since:?}");
                return self.fail("recovery", what);
            };
            place.begins(epoch, at);
            place.table.goes_on();
            self.count("recovered", 1);
            self.count("values recovered", u64::from(room == PRICES));
            self.has_moved(c, l, room);
        } else {
            place.begins(epoch, seq);
            if before.is_some_and(|before| seq < before) && !self.plan.keeps(room) {
                // The node is behind the one where it was, and looks for nothing in such a room.
                place.went_back(epoch, l);
                self.count("came to a node that is behind", 1);
            }
            self.count("not recovered", u64::from(recovered == Some(false)));
            // A node that is on its own has an epoch of its own.
            let is_kept = since.is_some_and(|(its, _)| self.oracle.is_shared(its))
                && self.oracle.is_shared(epoch)
                && room != CURSORS
                && self.plan.keeps(room);
            self.check("no loss, no gap", self.may_be_away() || !is_kept, || {
                format!("client {c} is not recovered from {since:?} to {epoch} at {seq}")
            });
        }
        if room == PRICES && recovered != Some(true) {
            self.begins_table(c, (epoch, seq));
        }
        self.clients[c as usize].places[room].retry = 0;
        self.answered(c, room);
        self.sends_again(c, l, room, recovered == Some(true));
    }

    /// Forgets the request to come into a room.
    fn answered(&mut self, c: u32, room: usize) {
        let client = &mut self.clients[c as usize];
        client
            .pending
            .retain(|pending| pending.what != What::Enter || pending.room != room);
    }

    /// Notes where a client was last.
    fn has_moved(&mut self, c: u32, l: u32, room: usize) {
        let node = self.links[l as usize].node;
        let before = self.clients[c as usize].places[room].node.replace(node);
        let other = before.is_some_and(|before| before != node);
        self.count("recovered on another node", u64::from(other));
    }

    /// The room goes on from elsewhere.
    fn is_moved(
        &mut self,
        c: u32,
        l: u32,
        room: usize,
        (epoch, seq): (u32, u64),
        heard: &Heard<'_>,
    ) {
        if room == PRICES {
            return self.values_move(c, l, (epoch, seq), heard);
        }
        let place = &self.clients[c as usize].places[room];
        let before = place.stay.get(&epoch).copied().map(|mut before| {
            // The last ones were not meant for it, or are its own.
            let is_kept = |seq| Some(self.is_kept_from(c, self.oracle.at(epoch, seq)?));
            let is_had = |seq| is_kept(seq) == Some(true) || place.has_acked(epoch, seq);
            while before < seq && is_had(before + 1) {
                before += 1;
            }
            before
        });
        let place = &mut self.clients[c as usize].places[room];
        let known = place.known.get(&epoch).copied();
        let came_from = place.came_from.filter(|(its, _)| *its == epoch);
        let was = place.at().map(|(epoch, _)| epoch);
        place.begins(epoch, seq);
        let is_shared = self.oracle.is_shared(epoch);
        let was_shared = was.is_some_and(|it| self.oracle.is_shared(it));
        self.check("positions", heard.id.is_none(), || {
            format!("client {c} is in the room: {heard:?}")
        });
        if let Some(before) = before {
            // It goes on where it was before it was on its own. Only where there are two brokers can it
            // go back to another epoch: then what it had comes as skipped.
            self.count("back from alone", u64::from(is_shared));
            let goes_back = seq < before && self.oracle.was_split;
            self.check("positions", before == seq || goes_back, || {
                format!("client {c} knew {before} of epoch {epoch}: {heard:?}")
            });
            if goes_back {
                self.clients[c as usize].places[room].went_back(epoch, l);
            }
        } else if let Some((_, before)) = came_from {
            // It came while the node was on its own, and goes on where it was, or where the node was if the
            // log could not be read in time; it was told before that it begins anew.
            self.count("back to where it was", 1);
            let is_unread = self.may_lose() || self.is_unanswered(self.links[l as usize].node);
            let is_lost = is_unread && seq > before;
            let is_right = seq == before || is_lost || self.oracle.was_split;
            self.check("positions", is_right, || {
                format!("client {c} had come from {before} of epoch {epoch}: {heard:?}")
            });
            if seq < before {
                // Of two brokers, its node has heard of this one again.
                self.clients[c as usize].places[room].went_back(epoch, l);
            }
        } else if let Some(known) = known {
            // It knew that long before, and is told where the others were.
            self.count("moved to where others were", 1);
            if seq < known {
                self.clients[c as usize].places[room].went_back(epoch, l);
            }
        } else if is_shared && was_shared {
            self.count("new epoch told", 1);
            self.check("no loss, no gap", self.may_lose(), || {
                format!("client {c} is told another epoch: {heard:?}")
            });
        } else if !is_shared && room != CURSORS {
            self.count("alone told", 1);
            let is_alone = self.links[l as usize].is_alone;
            self.check("told alone", is_alone && room != STRICT, || {
                format!("client {c} does not know that its node is alone: {heard:?}")
            });
        }
    }

    pub(super) fn gets_message(&mut self, c: u32, l: u32, heard: &Heard<'_>) {
        let Some(room) = heard.room() else {
            return self.fail("wire", format!("client {c}: {heard:?}"));
        };
        let Some(seq) = heard.seq else {
            self.count("volatile message", 1);
            return self.gets_unnumbered(c, l, heard, "\"v");
        };
        let place = &self.clients[c as usize].places[room];
        if !place.is_in() {
            // It has left meanwhile, and may have asked to come in again.
            let left = place.stage != Stage::Asked(0);
            return self.check("rooms", left, || format!("client {c}: {heard:?}"));
        }
        let Some((epoch, at)) = place.at() else {
            return self.fail("positions", format!("client {c}: {heard:?}"));
        };
        self.count("message", 1);
        self.check("order", seq > at, || {
            format!("client {c} is at {at} of epoch {epoch}: {heard:?}")
        });
        if room == PRICES {
            self.clients[c as usize].places[room].moves_to(seq);
            return self.gets_value(c, (epoch, seq), heard);
        }
        let content = heard.content.map_or("", |it| it.get());
        let id = identity(content.as_bytes());
        let id = id.filter(|&id| id < self.oracle.messages.len() as u64);
        let Some(id) = id else {
            return self.fail("content", format!("client {c}: {heard:?}"));
        };
        self.accounts_for(c, room, epoch, seq);
        self.clients[c as usize].places[room].moves_to(seq);
        self.numbered_for(c, epoch, seq, id);
        self.is_meant_for(c, id, heard);
        self.comes_once(c, l, room, epoch, id);
        self.comes_in_order(c, room, epoch, id);
    }

    /// Numbers that a member does not get have a reason.
    fn accounts_for(&mut self, c: u32, room: usize, epoch: u32, seq: u64) {
        for number in self.clients[c as usize].places[room].missing_before(seq) {
            match self.oracle.at(epoch, number) {
                Some(id) if self.is_kept_from(c, id) => {}
                None if !self.oracle.is_shared(epoch) => {
                    let place = &mut self.clients[c as usize].places[room];
                    place.holes.push((epoch, number));
                }
                found => self.fail(
                    "no silent loss",
                    format!("client {c} misses {number} of epoch {epoch}, {found:?}"),
                ),
            }
        }
    }

    /// Whether a message is not meant for a client.
    pub(super) fn is_kept_from(&self, c: u32, id: u64) -> bool {
        let message = &self.oracle.messages[id as usize];
        let own = message.written.sender == Sender::Client(c);
        message.written.excluded == Some(self.clients[c as usize].user)
            || (own && !message.written.echo && !self.is_sent_here(c, id))
    }

    /// Whether a client has sent a message through its present connection, and no other one.
    fn is_sent_here(&self, c: u32, id: u64) -> bool {
        let links = &self.oracle.messages[id as usize].links;
        let here = self.clients[c as usize].link;
        links.iter().all(|link| Some(*link) == here)
    }

    pub(super) fn is_meant_for(&mut self, c: u32, id: u64, heard: &Heard<'_>) {
        let message = &self.oracle.messages[id as usize];
        let own = message.written.sender == Sender::Client(c);
        let excluded = message.written.excluded == Some(self.clients[c as usize].user);
        let (echo, here) = (message.written.echo, self.is_sent_here(c, id));
        // Through another connection, it does not get it where sessions are known.
        let is_kept = own && !echo && (here || self.plan.keeps(message.written.room));
        let expected = match message.written.sender {
            Sender::Client(from) => {
                Some(super::client::user_name(self.clients[from as usize].user))
            }
            Sender::Process(_) => None,
        };
        self.check("exclusion", !excluded, || format!("client {c}: {heard:?}"));
        self.check("exclusion", !is_kept, || {
            format!("client {c} gets its own: {heard:?}")
        });
        self.check("senders", heard.sender == expected.as_deref(), || {
            format!("client {c}: {heard:?} is of {expected:?}")
        });
    }

    /// No message comes twice: in an epoch, or through a connection.
    fn comes_once(&mut self, c: u32, l: u32, room: usize, epoch: u32, id: u64) {
        let place = &mut self.clients[c as usize].places[room];
        let before = place.got.insert(id, (l, epoch));
        let Some((link, its)) = before else {
            return;
        };
        let message = &self.oracle.messages[id as usize];
        // A node that is cut off may have it, or may have given it to its own members, while it is sent
        // again.
        let is_sent_again = message.links.len() > 1;
        let elsewhere = message.nodes.len() > 1 || its != epoch;
        // Its node sent it to both of two brokers, as the first one did not answer.
        let is_at_both = self.oracle.was_split && its != epoch;
        let again = (is_sent_again && elsewhere) || is_at_both;
        // Once told a position that it had been past, it gets what follows again, also later.
        let went_back = |(its, since)| its == epoch && since <= l;
        let other = its != epoch || place.back.is_some_and(went_back);
        self.count("twice because it was sent again", u64::from(again));
        self.count("twice through two connections", u64::from(!again));
        self.check("once", again || (other && link != l), || {
            format!("client {c} gets {id} twice: epochs {its} and {epoch}, links {link} and {l}")
        });
    }

    /// The messages of a sender keep their order.
    pub(super) fn comes_in_order(&mut self, c: u32, room: usize, epoch: u32, id: u64) {
        let message = &self.oracle.messages[id as usize];
        let sender = match message.written.sender {
            Sender::Client(_) if message.links.len() == 1 => u64::from(message.links[0]),
            Sender::Client(_) => return,
            Sender::Process(process) => u64::from(process) | 1 << 32,
        };
        let place = &mut self.clients[c as usize].places[room];
        let before = place.last.insert((epoch, sender), id);
        self.check("order", before.is_none_or(|before| before < id), || {
            format!("client {c} gets {id} after {before:?}")
        });
    }

    /// Numbers that the client does not get.
    pub(super) fn is_told_missing(&mut self, c: u32, l: u32, heard: &Heard<'_>) {
        let (Some(room), Some(from), Some(to)) = (heard.room(), heard.from, heard.to) else {
            return self.fail("wire", format!("client {c}: {heard:?}"));
        };
        self.check("values", room != PRICES, || {
            format!("client {c}: {heard:?}")
        });
        let place = &self.clients[c as usize].places[room];
        let Some((epoch, at)) = place.at().filter(|_| place.is_in()) else {
            return;
        };
        self.accounts_for(c, room, epoch, from);
        self.check("order", from <= to && to > at, || {
            format!("client {c} is at {at}: {heard:?}")
        });
        if heard.kind == "gap" {
            self.count("gap told", to + 1 - from);
            let has = self.broker_has(room, epoch, (from, to));
            self.count("gap of what the broker has", has);
            let allowed = self.may_lose() || (room == CURSORS && self.may_be_away());
            self.check("no loss, no gap", allowed, || {
                format!("client {c} link {l}: {heard:?}")
            });
        } else {
            self.count("skip told", to + 1 - from);
            for number in from.max(at + 1)..=to {
                self.is_skipped_rightly(c, room, epoch, number);
            }
        }
        self.clients[c as usize].places[room].moves_to(to);
    }

    /// Nothing is hidden by a `skip` that is meant for the client.
    fn is_skipped_rightly(&mut self, c: u32, room: usize, epoch: u32, number: u64) {
        let Some(id) = self.oracle.at(epoch, number) else {
            return;
        };
        let message = &self.oracle.messages[id as usize];
        let own = message.written.sender == Sender::Client(c);
        let place = &self.clients[c as usize].places[room];
        let has_got = place.got.contains_key(&id);
        let is_kept = self.is_kept_from(c, id);
        // Of an epoch before, in which it was there for others before this client came.
        let was_before = message.numbers.iter().any(|(its, _)| *its != epoch);
        // Where there are two brokers, a node can come back to an epoch that it had before some came.
        let is_right = own || has_got || is_kept || was_before || self.oracle.was_split;
        self.check("no silent loss", is_right, || {
            format!("client {c} is told to skip {number} of epoch {epoch}, which is {id}")
        });
    }
}
