//! Clients' messages and control frames.

use switchboard_core::{BadName, ConnectionId, Direct, Rooms, Wire, check_name};

use super::queue::{Is, Item, Kind, framed};
use super::{Ask, Excluded, Model, Nanos, Note, Phase, Said, charge, nanos, texts};

/// The most bytes of a message before the login has succeeded.
const AUTH_BYTES: usize = 4 << 10;

impl Model {
    /// Bytes arrived.
    pub fn heard(&mut self, id: ConnectionId) {
        let (live, all) = (self.live(), self.counts_messages_only());
        if let Some(conn) = self.conn(id) {
            conn.last_heard = live;
            if !all {
                conn.last_life = live;
            }
        }
    }

    /// Returns whether only a message counts as life.
    fn counts_messages_only(&self) -> bool {
        self.json() && self.config.health.health_ping == switchboard_core::HealthPing::All
    }

    /// The state of an unfinished message.
    pub fn partial(&mut self, id: ConnectionId, in_message: bool, bytes: usize) {
        let deadline = self.live() + nanos(self.config.timeouts.message);
        let Some(conn) = self.conn(id) else {
            return;
        };
        if conn.phase == Phase::Arrived {
            // The body of a post.
            conn.partial = bytes;
            return self.bound_partials();
        }
        if !conn.hears() {
            return;
        }
        conn.partial = bytes;
        if matches!(conn.phase, Phase::AwaitingAuth { .. }) && bytes > AUTH_BYTES {
            return self.end(id, "policy", None);
        }
        if in_message {
            conn.message_deadline.get_or_insert(deadline);
        } else {
            conn.message_deadline = None;
        }
        self.bound_partials();
    }

    /// Closes the connections that hold most, while unfinished messages take too much memory.
    fn bound_partials(&mut self) {
        while self.conns.values().map(|conn| conn.partial).sum::<usize>()
            > self.config.limits.unfinished_bytes
        {
            let largest = self
                .conns
                .iter()
                .map(|(&id, conn)| (conn.partial, id))
                .max();
            let Some((_, id)) = largest else { return };
            self.end(id, "policy", None);
        }
    }

    /// A message is complete; returns whether it is to be processed.
    pub fn message(&mut self, id: ConnectionId, binary: bool, bytes: usize) -> bool {
        let live = self.live();
        let Some(conn) = self.conn(id) else {
            return false;
        };
        match conn.phase {
            Phase::AwaitingAuth { .. }
                if bytes > AUTH_BYTES || binary && conn.awaits_first_message() =>
            {
                self.end(id, "policy", None);
                return false;
            }
            Phase::Open | Phase::AwaitingAuth { .. } => {}
            _ => {
                // The session has charged it all the same.
                let _ = self.meter(id, bytes);
                return false;
            }
        }
        conn.last_heard = live;
        conn.last_life = live;
        // Any unfinished bytes after this belong to another message.
        conn.message_deadline = None;
        self.counts.messages_in += 1;
        self.counts.bytes_in += bytes as u64;
        if binary && self.config.wire == Wire::Json {
            self.end(id, "unsupported_data", None);
            return false;
        }
        self.charge(id, bytes)
    }

    /// A ping arrived.
    pub fn pinged(&mut self, id: ConnectionId, payload: &[u8]) {
        if !self.charge(id, payload.len()) {
            return;
        }
        let stamp = self.stamp;
        if let Some(conn) = self.conn(id).filter(|conn| conn.hears()) {
            let blocked = conn.blocked;
            conn.queue.answer(payload, blocked, stamp);
        }
    }

    /// A pong arrived; `ours` is whether it answers an interval ping.
    pub fn ponged(&mut self, id: ConnectionId, payload: &[u8], ours: bool) {
        let number = <[u8; 8]>::try_from(payload).ok().map(u64::from_be_bytes);
        let live = self.live();
        if ours {
            if let Some(conn) = self.conn(id) {
                conn.last_life = live;
            }
        } else if !number.is_some_and(|number| self.answered(id, number)) {
            self.charge(id, payload.len());
        }
    }

    pub(crate) fn charge(&mut self, id: ConnectionId, bytes: usize) -> bool {
        let charged = self.meter(id, bytes);
        if let Some(Err(wait)) = charged {
            let millis = wait.div_ceil(1_000_000);
            let words = texts::words("rate_limited");
            let error = texts::error("rate_limited", words, None, None, Some(millis));
            self.strike(id, error);
        }
        charged == Some(Ok(()))
    }

