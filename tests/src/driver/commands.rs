//! The application's steps, and the dispatch of a script's steps.

use std::time::Duration;

use switchboard_core::protocol::Content;
use switchboard_core::{
    CloseReason, ConnectionId, Event, Exclude, Frame, JoinError, Receipt, SendError,
};

use super::says::content;
use super::{Driver, Fault, ensure, room, same, user};
use crate::model::{Excluded, Tally};
use crate::script::{Except, Family, Op};

const MS: u64 = 1_000_000;

impl Driver {
    pub(super) fn step(&mut self, op: &Op) -> Result<(), Fault> {
        match *op {
            Op::Enter { ip, lobby, who } => self.enter(ip, lobby, who)?,
            Op::Connect { ip } => drop(self.connect(ip)?),
            Op::Return { .. }
            | Op::AnswerPage { .. }
            | Op::Malformed { .. }
            | Op::Request { .. }
            | Op::Verdict { .. }
            | Op::Say { .. }
            | Op::Binary { .. }
            | Op::Ping { .. }
            | Op::Pong { .. }
            | Op::Close { .. }
            | Op::Stream { .. }
            | Op::Partial { .. }
            | Op::Writable { .. }
            | Op::Send { .. }
            | Op::Join { .. }
            | Op::Leave { .. }
            | Op::End { .. }
            | Op::Back { .. } => self.step_of_one(op)?,
            Op::Answer { q, reply } => self.answer(q, reply)?,
            Op::Take => drop(self.take()?),
            Op::Report { w, bytes } => {
                let writing = self
                    .sockets
                    .iter()
                    .filter(|(_, socket)| socket.held.is_some());
                let writing: Vec<ConnectionId> = writing.map(|(&id, _)| id).collect();
                if !writing.is_empty() {
                    let id = writing[usize::from(w) % writing.len()];
                    self.report(id, amount(bytes))?;
                }
            }
            Op::Flush { n, bytes } => self.flush(n.into(), amount(bytes))?,
            Op::Broadcast {
                room: number,
                size,
                sender,
                except,
            } => {
                self.broadcast(room(number), size, sender, except)?;
            }
            Op::Raw {
                room: number,
                size,
                except,
            } => self.raw(Some(room(number)), size, except)?,
            Op::All { size, except } => self.raw(None, size, except)?,
            Op::SendToUser { user: number, size } => self.send_to_user(user(number), size)?,
            Op::DisconnectUser { user: number, own } => self.disconnect_user(user(number), own)?,
            Op::PingUser { user: number, ms } => self.ping_user(user(number), ms)?,
            Op::Drain { window, more } => self.drain(window, more)?,
            Op::Step => self.next_deadline()?,
            Op::Wait { ms } => self.wait(u64::from(ms) * MS)?,
            Op::Idle { ms } => self.now += u64::from(ms) * MS,
            Op::Jump { ms } => {
                self.now += u64::from(ms) * MS;
                self.tick()?;
            }
        }
        if self.setup.flush {
            self.flush_all()?;
        }
        Ok(())
    }

    /// Runs a step that names a connection; a no-op if there is none.
    fn step_of_one(&mut self, op: &Op) -> Result<(), Fault> {
        let (Op::Return { c, .. }
        | Op::AnswerPage { c }
        | Op::Malformed { c }
        | Op::Request { c, .. }
        | Op::Verdict { c, .. }
        | Op::Say { c, .. }
        | Op::Binary { c, .. }
        | Op::Ping { c, .. }
        | Op::Pong { c, .. }
        | Op::Close { c, .. }
        | Op::Stream { c, .. }
        | Op::Partial { c, .. }
        | Op::Writable { c }
        | Op::Send { c, .. }
        | Op::Join { c, .. }
        | Op::Leave { c, .. }
        | Op::End { c, .. }
        | Op::Back { c, .. }) = *op
        else {
            return Ok(());
        };
        let Some(id) = self.pick(c) else {
            return Ok(());
        };
        match *op {
            Op::Return { ip, ms, .. } => self.come_back(id, ip, u64::from(ms) * MS),
            Op::AnswerPage { .. } => self.answer_page(id),
            Op::Malformed { .. } => self.malformed(id),
            Op::Request {
                ip,
                lobby,
                origin,
                kind,
                ..
            } => self.request(id, ip, lobby, origin, kind),
            Op::Verdict { who, .. } => self.verdict(id, who),
            Op::Say {
                message,
                tagged,
                reply,
                ..
            } => self.say(id, message, tagged, reply),
            Op::Binary { len, .. } => self.binary(id, len.into()),
            Op::Ping { len, .. } => self.ping(id, len),
            Op::Pong { right, .. } => self.pong(id, right),
            Op::Close { code, .. } => self.peer_close(id, code),
            Op::Stream { what, .. } => self.stream(id, what),
            Op::Partial {
                in_message, bytes, ..
            } => self.partial(id, in_message, bytes.into()),
            Op::Writable { .. } => self.writable(id),
            Op::Send { size, .. } => self.send(id, size),
            Op::Join { room: number, .. } => self.join(id, room(number)),
            Op::Leave { room: number, .. } => self.leave(id, room(number)),
            Op::End { own, .. } => self.end(id, own),
            Op::Back { ms, .. } => self.back(id, u64::from(ms) * MS),
            _ => Ok(()),
        }
    }

