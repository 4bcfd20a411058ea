//! Compares all observable state of the switchboard with the model.

use std::collections::BTreeMap;

use switchboard_core::{Action, Audit, ConnectionId, ReadMode, Stats, Time};

use super::{Driver, Fault, ROOMS, USERS, ensure, same};
use crate::model::{Model, Note, Phase};
use crate::script::Family;

/// Entries that an audit in parts looks at after each event.
const AUDITED: usize = 2;

/// The most bytes that are read and discarded after an end (docs/behaviour.md, section 5).
const DISCARD: usize = 256 << 10;

impl Driver {
    /// Checks the actions and all queries after each event.
    pub(super) fn settle(&mut self) -> Result<(), Fault> {
        let told: Vec<ConnectionId> = self.fresh.iter().filter_map(intake_of).collect();
        let mut notes = self.live_through()?;
        self.sys.audit().map_err(|error| error.to_string())?;
        let part = self.sys.audit_part(&mut self.audit, AUDITED);
        if part.map_err(|error| format!("in parts: {error}"))? {
            self.audit = Audit::new();
        }
        self.figures.checks += 1;
        self.check_intake(&told)?;
        let now = Time::from_nanos(self.now);
        let stats = self.sys.stats(now);
        self.check_caps(&stats)?;
        if self.model.as_ref().is_some_and(|model| model.doubt) {
            self.model = None;
        }
        let Some(model) = &mut self.model else {
            return Ok(());
        };
        let mut foreseen = std::mem::take(&mut model.notes);
        notes.sort();
        foreseen.sort();
        compare_notes(&notes, &foreseen)?;
        if let Some(fault) = model.faults.first() {
            return Err(fault.clone());
        }
        let model = self.model.as_ref().ok_or("no model")?;
        self.figures.checks += 1;
        self.compare_stats(model, &stats)?;
        self.compare_connections(model)?;
        self.compare_users(model)?;
        self.compare_rooms(model)?;
        self.compare_deadline(model)
    }

    /// Checks that each change of a read mode was announced.
    fn check_intake(&mut self, told: &[ConnectionId]) -> Result<(), Fault> {
        for (id, socket) in &mut self.sockets {
            let read_mode = self
                .sys
                .read_mode(*id)
                .map_err(|stale| format!("{stale}, but it has not ended"))?;
            let before = socket.read_mode.replace(read_mode);
            let news =
                before.is_some_and(|before| before != read_mode) && read_mode != ReadMode::Wait;
            ensure(!news || told.contains(id), || {
                format!("{id} changed from {before:?} to {read_mode:?} without an announcement")
            })?;
        }
        Ok(())
    }

    fn check_caps(&self, stats: &Stats) -> Result<(), Fault> {
        let limits = &self.config.limits;
        for (what, is, most) in [
            ("connections", stats.total_connections, limits.connections),
            ("rooms", stats.active_rooms, limits.rooms),
            ("closing", stats.closing, limits.closing),
            (
                "handshakes",
                stats.pending_handshakes,
                2 * limits.handshakes,
            ),
        ] {
            ensure(is <= most, || format!("{is} {what}, at most {most}"))?;
        }
        // Only bytes that a writer holds may exceed the bound.
        let writing = self.sockets.values().any(|socket| socket.held.is_some());
        let (held, most) = (stats.queued_bytes, limits.queued_bytes);
        ensure(held <= most || writing || self.sys.wants_write(), || {
            format!("{held} queued bytes, at most {most}")
        })
    }