    /// Charges a message to the rates, or returns how long to wait; `None` if there is nobody to charge.
    fn meter(&mut self, id: ConnectionId, bytes: usize) -> Option<Result<(), Nanos>> {
        let (now, rates) = (self.now, self.config.rates);
        let conn = self.conn(id).filter(|conn| !conn.is_ending())?;
        let one = rates.messages.map_or(Ok(conn.messages), |rate| {
            charge(conn.messages, now, rate, 1)
        });
        let volume = rates.bytes.map_or(Ok(conn.bytes), |rate| {
            charge(conn.bytes, now, rate, bytes as u64)
        });
        Some(one.and_then(|one| {
            (conn.messages, conn.bytes) = (one, volume?);
            Ok(())
        }))
    }

    /// Processes a text message; returns the question for the application, if any.
    pub fn command(
        &mut self,
        id: ConnectionId,
        said: Said,
        request: Option<String>,
    ) -> Option<Ask> {
        match self.conns.get(&id)?.phase {
            Phase::Open => {}
            Phase::AwaitingAuth { .. } if said == Said::Auth => return Some(Ask { said, request }),
            Phase::AwaitingAuth { .. } => {
                self.end(id, "policy", None);
                return None;
            }
            _ => return None,
        }
        let tag = request.as_deref();
        match &said {
            Said::Rejected(code, words, channel) => {
                self.strike(id, texts::error(code, words, tag, channel.as_deref(), None));
                None
            }
            Said::Subscribe(room, wish) => match self.may_enter(id, room) {
                Err(why) => {
                    self.join_failed(id, room, why, tag);
                    None
                }
                Ok(()) if self.config.rooms == Rooms::Open => {
                    self.enter_room(id, room, false, tag, wish);
                    None
                }
                Ok(()) => Some(Ask { said, request }),
            },
            Said::Unsubscribe(room) => {
                self.unsubscribe(id, room, tag);
                None
            }
            Said::Message(room, content, echo) => {
                let room = self.route(id, room.as_deref(), tag)?;
                let said = Said::Message(Some(room), content.clone(), *echo);
                Some(Ask { said, request })
            }
            Said::Direct(to, content) => {
                if let Err(bad) = check_name(to, self.config.limits.name_bytes) {
                    self.bad_name(id, bad, tag);
                    return None;
                }
                let text = texts::direct(content, &self.conns[&id].user);
                if framed(text.len()) > self.config.limits.queue_bytes {
                    self.fail(id, "too_large", "too_large", tag, None);
                    return None;
                }
                if self.config.direct == Direct::Open {
                    self.send_direct(id, to, &text, tag);
                    return None;
                }
                Some(Ask {
                    said: Said::Direct(to.clone(), text),
                    request,
                })
            }
            Said::Call(method, _) => {
                if let Err(bad) = check_name(method, self.config.limits.name_bytes) {
                    self.bad_name(id, bad, tag);
                    return None;
                }
                Some(Ask { said, request })
            }
            Said::Ping(stamp) => {
                self.tell(id, texts::pong(stamp.as_deref(), tag));
                None
            }
            Said::HealthPong(number) => {
                number.map(|number| self.answered(id, number));
                None
            }
            Said::Auth => Some(Ask { said, request }),
            // Clients do not say this.
            Said::Handled => None,
        }
    }

    /// The application answered a question that is not about a token; `no` is its refusal.
    pub fn answer(&mut self, id: ConnectionId, ask: &Ask, no: Option<&'static str>) {
        let Some(conn) = self.conn(id) else { return };
        conn.hook = None;
        if !conn.is_open() {
            return;
        }
        let user = conn.user.clone();
        let tag = ask.request.as_deref();
        if let Some(no) = no {
            let channel = match &ask.said {
                Said::Subscribe(room, _) => Some(room.as_str()),
                Said::Message(room, ..) => room.as_deref(),
                _ => None,
            };
            return self.fail(id, no, no, tag, channel);
        }
        match &ask.said {
            Said::Subscribe(room, wish) => match self.may_enter(id, room) {
                Ok(()) => self.enter_room(id, room, false, tag, wish),
                Err(why) => {
                    self.notes.push(Note::JoinFailed(id, room.clone()));
                    self.join_failed(id, room, why, tag);
                }
            },
            Said::Direct(to, text) => self.send_direct(id, to, text, tag),
            Said::Handled => {
                if let Some(tag) = tag {
                    self.tell(id, texts::handled_ack(tag));
                }
            }
            Said::Call(_, params) => {
                let text = texts::result(tag.unwrap_or_default(), params);
                if framed(text.len()) > self.config.limits.queue_bytes {
                    return self.fail(id, "too_large", "too_large", tag, None);
                }
                self.tell(id, text);
            }
            Said::Message(Some(room), content, echo) => {
                self.publish_from(id, &user, room, content, *echo, tag);
            }
            _ => {}
        }
    }