    fn exclude(&self, except: Except) -> Excluded {
        let (connection, name) = match except {
            Except::Nobody => (None, None),
            Except::One(c) => (self.pick(c), None),
            Except::User(number) => (None, Some(user(number))),
            Except::Both(c, number) => (self.pick(c), Some(user(number))),
        };
        Excluded {
            connections: connection.into_iter().collect(),
            users: name.into_iter().map(str::to_owned).collect(),
        }
    }

    fn broadcast(
        &mut self,
        room: &str,
        size: u16,
        sender: bool,
        except: Except,
    ) -> Result<(), Fault> {
        let excluded = self.exclude(except);
        let users: Vec<&str> = excluded.users.iter().map(String::as_str).collect();
        let exclude = Exclude {
            connections: &excluded.connections,
            users: &users,
        };
        let text = content(size);
        let body = Content::parse(&text).map_err(|bad| bad.to_string())?;
        let sender = sender.then_some("ann");
        let members = self.sys.members(room).len();
        let result = self.act(|sys, now| sys.broadcast(now, room, body, sender, exclude));
        adds_up(result, members)?;
        if let Some(model) = &mut self.model {
            let foreseen = model.publish(room, &text, sender, &excluded);
            self.compare_receipt(result, foreseen)?;
        }
        self.settle()
    }

    /// Sends a raw text to a room or to all connections.
    fn raw(&mut self, room: Option<&str>, size: u16, except: Except) -> Result<(), Fault> {
        let excluded = self.exclude(except);
        let users: Vec<&str> = excluded.users.iter().map(String::as_str).collect();
        let exclude = Exclude {
            connections: &excluded.connections,
            users: &users,
        };
        let text = "~".repeat(size.into());
        let members = match room {
            Some(room) => self.sys.members(room).len(),
            None => {
                self.sys
                    .stats(switchboard_core::Time::ZERO)
                    .total_connections
            }
        };
        let frame = Frame::text(&text);
        let result = self.act(|sys, now| match room {
            Some(room) => sys.broadcast_raw(now, room, frame, exclude),
            None => sys.broadcast_all(now, frame, exclude),
        });
        adds_up(result, members)?;
        if let Some(model) = &mut self.model {
            let foreseen = match room {
                Some(room) => model.broadcast_raw(room, &text, &excluded),
                None => model.broadcast_all(&text, &excluded),
            };
            self.compare_receipt(result, foreseen)?;
        }
        self.settle()
    }

    fn send(&mut self, id: ConnectionId, size: u16) -> Result<(), Fault> {
        let text = "~".repeat(size.into());
        let result = self.act(|sys, now| sys.send(now, id, Frame::text(&text)));
        if let Some(model) = &mut self.model {
            let foreseen = model.send_text(id, &text);
            self.compare_receipt(result, foreseen)?;
        }
        self.settle()
    }

    fn send_to_user(&mut self, name: &str, size: u16) -> Result<(), Fault> {
        let text = "~".repeat(size.into());
        let devices = self.sys.connections_of(name).len();
        let result = self.act(|sys, now| sys.send_to_user(now, name, Frame::text(&text)));
        adds_up(result, devices)?;
        if let Some(model) = &mut self.model {
            let foreseen = model.send_to_user(name, &text);
            self.compare_receipt(result, foreseen)?;
        }
        self.settle()
    }

    fn compare_receipt(
        &self,
        result: Result<Receipt, SendError>,
        foreseen: Result<Tally, &'static str>,
    ) -> Result<(), Fault> {
        match &self.model {
            Some(model) if !model.doubt => same("the receipt", &tally(result), &foreseen),
            _ => Ok(()),
        }
    }

    fn join(&mut self, id: ConnectionId, name: &str) -> Result<(), Fault> {
        let result = self.act(|sys, now| sys.join(now, id, name));
        if let Some(model) = &mut self.model {
            let foreseen = model.join(id, name);
            let result = result.map_err(|error| match error {
                JoinError::Stale(_) => "stale",
                JoinError::NotOpen => "not_open",
                JoinError::BadName(_) => "bad_name",
                JoinError::AlreadyIn => "already_subscribed",
                JoinError::TooManyRooms => "too_many_rooms",
                JoinError::NoMoreRooms => "no_more_rooms",
                JoinError::RoomFull => "room_full",
                _ => "another",
            });
            same("joined", &result, &foreseen)?;
        }
        self.settle()
    }

