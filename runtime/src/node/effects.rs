//! Effects of a core call: collected under the lock, carried out without it.

use futures_channel::oneshot;
use switchboard_core::cluster::ClusterNotice;
use switchboard_core::session::{Ended, RoomChanges};
use switchboard_core::{Action, ConnectionId, DrainReport, Frame, Notice, PingResult, Time};
use tracing::field::display;

use super::awaited::Answered;
use super::link::{CHANGED, End, Farewell, Link, LogFields};
use super::locked::Locked;
use super::shared::Shared;
use crate::net::Socket;
use crate::shield::{debug, error, info, shielded, trace, warn};
use crate::sync::{Arc, Weak};

/// An effect to be carried out without the lock.
pub(crate) enum Effect {
    Changed(Arc<Link>),
    Rooms(Arc<Link>),
    Shutdown(Arc<Link>),
    Evict(Arc<Link>, Option<Frame>),
    Pinged(oneshot::Sender<Vec<PingResult>>, Vec<PingResult>),
    /// With the connection that it concerns.
    Notice(Notice, Option<LogFields>),
    /// The answer to a waiting caller.
    Answered(Answered),
    /// A drain has ended.
    Drained(DrainReport),
    /// For the log.
    Cluster(ClusterNotice),
    /// To be dropped without the lock.
    Forget(End),
}

impl Locked {
    pub(crate) fn collect(&mut self, now: Time, shared: &Weak<Shared>, effects: &mut Vec<Effect>) {
        while let Some(action) = self.switchboard.poll_action() {
            match action {
                Action::ReadMode(id) => {
                    effects.extend(self.link(id).map(Effect::Changed));
                }
                Action::ShutdownWrite(id) => effects.extend(self.link(id).map(Effect::Shutdown)),
                Action::Evict { id, last } => {
                    effects.extend(self.remove(id).map(|link| Effect::Evict(link, last)));
                }
                Action::Notify(notice) => self.collect_notice(now, notice, shared, effects),
                _ => {}
            }
        }
    }

    fn collect_notice(
        &mut self,
        now: Time,
        notice: Notice,
        shared: &Weak<Shared>,
        effects: &mut Vec<Effect>,
    ) {
        match &notice {
            Notice::Closed {
                id,
                user,
                rooms,
                reason,
            } => {
                name_who_left(effects, *id, user);
                let end = End {
                    ended: Ended {
                        rooms: rooms.clone(),
                        reason: *reason,
                    },
                    farewell: Farewell::new(shared.clone() as _),
                };
                effects.push(match self.link(*id) {
                    // Set under the lock, like the read mode. Only the wake-up comes later.
                    Some(link) => {
                        link.set_end(end);
                        Effect::Changed(link)
                    }
                    None => Effect::Forget(end),
                });
            }
            Notice::Joined { id, room } => effects.extend(self.note_room(*id, |rooms| {
                rooms.joined(room.clone());
            })),
            Notice::Left { id, room } => effects.extend(self.note_room(*id, |rooms| {
                rooms.left(room.clone());
            })),
            Notice::Pinged { ticket, results } => {
                if let Some(sender) = self.take_ping(*ticket) {
                    effects.push(Effect::Pinged(sender, results.clone()));
                }
            }
            Notice::Drained(report) => {
                effects.extend(self.retire(now, *report).map(Effect::Drained));
            }
            Notice::Published { .. } | Notice::Reached { .. } => {
                effects.extend(self.awaited.answered_by(&notice).map(Effect::Answered));
            }
            _ => {}
        }
        let who = subject(&notice).and_then(|id| {
            let link = self.link(id)?;
            Some(LogFields::new(link.peer(), self.switchboard.user_of(id)))
        });
        effects.push(Effect::Notice(notice, who));
    }

    /// Notes a room for the task, under the lock like the end, so that the order stays.
    fn note_room(&self, id: ConnectionId, note: impl FnOnce(&mut RoomChanges)) -> Option<Effect> {
        let link = self.link(id)?;
        link.note_room(note);
        Some(Effect::Rooms(link))
    }
}

/// Adds the user to what was said before of the rooms that a connection has left because it ended: by then,
/// the core did not know the user any more.
fn name_who_left(effects: &mut [Effect], id: ConnectionId, user: &Arc<str>) {
    for effect in effects.iter_mut().rev() {
        match effect {
            Effect::Notice(Notice::Left { id: left, .. }, Some(who)) if *left == id => {
                who.set_user(user);
            }
            Effect::Rooms(_) => {}
            _ => break,
        }
    }
}

