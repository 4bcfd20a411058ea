//! What follows from a call of the core: collected under the lock, done without it.

use std::net::IpAddr;

use futures_channel::oneshot;
use switchboard_core::session::Ended;
use switchboard_core::{Action, ConnectionId, Frame, Notice, PingResult};
use tracing::field::display;

use super::link::{ENDED, End, Farewell, GONE, Link, READ_MODE};
use super::shared::{Locked, Shared};
use crate::net::Socket;
use crate::shield::{debug, error, info, shielded, trace, warn};
use crate::sync::{Arc, Weak};

/// Something that follows from a call, to be done without the lock.
pub(crate) enum Effect {
    Signal(Arc<Link>, u8),
    Shutdown(Arc<Link>),
    Evict(Arc<Link>, Option<Frame>),
    Pinged(oneshot::Sender<Vec<PingResult>>, Vec<PingResult>),
    /// With the address of the client that it is about.
    Notice(Notice, Option<IpAddr>),
    /// Dropped without the lock.
    Forget(End),
}

impl Locked {
    pub(crate) fn collect(&mut self, shared: &Weak<Shared>, effects: &mut Vec<Effect>) {
        while let Some(action) = self.switchboard.poll_notice() {
            match action {
                Action::ReadMode(id) => {
                    effects.extend(self.link(id).map(|link| Effect::Signal(link, READ_MODE)));
                }
                Action::ShutdownWrite(id) => effects.extend(self.link(id).map(Effect::Shutdown)),
                Action::Evict { id, last } => {
                    effects.extend(self.remove(id).map(|link| Effect::Evict(link, last)));
                }
                Action::Notify(notice) => self.collect_notice(notice, shared, effects),
                _ => {}
            }
        }
    }

    fn collect_notice(&mut self, notice: Notice, shared: &Weak<Shared>, effects: &mut Vec<Effect>) {
        match &notice {
            Notice::Closed {
                id, rooms, reason, ..
            } => {
                let end = End {
                    ended: Ended {
                        rooms: rooms.clone(),
                        reason: *reason,
                    },
                    farewell: Farewell::new(shared.clone() as _),
                };
                effects.push(match self.link(*id) {
                    // Under the lock: whoever finds out later that the connection has gone must find
                    // this too. Only the waking comes after it.
                    Some(link) => {
                        link.set_end(end);
                        Effect::Signal(link, ENDED)
                    }
                    None => Effect::Forget(end),
                });
            }
            Notice::Pinged { ticket, results } => {
                if let Some(sender) = self.take_ping(*ticket) {
                    effects.push(Effect::Pinged(sender, results.clone()));
                }
            }
            _ => {}
        }
        let peer = subject(&notice)
            .and_then(|id| self.link(id))
            .map(|link| link.peer());
        effects.push(Effect::Notice(notice, peer));
    }
}

impl Shared {
    /// Does what others wait for. The notices are left, for [`report`](Self::report): a log that is
    /// slow, or a hook, must not stand between a change and those who wait for it.
    pub(crate) fn perform(&self, effects: Vec<Effect>) -> Vec<(Notice, Option<IpAddr>)> {
        let mut notices = Vec::new();
        for effect in effects {
            match effect {
                Effect::Signal(link, flag) => link.signal(flag),
                Effect::Shutdown(link) => {
                    // Whatever it says: the read side tells when the peer is gone.
                    let _ = link.socket.shutdown_write();
                }
                Effect::Evict(link, last) => {
                    if let Some(frame) = last {
                        let _ = link.socket.try_write(frame.as_bytes());
                    }
                    link.signal(GONE);
                }
                Effect::Pinged(sender, results) => shielded(|| {
                    let _ = sender.send(results);
                }),
                Effect::Forget(end) => drop(end),
                Effect::Notice(notice, peer) => {
                    if let Notice::Drained(report) = &notice {
                        self.set_drained(*report);
                    }
                    notices.push((notice, peer));
                }
            }
        }
        notices
    }

    /// Tells the log and the application.
    pub(crate) fn report(&self, notices: &[(Notice, Option<IpAddr>)]) {
        for (notice, peer) in notices {
            log(notice, *peer);
            shielded(|| (self.on_notice)(notice));
        }
    }
}

/// The connection that a notice is about.
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

fn log(notice: &Notice, peer: Option<IpAddr>) {
    let peer = peer.map(display);
    match notice {
        Notice::Opened { id, user } => debug!(conn = %id, peer, %user, "connected"),
        Notice::Refused { id, refused } => debug!(conn = %id, peer, %refused, "refused"),
        Notice::BadUser { id, bad } => {
            error!(conn = %id, peer, rule = %bad, "authenticate gave a name that a user must not have");
        }
        Notice::Closed {
            id, user, reason, ..
        } => debug!(conn = %id, peer, %user, %reason, "disconnected"),
        Notice::Joined { id, room } => trace!(conn = %id, peer, %room, "joined"),
        Notice::JoinFailed { id, room, error } => {
            debug!(conn = %id, peer, %room, %error, "not joined, though it was granted");
        }
        Notice::Left { id, room } => trace!(conn = %id, peer, %room, "left"),
        Notice::NearLimit { limit, percent } => warn!(limit, percent, "a limit comes near"),
        Notice::HostStalled { by } => warn!(?by, "the host stood still"),
        Notice::Drained(report) => info!(
            connections = report.connections,
            evicted = report.evicted,
            hooks_cut_off = report.hooks_cut_off,
            "drained"
        ),
        _ => {}
    }
}