    fn route(&mut self, id: ConnectionId, room: Option<&str>, tag: Option<&str>) -> Option<String> {
        let rooms = self.conns[&id].rooms.clone();
        let Some(room) = room else {
            if let [(only, _)] = rooms.as_slice() {
                return Some(only.clone());
            }
            let words = texts::words("no_channel");
            self.strike(id, texts::error("bad_request", words, tag, None, None));
            return None;
        };
        if let Err(bad) = check_name(room, self.config.limits.name_bytes) {
            self.bad_name(id, bad, tag);
            return None;
        }
        if rooms.iter().any(|(name, _)| name == room) {
            return Some(room.to_owned());
        }
        self.fail(id, "not_in_channel", "not_in_channel", tag, Some(room));
        None
    }

    fn publish_from(
        &mut self,
        id: ConnectionId,
        user: &str,
        room: &str,
        content: &str,
        echo: bool,
        tag: Option<&str>,
    ) {
        if !self.conns[&id].rooms.iter().any(|(name, _)| name == room) {
            return self.fail(id, "not_in_channel", "not_in_channel", tag, Some(room));
        }
        let exclude = Excluded {
            connections: if echo { Vec::new() } else { vec![id] },
            users: Vec::new(),
        };
        match self.publish(room, content, Some(user), &exclude) {
            Ok(tally) => {
                if let (Some(tag), Some(seq)) = (tag, tally.seq) {
                    self.tell(id, texts::ack(tag, seq));
                }
            }
            Err("busy") => {
                let words = texts::words("busy");
                let error = texts::error("rate_limited", words, tag, Some(room), Some(100));
                self.tell(id, error);
            }
            Err(_) => self.fail(id, "too_large", "too_large", tag, Some(room)),
        }
    }

    fn send_direct(&mut self, id: ConnectionId, to: &str, text: &str, tag: Option<&str>) {
        if !self.users.contains_key(to) {
            return self.fail(id, "not_connected", "not_connected", tag, None);
        }
        let item = Item::new(framed(text.len()), Is::Json(text.to_owned()), Kind::Message);
        if self.is_busy_user(to, item.len) {
            let words = texts::words("busy_user");
            let error = texts::error("rate_limited", words, tag, None, Some(100));
            return self.tell(id, error);
        }
        let delivered = self.send_to_devices(to, &item).accepted as u64;
        if let Some(tag) = tag {
            self.tell(id, texts::direct_ack(tag, delivered));
        }
    }

    fn unsubscribe(&mut self, id: ConnectionId, room: &str, tag: Option<&str>) {
        if let Err(bad) = check_name(room, self.config.limits.name_bytes) {
            return self.bad_name(id, bad, tag);
        }
        self.give_up_rest(id, room);
        if self.leave_room(id, room, false) {
            self.tell(id, texts::unsubscribed(room, tag));
        } else {
            self.fail(id, "not_in_channel", "not_in_channel", tag, Some(room));
        }
    }

    fn join_failed(&mut self, id: ConnectionId, room: &str, why: &str, tag: Option<&str>) {
        match why {
            "bad_name" => {
                if let Err(bad) = check_name(room, self.config.limits.name_bytes) {
                    self.bad_name(id, bad, tag);
                }
            }
            "too_many_rooms" | "no_more_rooms" => {
                self.fail(id, "limit_exceeded", why, tag, Some(room));
            }
            "already_subscribed" | "room_full" => self.fail(id, why, why, tag, Some(room)),
            _ => {}
        }
    }

    fn bad_name(&mut self, id: ConnectionId, bad: BadName, tag: Option<&str>) {
        let words = match bad {
            BadName::Empty => texts::words("empty_name").to_owned(),
            BadName::Control => texts::words("control").to_owned(),
            BadName::TooLong(most) => format!("a name may have at most {most} bytes"),
            _ => String::new(),
        };
        self.strike(id, texts::error("bad_request", &words, tag, None, None));
    }

    fn fail(
        &mut self,
        id: ConnectionId,
        code: &str,
        words: &str,
        tag: Option<&str>,
        channel: Option<&str>,
    ) {
        let words = texts::words(words);
        self.tell(id, texts::error(code, words, tag, channel, None));
    }
}
