//! Members that need older messages of a shared room than this node has. The room was in another epoch
//! for a while, because the broker was unavailable; its earlier messages are no longer in its log, but
//! the broker has them.
//!
//! ```text
//!             since ▼        ▼ began
//!   epoch  1  2  3  4  5  6  7  8  9 10 11 12
//!                      ───────                  read from the broker, and sent as own frames
//!                               ─────────────   from the log of the room
//! ```

use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::cluster::RoomBody;
use crate::switchboard::relay::{ClusterRequest, Joining, Missed, Older};
use crate::{JoinFrom, Position, Reach, Time};

/// What a new member gets from before what the room has here.
#[derive(Debug)]
pub(super) struct FromBefore {
    /// The number from which it comes back; `None` if it named none, and gets the newest messages.
    pub(super) since: Option<u64>,
    /// The number after which it may have messages.
    pub(super) after: u64,
    /// The number up to which they are here.
    pub(super) upto: u64,
    pub(super) missed: Vec<Missed>,
}

/// Messages that somebody wants and that are not here: those above `after`, up to `upto`.
struct Wanted {
    since: Option<u64>,
    epoch: Arc<str>,
    after: u64,
    upto: u64,
}

impl Switchboard {
    /// Returns whether somebody who wants the messages of a room from there on has to wait until what is
    /// not here has been read.
    pub(super) fn is_older(&mut self, name: &str, from: &JoinFrom, reach: Reach) -> bool {
        self.wanted(name, from, reach).is_some()
    }

    /// Returns which messages somebody wants that are not here, and that the broker may have.
    fn wanted(&mut self, name: &str, from: &JoinFrom, reach: Reach) -> Option<Wanted> {
        let room = self.relay.as_ref()?.rooms.get(name)?;
        let (Some(Position { epoch, seq }), false) = (&room.position, room.alone) else {
            return None;
        };
        let room = self.rooms.at(self.rooms.find(name)?);
        let (began, at) = *room.began.as_deref()?;
        let history = self.config.room(name).history;
        let since = match from {
            JoinFrom::Since(since) if since.epoch == *epoch => Some(since.seq),
            JoinFrom::Since(_) => return None,
            _ => None,
        };
        let oldest = seq.saturating_sub(history.messages as u64);
        let wanted = since.unwrap_or_else(|| seq.saturating_sub(history.newest(from) as u64));
        let after = match reach {
            Reach::All => wanted,
            Reach::From(number) => wanted.max(number.saturating_sub(1)),
            Reach::Now => return None,
        };
        // What was kept when it began is no younger.
        let is_kept = wanted >= oldest && self.clock.now().since(at) < history.age;
        if after >= began || !is_kept || !self.has_log_elsewhere(name) {
            return None;
        }
        let epoch = epoch.clone();
        let log = room.log;
        // Else more has gone meanwhile.
        let (first, _) = self.log.range(log);
        let is_all_here_since = first == began + 1 && !self.log.keeps_latest(log);
        is_all_here_since.then_some(Wanted {
            since,
            epoch,
            after,
            upto: began,
        })
    }

    /// Makes clients wait that want messages of a room from before those which this node has, among the first
    /// `most` of those that want to enter.
    pub(super) fn wait_for_older(&mut self, name: &Arc<str>, most: usize) {
        let Some(relay) = &mut self.relay else {
            return;
        };
        let mut waiting = std::mem::take(&mut relay.room(name).waiting);
        for joining in waiting.iter_mut().take(most) {
            if !joining.is_ready() || !matches!(joining.older, Older::Unknown) {
                continue;
            }
            joining.older = match self.wanted(name, &joining.from, joining.reach) {
                Some(wanted) => self.ask_for_older(name, wanted),
                None => Older::Read(Arc::new([])),
            };
        }
        if let Some(relay) = &mut self.relay {
            relay.room(name).waiting = waiting;
        }
    }

    fn ask_for_older(&mut self, name: &Arc<str>, wanted: Wanted) -> Older {
        let Some(relay) = &mut self.relay else {
            return Older::Read(Arc::new([]));
        };
        let number = relay.number();
        let Wanted {
            epoch, after, upto, ..
        } = wanted;
        self.ask_cluster(ClusterRequest::Recall {
            room: name.clone(),
            number,
            epoch,
            after,
            before: upto + 1,
        });
        Older::Asked(number)
    }

    /// Messages of a room were read, the oldest first, for those who asked under these numbers.
    pub(crate) fn older_read<'a>(
        &mut self,
        now: Time,
        name: &Arc<str>,
        numbers: &[u64],
        entries: impl Iterator<Item = (u64, &'a RoomBody)>,
    ) {
        self.advance_clock(now);
        let read: Arc<[Missed]> = self.missed(name, entries).into();
        let Some(room) = self.relay.as_mut().and_then(|it| it.rooms.get_mut(name)) else {
            return;
        };
        for joining in &mut room.waiting {
            if matches!(joining.older, Older::Asked(number) if numbers.contains(&number)) {
                joining.older = Older::Read(read.clone());
            }
        }
        if self.is_shared_room_open(name) {
            self.let_in(name);
        }
    }

    /// Returns what somebody gets from before what is here: all that was missed, or what there is of the
    /// newest messages.
    pub(super) fn older_of(&mut self, name: &str, joining: &Joining) -> Option<FromBefore> {
        let Older::Read(read) = &joining.older else {
            return None;
        };
        let first = read.first()?.seq;
        // The room may have moved on since they were asked for.
        let Wanted {
            since, after, upto, ..
        } = self.wanted(name, &joining.from, joining.reach)?;
        let after = match since {
            Some(_) => after,
            None => after.max(first - 1),
        };
        let end = read.iter().rposition(|it| it.seq <= upto)?;
        let missed = self.missed_after(joining.id, &read[..=end], (after, upto))?;
        Some(FromBefore {
            since,
            after,
            upto,
            missed,
        })
    }
}
