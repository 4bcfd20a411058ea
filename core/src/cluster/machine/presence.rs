//! Users in rooms: the node writes those who are here, and receives those on other nodes.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::context::Context;
use super::output::Output;
use super::room::{Change, OccupantChanges, Room};
use super::timers::Timer;
use crate::Time;
use crate::cluster::answer::OccupantList;
use crate::cluster::command::Info;
use crate::cluster::command::{Command, Occupants, Presence, Writer};

impl Cluster {
    /// A user is in a room through this node, and this is told of the user. Changes are gathered for
    /// [`ClusterConfig::presence_interval`](super::ClusterConfig::presence_interval) before others are
    /// told. No effect in a room that has not been entered, or without presence.
    pub fn appeared(&mut self, now: Time, name: &Arc<str>, user: &Arc<str>, info: Info) {
        if self.rooms.get(name).is_some_and(Room::is_entered) {
            self.is_here(now, name, user, Some(info));
        }
    }

    /// A user is no longer in a room through this node.
    pub fn disappeared(&mut self, now: Time, name: &Arc<str>, user: &Arc<str>) {
        self.is_here(now, name, user, None);
    }

    /// Users who are in a room on other nodes, with the presence info there: what the next
    /// [`Output::Occupants`] changes.
    pub fn users_elsewhere(&self, name: &str) -> impl Iterator<Item = (&Arc<str>, &Info)> {
        let room = self.rooms.get(name);
        room.into_iter().flat_map(|room| room.occupants.elsewhere())
    }

    fn is_here(&mut self, now: Time, name: &Arc<str>, user: &Arc<str>, here: Option<Info>) {
        let at = now + self.config.presence_interval;
        self.with_room(name, |room, cx| {
            if !room.terms.presence {
                return;
            }
            let occupants = &mut room.occupants;
            let Some(changes) = occupants.set(user, here, cx.registrations) else {
                return;
            };
            if occupants.write.is_none() {
                let timer = Timer::Presence(Arc::clone(name));
                cx.timers.set(&mut occupants.write, Some(at), timer);
            }
            tell(room, changes, cx);
        });
    }

    pub(super) fn presence_is_due(&mut self, now: Time, name: &Arc<str>) {
        self.with_room(name, |room, _| {
            room.occupants.write = None;
            room.occupants.has_gathered();
        });
        self.send(now);
    }

    /// The broker named the version of the list of users, and perhaps its length.
    pub(super) fn check_list(
        &mut self,
        now: Time,
        name: &Arc<str>,
        epoch: &Arc<str>,
        version: u64,
        len: Option<u64>,
    ) {
        let mut empty = None;
        self.with_room(name, |room, _| {
            if room.terms.presence {
                empty = room.occupants.check(epoch, version, len);
            }
        });
        if empty.is_some() {
            self.list_read(now, name, empty);
        }
    }

    pub(super) fn list_read(&mut self, now: Time, name: &Arc<str>, list: Option<OccupantList>) {
        for occupant in list.iter().flat_map(|list| &list.users) {
            self.names_peer(now, &occupant.registration);
        }
        let fade = now + self.config.leave_grace;
        self.with_room(name, |room, cx| {
            match room.occupants.read(list, cx.registrations) {
                // The room is gone: another epoch begins.
                None => room.read_again(),
                Some((changes, is_new)) => {
                    if is_new {
                        let timer = Timer::Fade(Arc::clone(name));
                        cx.timers.set(&mut room.occupants.fade, Some(fade), timer);
                    }
                    tell(room, changes, cx);
                }
            }
        });
    }

    pub(super) fn list_changed(&mut self, now: Time, name: &Arc<str>, change: Change) {
        self.names_peer(now, &change.registration);
        let mut is_contested = false;
        self.with_room(name, |room, cx| {
            if !room.terms.presence || !room.is_entered() {
                return;
            }
            room.heard_of_epoch(&change.epoch);
            let changes = room.occupants.arrived(change, cx.registrations);
            is_contested = changes.is_contested;
            tell(room, changes, cx);
        });
        if is_contested {
            // Others may have taken this node for dead; else its heartbeat tells them that it lives.
            self.lease.beat_at(now);
        }
    }

    pub(super) fn list_fades(&mut self, name: &Arc<str>) {
        self.with_room(name, |room, cx| {
            room.occupants.fade = None;
            let changes = room.occupants.fade(cx.registrations);
            tell(room, changes, cx);
        });
    }

    /// Those whose users count have changed.
    pub(super) fn recount(&mut self) {
        self.with_each_room(|room, cx| {
            let changes = room.occupants.recount(cx.registrations);
            tell(room, changes, cx);
        });
    }

    /// This node has another registration.
    pub(super) fn write_all_again(&mut self) {
        self.with_each_room(|room, cx| {
            room.seats.registered_anew();
            let changes = room.occupants.registered_anew(cx.registrations);
            tell(room, changes, cx);
        });
    }

    /// Nothing has been heard of other nodes for too long.
    pub(super) fn forget_elsewhere(&mut self) {
        self.with_each_room(|room, cx| {
            let changes = room.occupants.forget_elsewhere();
            tell(room, changes, cx);
        });
    }

    /// Every registration that is named somewhere is judged from then on.
    pub(super) fn names_peer(&mut self, now: Time, registration: &Arc<str>) {
        if !self.is_own(registration) {
            self.peers.heard_of(now, registration);
        }
    }
}

/// What a room has to say about its users.
pub(super) fn ask(
    room: &mut Room,
    own: &Arc<str>,
    writer: &Writer,
    fresh: &Arc<str>,
    retention: crate::cluster::command::Retention,
    mut push: impl FnMut(Command, Asked),
) {
    if !room.terms.presence {
        return;
    }
    for writing in room.occupants.take_writing(own) {
        let asked = Asked::Presence {
            room: Arc::clone(&room.name),
            registration: Arc::clone(&writing.registration),
        };
        let presence = Presence {
            room: Arc::clone(&room.name),
            writer: writer.clone(),
            fresh: Arc::clone(fresh),
            registration: writing.registration,
            joined: writing.joined,
            left: writing.left,
            numbers: retention.numbers,
            list: retention.numbers,
        };
        push(Command::Presence(presence), asked);
    }
    if room.occupants.take_list_question(room.is_entered()) {
        let occupants = Occupants {
            room: Arc::clone(&room.name),
            incarnation: Arc::clone(&writer.incarnation),
        };
        let room = Arc::clone(&room.name);
        push(Command::Occupants(occupants), Asked::Occupants { room });
    }
}

fn tell(room: &Room, changes: OccupantChanges, cx: &mut Context<'_>) {
    if room.has_members && !changes.is_empty() {
        cx.tell(Output::Occupants {
            room: Arc::clone(&room.name),
            joined: changes.joined,
            left: changes.left,
        });
    }
}