impl Shared {
    /// Carries out all effects except notices, which are returned for [`report`](Self::report): a slow
    /// log or hook must not delay those that wait for an effect.
    pub(crate) fn perform(&self, effects: Vec<Effect>) -> Vec<(Notice, Option<LogFields>)> {
        let mut notices = Vec::new();
        for effect in effects {
            match effect {
                Effect::Changed(link) => link.signal(CHANGED),
                Effect::Rooms(link) => link.task_waker.ring(),
                Effect::Shutdown(link) => {
                    // An error does not matter here; the read side detects a lost peer.
                    let _ = link.socket.shutdown_write();
                }
                Effect::Evict(link, last) => {
                    if let Some(frame) = last {
                        let _ = link.socket.try_write(frame.as_bytes());
                    }
                    link.signal(CHANGED);
                }
                Effect::Pinged(sender, results) => shielded(|| {
                    let _ = sender.send(results);
                }),
                Effect::Answered(answered) => answered.deliver(),
                Effect::Drained(report) => self.set_drained(report),
                Effect::Cluster(notice) => log_cluster(&notice),
                Effect::Forget(end) => drop(end),
                Effect::Notice(notice, who) => notices.push((notice, who)),
            }
        }
        notices
    }

    /// Passes notices to the log and the application.
    pub(crate) fn report(&self, notices: &[(Notice, Option<LogFields>)]) {
        for (notice, who) in notices {
            log(notice, who.as_ref());
            shielded(|| (self.on_notice)(notice));
        }
    }
}

/// Returns the connection that a notice is about.
const fn subject(notice: &Notice) -> Option<ConnectionId> {
    match notice {
        Notice::Opened { id, .. }
        | Notice::Refused { id, .. }
        | Notice::Closed { id, .. }
        | Notice::BadUser { id, .. }
        | Notice::Joined { id, .. }
        | Notice::JoinFailed { id, .. }
        | Notice::Left { id, .. } => Some(*id),
        _ => None,
    }
}

fn log(notice: &Notice, who: Option<&LogFields>) {
    let peer = who.map(|who| display(who.peer));
    let user = who.and_then(LogFields::user);
    match notice {
        Notice::Opened { id, user } => debug!(conn = %id, peer, %user, "connected"),
        Notice::Refused { id, refused } => debug!(conn = %id, peer, %refused, "refused"),
        Notice::BadUser { id, bad } => {
            error!(conn = %id, peer, rule = %bad, "authenticate returned an invalid user name");
        }
        Notice::Closed {
            id, user, reason, ..
        } => debug!(conn = %id, peer, %user, %reason, "disconnected"),
        Notice::Joined { id, room } => trace!(conn = %id, peer, user, %room, "joined"),
        Notice::JoinFailed { id, room, error } => {
            debug!(conn = %id, peer, user, %room, %error, "join was granted but failed");
        }
        Notice::Left { id, room } => trace!(conn = %id, peer, user, %room, "left"),
        Notice::NearLimit { limit, percent } => warn!(limit, percent, "nearing a limit"),
        Notice::HostStalled { by } => warn!(?by, "the host stalled"),
        Notice::Drained(report) => info!(
            connections = report.connections,
            evicted = report.evicted,
            hooks_cut_off = report.hooks_cut_off,
            "drained"
        ),
        _ => {}
    }
}

fn log_cluster(notice: &ClusterNotice) {
    match notice {
        ClusterNotice::Away => {
            warn!("lost contact with the cluster: rooms continue alone or refuse messages");
        }
        ClusterNotice::Back => info!("back in the cluster"),
        ClusterNotice::Failed(failure) => warn!(%failure, "the broker refuses"),
        ClusterNotice::Registered(registration) => info!(%registration, "in the cluster"),
        ClusterNotice::Lapsed(registration) => {
            warn!(%registration, "the lease has expired: registering with the cluster again");
        }
        ClusterNotice::Retired => debug!("retired from the cluster"),
        ClusterNotice::NodeUp(node) => info!(%node, "another node has joined the cluster"),
        ClusterNotice::NodeDown(node) => info!(%node, "another node has left the cluster"),
        ClusterNotice::SameName(node) => warn!(%node, "another node has the same name"),
        _ => {}
    }
}
