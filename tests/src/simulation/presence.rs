//! Presence, as sent to clients and to the application.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::counters::Probe;
use super::link::Stay;
use super::oracle::room_number;
use super::output::Message;
use super::world::World;

impl World {
    /// Returns the users with a connection in a room.
    pub(super) fn present(&self, r: u32) -> BTreeSet<Arc<str>> {
        self.oracle.rooms[r as usize]
            .members
            .iter()
            .filter_map(|&l| self.links[l as usize].shadow.user.clone())
            .collect()
    }

    /// Checks a presence notice to the application: users reported as joined are present, those
    /// reported as left are not.
    pub(super) fn presence_told(
        &mut self,
        room: &str,
        count: usize,
        joined: &[Arc<str>],
        left: &[Arc<str>],
    ) {
        let Some(r) = room_number(room) else { return };
        let now = self.core_now;
        let mut there = self.present(r);
        let graces = &self.oracle.rooms[r as usize].graces;
        there.extend(
            graces
                .iter()
                .filter(|(_, until)| **until > now)
                .map(|(user, _)| user.clone()),
        );
        let wrong = joined.iter().any(|user| !there.contains(user))
            || left.iter().any(|user| there.contains(user));
        self.check(12, !wrong && there.len() == count, || {
            format!("r{r}: count {count}, joined {joined:?}, left {left:?}; present are {there:?}")
        });
        self.oracle.rooms[r as usize]
            .graces
            .retain(|_, until| *until > now);
        if !left.is_empty() {
            self.probe(Probe::GraceOver);
        }
    }

    pub(super) fn presence_message(
        &mut self,
        l: u32,
        r: u32,
        message: &Message<'_>,
    ) -> Result<(), (u8, String)> {
        let full = self.oracle.rooms[r as usize].full;
        let count = message.count.unwrap_or(0);
        let wrong = |what: &str| Err((12, format!("presence of r{r}: {what}: {message:?}")));
        if !self.oracle.rooms[r as usize].presence {
            return wrong("sent although presence is off");
        }
        let stay = self.links[l as usize].shadow.stays.get_mut(&r);
        let Some(stay) = stay
            .and_then(|stays| stays.front_mut())
            .filter(|stay| stay.told)
        else {
            return wrong("not in the room");
        };
        if let Some(users) = &message.users {
            let names: BTreeSet<String> = users.iter().map(ToString::to_string).collect();
            if users.len() != count.min(full) || names.len() != users.len() {
                return wrong("a list of a wrong length");
            }
            stay.presence = Some((count, (names.len() == count).then_some(names)));
            self.probe(Probe::PresenceList);
            return Ok(());
        }
        let names = message
            .joined
            .iter()
            .flatten()
            .chain(message.left.iter().flatten());
        if names.count() > full {
            return wrong("too many names");
        }
        change(stay, count, message);
        self.probe(Probe::PresenceDelta);
        Ok(())
    }
}

fn change(stay: &mut Stay, count: usize, message: &Message<'_>) {
    let known = stay.presence.take().and_then(|(_, names)| names);
    let names = known.map(|mut names| {
        for user in message.joined.iter().flatten() {
            names.insert((*user).to_owned());
        }
        for user in message.left.iter().flatten() {
            names.remove(*user);
        }
        names
    });
    // A change without names carries only the count.
    let told = message.joined.is_some() || message.left.is_some();
    let names = names.filter(|names| told && names.len() == count);
    stay.presence = Some((count, names));
}
