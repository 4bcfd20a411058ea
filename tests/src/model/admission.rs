//! Admission.

use switchboard_core::{ConnectionId, UserPolicy, check_name};

use super::claims::MOMENT;
use super::queue::{Is, Item, Kind, Queue};
use super::{Conn, Model, Nanos, Note, Phase, Room, Wish, charge, nanos, texts};

/// The application's verdict on a newcomer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This user, with the lifetime of the identity if it expires.
    User(String, Option<Nanos>),
    /// An anonymous client.
    Anonymous,
    /// To be decided by the first message.
    FirstMessage,
    /// Refused: `unauthorized`, `forbidden` or `internal`.
    No(&'static str),
}

impl Model {
    /// A stream arrived from address `ip`, which may be a trusted proxy. `id` is the id that the
    /// system gave it, if any.
    pub fn connect(&mut self, id: Option<ConnectionId>, ip: u8, proxy: bool) {
        let limit = self.config.limits.handshakes;
        let seats = self.handshakes();
        let dropped = if seats >= 2 * limit {
            Some("refusals_full")
        } else if !proxy && self.is_greedy(seats, self.entering(ip)) {
            Some("ip_limit")
        } else {
            None
        };
        let Some(id) = id else {
            match dropped {
                Some(why) => self.count_refused(why),
                None => self.fault(
                    "a stream was dropped although it could have been refused by a response",
                ),
            }
            return;
        };
        if let Some(why) = dropped {
            self.fault(format!("a stream got a seat beyond the limit: {why}"));
        }
        let live = self.live();
        let conn = Conn {
            phase: Phase::Arrived,
            ip,
            ip_seat: false,
            within_rate: None,
            user: String::new(),
            anonymous: false,
            rooms: Vec::new(),
            stays: std::collections::BTreeMap::new(),
            queue: Queue::default(),
            hook: None,
            deadline: live + nanos(self.config.timeouts.handshake),
            claim: None,
            message_deadline: None,
            partial: 0,
            expires: None,
            last_heard: live,
            last_life: live,
            opened: live,
            stalled_from: None,
            ping_left: None,
            stall_check: None,
            paused: false,
            leaving: false,
            messages: (0, 0),
            bytes: (0, 0),
            strikes: Vec::new(),
            probes: Vec::new(),
            asked: Vec::new(),
            writing: false,
            blocked: false,
            shut: false,
            discarded: 0,
            eof: false,
        };
        self.conns.insert(id, conn);
        if !proxy {
            self.charge_connect(id);
        }
        if seats >= limit {
            self.refuse(id, "handshakes_full");
        }
    }

    /// Returns the number of connections of an address that are not admitted yet.
    fn entering(&self, ip: u8) -> usize {
        let entering = |conn: &Conn| !matches!(conn.phase, Phase::Open | Phase::Closing { .. });
        self.count(|conn| conn.ip == ip && entering(conn))
    }

    /// Returns whether an address that holds `held` seats has its share of a kind, `taken` of which
    /// are taken.
    fn is_greedy(&self, taken: usize, held: usize) -> bool {
        let limit = self.config.limits.handshakes;
        taken >= limit.div_ceil(2) && held >= 20 && held >= limit / 10
    }

    /// Charges a connect to its address once; a refusal for its rate follows later.
    fn charge_connect(&mut self, id: ConnectionId) {
        let (now, rate) = (self.now, self.config.rates.connects);
        let Some(conn) = self
            .conns
            .get_mut(&id)
            .filter(|conn| conn.within_rate.is_none())
        else {
            return;
        };
        conn.within_rate = Some(rate.is_none_or(|rate| {
            let level = self.connects.entry(conn.ip).or_default();
            let charged = charge(*level, now, rate, 1);
            *level = charged.unwrap_or(*level);
            charged.is_ok()
        }));
    }

    /// The request tells the client's address. Returns whether there is not even a seat to linger
    /// in.
    fn client_is_known(&mut self, id: ConnectionId, ip: u8) -> bool {
        let Some(conn) = self.conn(id) else {
            return false;
        };
        let moved = std::mem::replace(&mut conn.ip, ip) != ip;
        self.charge_connect(id);
        moved && self.is_greedy(self.handshakes() - 1, self.entering(ip) - 1)
    }

    pub(crate) fn count_refused(&mut self, key: &str) {
        *self.counts.refused.entry(key.into()).or_default() += 1;
    }