    fn leave(&mut self, id: ConnectionId, name: &str) -> Result<(), Fault> {
        let result = self.act(|sys, now| sys.leave(now, id, name));
        if let Some(model) = &mut self.model {
            let foreseen = model.leave(id, name);
            same("left", &result.unwrap_or_default(), &foreseen)?;
        }
        self.settle()
    }

    fn disconnect_user(&mut self, name: &str, own: bool) -> Result<(), Fault> {
        let (reason, key) = reason_of(own);
        let count = self.act(|sys, now| sys.disconnect_user(now, name, reason));
        if let Some(model) = &mut self.model {
            same("disconnected", &count, &model.disconnect_user(name, key))?;
        }
        self.settle()
    }

    fn end(&mut self, id: ConnectionId, own: bool) -> Result<(), Fault> {
        let (reason, key) = reason_of(own);
        let known = self.act(|sys, now| sys.close(now, id, reason)).is_ok();
        self.is_known(id, known)?;
        if let Some(model) = &mut self.model {
            model.close_by(id, key);
        }
        self.settle()
    }

    fn ping_user(&mut self, name: &str, ms: u16) -> Result<(), Fault> {
        let timeout = Duration::from_millis(ms.into());
        let ticket = self.act(|sys, now| sys.ping_user(now, name, timeout));
        if let Some(model) = &mut self.model {
            model.ping_user(ticket, name, u64::from(ms) * MS);
        }
        self.settle()
    }

    fn drain(&mut self, window: u16, more: u16) -> Result<(), Fault> {
        let window = Duration::from_millis(window.into());
        let deadline = window + Duration::from_millis(more.into());
        self.act(|sys, now| sys.drain(now, window, deadline));
        self.choose();
        if let Some(model) = &mut self.model {
            model.drain(crate::model::nanos(window), crate::model::nanos(deadline));
        }
        self.settle()
    }

    /// Ends all connections and checks that nothing is left.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        if self.setup.family == Family::Health {
            // Long enough for the ping timeout to evict silent clients.
            self.wait(12_000 * MS)?;
        }
        for id in self.sockets.keys().copied().collect::<Vec<_>>() {
            let known = self
                .act(|sys, now| sys.handle(now, id, Event::Reset))
                .is_ok();
            self.is_known(id, known)?;
            if let Some(model) = &mut self.model {
                model.peer_reset(id);
            }
            self.settle()?;
        }
        for _ in 0..3 {
            self.now += 400_000 * MS;
            self.tick()?;
        }
        let stats = self.sys.stats(switchboard_core::Time::ZERO);
        let left = [
            stats.total_connections,
            stats.active_rooms,
            stats.active_lobbies,
            stats.users,
            stats.pending_handshakes,
            stats.closing,
            stats.queued_bytes,
        ];
        same("entries left", &left, &[0; 7])?;
        let gone = self.lives.values().all(|life| life.gone);
        ensure(gone, || "a connection never ended".into())
    }
}

fn amount(bytes: u16) -> usize {
    if bytes == u16::MAX {
        usize::MAX
    } else {
        bytes.into()
    }
}

fn reason_of(own: bool) -> (CloseReason, &'static str) {
    if own {
        (CloseReason::application(4400).unwrap(), "application")
    } else {
        (CloseReason::Kicked, "kicked")
    }
}

fn failure(error: SendError) -> &'static str {
    match error {
        SendError::Stale(_) => "stale",
        SendError::NotOpen => "not_open",
        SendError::Busy => "busy",
        SendError::TooLarge { .. } => "too_large",
        _ => "another",
    }
}

fn tally(result: Result<Receipt, SendError>) -> Result<Tally, &'static str> {
    result.map_err(failure).map(|receipt| Tally {
        seq: receipt.seq,
        accepted: receipt.accepted,
        excluded: receipt.excluded,
        dropped_oldest: receipt.dropped_oldest,
        dropped_newest: receipt.dropped_newest,
        closed: receipt.closed,
    })
}

/// Checks that a receipt accounts for every member.
fn adds_up(result: Result<Receipt, SendError>, members: usize) -> Result<(), Fault> {
    let Ok(receipt) = result else { return Ok(()) };
    let all = receipt.accepted + receipt.excluded + receipt.dropped_newest + receipt.closed;
    ensure(all == members, || format!("{receipt:?} for {members}"))
}