    fn compare_stats(&self, model: &Model, stats: &Stats) -> Result<(), Fault> {
        same("total_connections", &stats.total_connections, &model.open())?;
        same("active_rooms", &stats.active_rooms, &model.rooms.len())?;
        same("active_lobbies", &stats.active_lobbies, &model.lobbies())?;
        same("users", &stats.users, &model.users.len())?;
        same(
            "pending_handshakes",
            &stats.pending_handshakes,
            &model.handshakes(),
        )?;
        same("closing", &stats.closing, &model.closing())?;
        same("opened", &stats.opened, &model.counts.opened)?;
        same("bytes_in", &stats.bytes_in, &model.counts.bytes_in)?;
        same("messages_in", &stats.messages_in, &model.counts.messages_in)?;
        same(
            "messages_out",
            &stats.messages_out,
            &model.counts.messages_out,
        )?;
        let owned = |map: &BTreeMap<&'static str, u64>| -> BTreeMap<String, u64> {
            map.iter()
                .map(|(&key, &count)| (key.to_owned(), count))
                .collect()
        };
        same("closes", &owned(&stats.closes), &model.counts.closes)?;
        same("refused", &owned(&stats.refused), &model.counts.refused)?;
        // The model does not predict an unwritten ping by message.
        if !(self.setup.family == Family::Health && self.asks_by_message()) {
            same("dropped", &owned(&stats.dropped), &model.counts.dropped)?;
        }
        let kept = &stats.history;
        same(
            "history",
            &(kept.rooms, kept.messages, kept.bytes),
            &model.kept(),
        )?;
        let came = &stats.recoveries;
        same(
            "recoveries",
            &[came.ok, came.gone, came.epoch, came.ahead],
            &model.recoveries,
        )?;
        same("draining", &stats.draining, &model.drain.is_some())?;
        if let Some((least, most)) = model.held() {
            let pings = match self.setup.family {
                Family::Health => 60 * model.conns.len(),
                _ => 0,
            };
            let held = stats.queued_bytes;
            ensure((least..=most + pings).contains(&held), || {
                format!("{held} bytes held, expected {least} to {most}")
            })?;
        }
        Ok(())
    }

    fn compare_connections(&self, model: &Model) -> Result<(), Fault> {
        let sockets: Vec<&ConnectionId> = self.sockets.keys().collect();
        let conns: Vec<&ConnectionId> = model.conns.keys().collect();
        same("connections", &sockets, &conns)?;
        for (id, conn) in &model.conns {
            let user = self.sys.user_of(*id).map(|name| name.to_string());
            same(
                "the user",
                &user,
                &conn.is_open().then(|| conn.user.clone()),
            )?;
            let mut rooms: Vec<String> = self
                .sys
                .rooms_of(*id)
                .map_err(|stale| stale.to_string())?
                .iter()
                .map(ToString::to_string)
                .collect();
            rooms.sort();
            same("rooms of a connection", &rooms, &Model::rooms_of(conn))?;
            let long = self.config.limits.pause_reading;
            let long = long.is_some_and(|most| conn.queue.own_bytes() > most);
            let read_mode = match conn.phase {
                Phase::Arrived => ReadMode::Head,
                Phase::Page | Phase::Authenticating { .. } => ReadMode::Wait,
                _ if conn.is_ending() && conn.discarded > DISCARD => ReadMode::Wait,
                _ if conn.is_ending() => ReadMode::Discard,
                _ if long || conn.claim.is_some() => ReadMode::Wait,
                _ => ReadMode::Frames,
            };
            same("read mode", &self.sys.read_mode(*id), &Ok(read_mode))?;
        }
        Ok(())
    }

    fn compare_users(&self, model: &Model) -> Result<(), Fault> {
        let now = Time::from_nanos(model.now);
        for name in USERS {
            let devices = model.users.get(name).cloned().unwrap_or_default();
            same(
                "connections of a user",
                &self.sys.connections_of(name),
                &devices,
            )?;
            same(
                "is connected",
                &self.sys.is_connected(name),
                &!devices.is_empty(),
            )?;
            let heard = self.sys.last_heard(now, name).map(crate::model::nanos);
            same("last heard", &heard, &model.silence(name))?;
        }
        Ok(())
    }

    fn compare_rooms(&self, model: &Model) -> Result<(), Fault> {
        let asked = |room: Option<&str>| {
            self.sys
                .can_accept(room)
                .map_err(switchboard_core::Refused::as_str)
        };
        same("can_accept", &asked(None), &model.can_accept(None))?;
        for name in ROOMS {
            let mut members = self.sys.members(name);
            let room = model.rooms.get(name);
            let mut foreseen = room.map_or(Vec::new(), |room| room.members.clone());
            members.sort();
            foreseen.sort();
            same("members", &members, &foreseen)?;
            let users = self.sys.room_users(name);
            let mut users: Vec<String> = users.iter().map(ToString::to_string).collect();
            if room.is_some_and(|room| room.crowd.is_none()) {
                users.sort();
            }
            same("room_users", &users, &model.room_users(name))?;
            same(
                "can_accept",
                &asked(Some(name)),
                &model.can_accept(Some(name)),
            )?;
        }
        Ok(())
    }

    /// The switchboard must not sleep past a deadline of the model.
    fn compare_deadline(&self, model: &Model) -> Result<(), Fault> {
        let next = self.sys.next_deadline().map(Time::as_nanos);
        let Some(latest) = model.latest_deadline() else {
            return Ok(());
        };
        ensure(next.is_some_and(|next| next <= latest), || {
            format!("wakes up at {next:?}, expected {latest}")
        })
    }
}

fn intake_of(action: &Action) -> Option<ConnectionId> {
    match action {
        Action::ReadMode(id) => Some(*id),
        _ => None,
    }
}

fn compare_notes(notes: &[Note], foreseen: &[Note]) -> Result<(), Fault> {
    let missing: Vec<&Note> = foreseen
        .iter()
        .filter(|note| !notes.contains(note))
        .collect();
    let surplus: Vec<&Note> = notes
        .iter()
        .filter(|note| !foreseen.contains(note))
        .collect();
    ensure(notes == foreseen, || {
        format!("unexpected: {surplus:?}; missing: {missing:?}")
    })
}