    /// The head of a request is complete. Returns the expected answer of the system.
    pub fn request(
        &mut self,
        id: ConnectionId,
        ip: u8,
        lobby: Option<&str>,
        good_origin: bool,
        response: Option<usize>,
    ) -> &'static str {
        if self
            .conns
            .get(&id)
            .is_none_or(|conn| conn.phase != Phase::Arrived)
        {
            return "refused";
        }
        if self.client_is_known(id, ip) {
            self.turn_away(id, response.is_none());
            return "refused";
        }
        let lobby = lobby.map(str::to_owned);
        let bad_name = lobby
            .as_deref()
            .is_some_and(|name| check_name(name, self.config.limits.name_bytes).is_err());
        if let Some(conn) = self.conn(id) {
            conn.phase = Phase::Authenticating { lobby, response };
        }
        self.rule = "illegal room name";
        let refused = if bad_name {
            Some("malformed")
        } else if self.drain.is_some() {
            Some("restart")
        } else if !good_origin {
            Some("origin")
        } else if !self.seat_address(id, ip) {
            Some("ip_limit")
        } else {
            None
        };
        if let Some(refused) = refused {
            self.refuse(id, refused);
            return "refused";
        }
        self.hook_started(id);
        "authenticate"
    }

    fn seat_address(&mut self, id: ConnectionId, ip: u8) -> bool {
        let seats = self.count(|conn| conn.ip == ip && conn.ip_seat);
        let free = seats < self.config.limits.per_ip;
        self.conn(id).is_some_and(|conn| {
            conn.ip_seat = free && conn.within_rate == Some(true);
            conn.ip_seat
        })
    }

    /// A request for a page.
    pub fn page_request(&mut self, id: ConnectionId, ip: u8) -> &'static str {
        if self
            .conns
            .get(&id)
            .is_none_or(|conn| conn.phase != Phase::Arrived)
        {
            return "refused";
        }
        if self.client_is_known(id, ip) {
            self.turn_away(id, false);
            return "refused";
        }
        let pages = self.pages();
        let too_fast = self.conns[&id].within_rate == Some(false);
        if too_fast || self.is_greedy(pages, self.entering(ip) - 1) {
            self.refuse(id, "ip_limit");
            return "refused";
        }
        if pages >= self.config.limits.handshakes {
            self.refuse(id, "handshakes_full");
            return "refused";
        }
        if let Some(conn) = self.conn(id) {
            conn.phase = Phase::Page;
        }
        self.hook_started(id);
        "page"
    }

    /// The page is ready.
    pub fn answer_page(&mut self, id: ConnectionId, status: u16, len: usize) {
        if self
            .conns
            .get(&id)
            .is_some_and(|conn| conn.phase == Phase::Page)
        {
            self.answer_http(id, status, len, true);
        }
    }

    /// The request violates this rule.
    pub fn malformed(&mut self, id: ConnectionId, rule: &'static str) {
        self.rule = rule;
        self.refuse(id, "malformed");
    }

    /// The application authenticated a request.
    pub fn authenticated(&mut self, id: ConnectionId, verdict: Verdict, request: Option<&str>) {
        let Some(conn) = self.conn(id) else { return };
        conn.hook = None;
        if conn.claim.is_some() {
            return;
        }
        let first = match conn.phase {
            Phase::Authenticating { .. } => false,
            Phase::AwaitingAuth { .. } => true,
            Phase::Open => return self.refreshed(id, &verdict, request),
            _ => return,
        };
        let refused = match verdict {
            _ if self.drain.is_some() => Err("restart"),
            Verdict::No(key) => Err(key),
            Verdict::FirstMessage if first || !self.json() => Err("unauthorized"),
            Verdict::FirstMessage => {
                self.await_auth(id);
                Ok(())
            }
            Verdict::Anonymous => self.admit(id, &format!("anon-{id}"), None, None, request),
            Verdict::User(name, expires) => self.identified(id, &name, expires, request),
        };
        if let Err(key) = refused {
            self.refuse(id, key);
        }
    }

    fn await_auth(&mut self, id: ConnectionId) {
        let deadline = self.live() + nanos(self.config.timeouts.auth);
        let Some(conn) = self.conn(id) else { return };
        let Phase::Authenticating { lobby, response } = conn.phase.clone() else {
            return;
        };
        conn.phase = Phase::AwaitingAuth { lobby };
        conn.deadline = deadline;
        if let Some(len) = response {
            self.push(id, Item::new(len, Is::Http(101), Kind::Http));
        }
    }

    fn identified(
        &mut self,
        id: ConnectionId,
        name: &str,
        expires: Option<Nanos>,
        request: Option<&str>,
    ) -> Result<(), &'static str> {
        if !self.may_be_called(name) {
            return Err("internal");
        }
        let expires = expires.map(|after| self.now + after);
        let devices = self.users.get(name).cloned().unwrap_or_default();
        let replaced = match self.config.users {
            _ if devices.is_empty() => None,
            UserPolicy::Reject => {
                let from = devices[0];
                let conn = &self.conns[&from];
                if self.live() - conn.last_heard < MOMENT && !conn.leaving {
                    return Err("already_connected");
                }
                if !conn.leaving && !self.is_silent(conn, None) {
                    self.claim(id, from, name, expires, request);
                    return Ok(());
                }
                Some(from)
            }
            UserPolicy::Replace => Some(devices[0]),
            UserPolicy::Allow(most) if devices.len() < most => None,
            UserPolicy::Allow(_) => {
                let leaving = devices.iter().find(|device| self.conns[device].leaving);
                Some(*leaving.unwrap_or(&devices[0]))
            }
            other => unreachable!("{other:?} is unknown to the model"),
        };
        self.admit(id, name, expires, replaced, request)
    }

    fn may_be_called(&self, name: &str) -> bool {
        check_name(name, self.config.limits.name_bytes).is_ok() && !name.starts_with("anon-")
    }

    pub(super) fn admit(
        &mut self,
        id: ConnectionId,
        name: &str,
        expires: Option<Nanos>,
        replaced: Option<ConnectionId>,
        request: Option<&str>,
    ) -> Result<(), &'static str> {
        if self.open() >= self.config.limits.connections + usize::from(replaced.is_some()) {
            return Err("server_full");
        }
        let lobby = match &self.conns[&id].phase {
            Phase::Authenticating { lobby, .. } | Phase::AwaitingAuth { lobby } => lobby.clone(),
            _ => return Ok(()),
        };
        if let Some(lobby) = &lobby
            && !self.has_lobby_seat(lobby, Some(name), replaced)
        {
            return Err("lobby_full");
        }
        self.open_up(id, name, expires, request);
        if let Some(lobby) = lobby
            && self.conns.get(&id).is_some_and(Conn::is_open)
        {
            self.enter_room(id, &lobby, true, None, &Wish::Rule);
        }
        if let Some(replaced) = replaced {
            self.end(replaced, "replaced", None);
        }
        Ok(())
    }

    fn open_up(
        &mut self,
        id: ConnectionId,
        name: &str,
        expires: Option<Nanos>,
        request: Option<&str>,
    ) {
        let live = self.live();
        let Some(conn) = self.conn(id) else { return };
        let before = std::mem::replace(&mut conn.phase, Phase::Open);
        name.clone_into(&mut conn.user);
        conn.anonymous = name == format!("anon-{id}");
        conn.expires = expires;
        conn.last_heard = live;
        conn.last_life = live;
        conn.opened = live;
        self.users.entry(name.to_owned()).or_default().push(id);
        self.counts.opened += 1;
        self.notes.push(Note::Opened(id, name.to_owned()));
        match before {
            Phase::Authenticating {
                response: Some(len),
                ..
            } => {
                self.push(id, Item::new(len, Is::Http(101), Kind::Http));
            }
            Phase::AwaitingAuth { .. } => self.tell(id, texts::authenticated(name, request)),
            _ => {}
        }
        let interval = self.config.health.ping_interval.as_millis();
        let most = self.config.limits.message_bytes;
        self.tell(id, texts::welcome(&id.to_string(), name, interval, most));
    }

    /// Returns whether a lobby has a seat, or gets one from `replaced`.
    fn has_lobby_seat(
        &self,
        name: &str,
        user: Option<&str>,
        replaced: Option<ConnectionId>,
    ) -> bool {
        let Some(room) = self.rooms.get(name) else {
            let alone = |room: &Room| replaced.is_some_and(|id| room.members == [id]);
            let given = self.rooms.values().any(alone);
            let fits = self.rooms.len() < self.config.limits.rooms + usize::from(given);
            return fits && self.has_seat(name, user, 0);
        };
        let given = replaced.is_some_and(|id| room.members.contains(&id));
        self.has_seat(name, user, usize::from(given))
    }

    /// Returns whether a newcomer would be admitted.
    pub fn can_accept(&self, room: Option<&str>) -> Result<(), &'static str> {
        if self.drain.is_some() {
            return Err("restart");
        }
        if self.open() >= self.config.limits.connections {
            return Err("server_full");
        }
        match room {
            Some(name) if !self.has_lobby_seat(name, None, None) => Err("lobby_full"),
            _ => Ok(()),
        }
    }

    fn refreshed(&mut self, id: ConnectionId, verdict: &Verdict, request: Option<&str>) {
        let now = self.now;
        let good = |name: &String| self.may_be_called(name);
        let bad = matches!(verdict, Verdict::User(name, _) if !good(name));
        let Some(conn) = self.conn(id) else { return };
        match verdict {
            _ if bad => self.end(id, "internal", None),
            Verdict::User(name, expires) if *name == conn.user => {
                conn.expires = expires.map(|after| now + after);
                self.tell(id, texts::authenticated(name, request));
            }
            Verdict::No("internal") => self.end(id, "internal", None),
            _ => self.end(id, "unauthorized", None),
        }
    }
}
