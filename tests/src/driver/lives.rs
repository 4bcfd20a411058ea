//! Checks that the actions for each connection come in a legal order.

use switchboard_core::{Action, ConnectionId, Notice};
use switchboard_kit::Received;

use super::{Driver, Fault, ensure};
use crate::model::texts::{close_code, status};
use crate::model::{Note, nanos};

/// Actions for a connection so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub(super) opened: bool,
    pub(super) refused: Option<String>,
    pub(super) closed: Option<String>,
    pub(super) gone: bool,
    rooms: Vec<String>,
}

impl Driver {
    /// Takes the actions of the last call and checks each against the life of its connection.
    pub(super) fn live_through(&mut self) -> Result<Vec<Note>, Fault> {
        let mut notes = Vec::new();
        for action in std::mem::take(&mut self.fresh) {
            self.figures.checks += 1;
            self.check_life(&action)
                .map_err(|fault| format!("{action:?}: {fault}"))?;
            if let Action::Notify(notice) = &action {
                *self.seen_notices.entry(kind(notice)).or_default() += 1;
            }
            notes.extend(note(&action));
        }
        Ok(notes)
    }

    /// Checks that a call recognised an id exactly if its connection exists.
    pub(super) fn is_known(&self, id: ConnectionId, known: bool) -> Result<(), Fault> {
        let there = self.sockets.contains_key(&id);
        ensure(known == there, || {
            format!("{id} is known: {known}, exists: {there}")
        })
    }

    fn check_life(&mut self, action: &Action) -> Result<(), Fault> {
        let Some(id) = id_of(action) else {
            return Ok(());
        };
        let life = self.lives.get_mut(&id).ok_or("an unknown id")?;
        ensure(!life.gone, || "an action after the end".into())?;
        match action {
            Action::Notify(Notice::Opened { .. }) => {
                ensure(!life.opened && life.refused.is_none(), || {
                    "opened twice, or after a refusal".into()
                })?;
                life.opened = true;
            }
            Action::Notify(Notice::Refused { refused, .. }) => {
                ensure(!life.opened && life.refused.is_none(), || {
                    "refused twice, or while open".into()
                })?;
                life.refused = Some(refused.as_str().to_owned());
            }
            Action::Notify(Notice::Closed { reason, .. }) => {
                ensure(life.opened && life.closed.is_none(), || {
                    "closed twice, or while not open".into()
                })?;
                ensure(life.rooms.is_empty(), || {
                    "closed before leaving its rooms".into()
                })?;
                life.closed = Some(reason.as_str().to_owned());
            }
            Action::Notify(Notice::Joined { room, .. }) => {
                ensure(life.opened && life.closed.is_none(), || {
                    "joined while not open".into()
                })?;
                ensure(!life.rooms.contains(&room.to_string()), || {
                    "joined twice".into()
                })?;
                life.rooms.push(room.to_string());
            }
            Action::Notify(Notice::Left { room, .. }) => {
                let before = life.rooms.len();
                life.rooms.retain(|other| **other != **room);
                ensure(life.rooms.len() < before, || {
                    "left a room without being in it".into()
                })?;
            }
            Action::Evict { last, .. } => {
                ensure(life.opened == life.closed.is_some(), || {
                    "gone before it was closed".into()
                })?;
                life.gone = true;
                // A connection that is turned away was refused, not closed.
                let reason = life.closed.clone().or_else(|| life.refused.clone());
                let bytes = last.as_ref().map(|frame| frame.as_bytes().to_vec());
                self.last_words(id, reason, bytes)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks that the last bytes for an evicted connection form whole frames at the position of
    /// its stream.
    fn last_words(
        &mut self,
        id: ConnectionId,
        reason: Option<String>,
        bytes: Option<Vec<u8>>,
    ) -> Result<(), Fault> {
        let socket = self.sockets.remove(&id);
        let (Some(mut socket), Some(bytes)) = (socket, bytes) else {
            return Ok(());
        };
        ensure(socket.held.is_none(), || {
            "last bytes while a writer holds frames".into()
        })?;
        let heard = socket.peer.read(&bytes)?;
        if reason.as_deref() == Some("client_closed") {
            // Its own code is echoed.
            let right = matches!(heard.last(), Some(Received::Close(_)));
            return ensure(right, || format!("last bytes {heard:?}"));
        }
        let code = reason.as_deref().and_then(close_code);
        let right = match heard.last() {
            Some(Received::Close(Some((given, _)))) => Some(*given) == code,
            Some(Received::Http(given)) => reason.is_some_and(|reason| status(&reason) == *given),
            _ => false,
        };
        ensure(right, || format!("last bytes {heard:?}"))
    }

    /// Checks that the Close frame matches the reason of the end.
    pub(super) fn check_close(&self, id: ConnectionId, heard: &Received) -> Result<(), Fault> {
        let life = &self.lives[&id];
        match (heard, &life.refused, &life.closed) {
            (Received::Http(101), ..) => Ok(()),
            (Received::Http(code), Some(refused), _) => {
                let told = [status(refused), 503];
                ensure(told.contains(code), || format!("HTTP {code} for {refused}"))
            }
            (Received::Close(Some((code, reason))), Some(refused), _) => {
                let right = close_code(refused) == Some(*code) && reason == refused;
                ensure(right || *code == 1008, || {
                    format!("{code} {reason} for {refused}")
                })
            }
            (Received::Close(Some((code, reason))), _, Some(closed))
                if closed != "client_closed" =>
            {
                let right = close_code(closed) == Some(*code) && reason == closed;
                ensure(right, || format!("{code} {reason} for {closed}"))
            }
            _ => Ok(()),
        }
    }
}

fn id_of(action: &Action) -> Option<ConnectionId> {
    Some(match action {
        Action::ShutdownWrite(id)
        | Action::ReadMode(id)
        | Action::Evict { id, .. }
        | Action::Notify(
            Notice::Opened { id, .. }
            | Notice::Refused { id, .. }
            | Notice::Closed { id, .. }
            | Notice::Joined { id, .. }
            | Notice::JoinFailed { id, .. }
            | Notice::Left { id, .. },
        ) => *id,
        _ => return None,
    })
}

/// Returns the code of the Close frame at the end of some bytes, or the status of an HTTP response.
fn code_of(bytes: &[u8]) -> u16 {
    let status = bytes.strip_prefix(b"HTTP/1.1 ").map(|rest| {
        let digits = rest[..3].iter();
        digits.fold(0, |sum, &digit| sum * 10 + u16::from(digit - b'0'))
    });
    // Frames follow an upgrade.
    if let Some(status) = status.filter(|&status| status != 101) {
        return status;
    }
    let starts = (0..bytes.len().saturating_sub(1)).rev();
    let close = starts
        .map(|at| &bytes[at..])
        .find(|rest| rest[0] == 0x88 && usize::from(rest[1]) == rest.len() - 2);
    let code = close.and_then(|close| close.get(2..4));
    code.map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]))
}

/// Translates an action to the model's terms; `None` if the model does not cover it.
fn note(action: &Action) -> Option<Note> {
    let names = |names: &[std::sync::Arc<str>]| {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };
    Some(match action {
        Action::ShutdownWrite(id) => Note::Shut(*id),
        Action::Evict { id, last } => {
            let code = last.as_ref().map(|frame| code_of(frame.as_bytes()));
            Note::Evict(*id, code)
        }
        Action::Notify(notice) => match notice {
            Notice::Opened { id, user } => Note::Opened(*id, user.to_string()),
            Notice::Refused { id, refused } => Note::Refused(*id, refused.as_str().into()),
            Notice::Closed {
                id,
                user,
                rooms,
                reason,
            } => Note::Closed(*id, user.to_string(), names(rooms), reason.as_str().into()),
            Notice::Joined { id, room } => Note::Joined(*id, room.to_string()),
            Notice::JoinFailed { id, room, .. } => Note::JoinFailed(*id, room.to_string()),
            Notice::Left { id, room } => Note::Left(*id, room.to_string()),
            Notice::Presence {
                room,
                count,
                joined,
                left,
            } => Note::Presence(room.to_string(), *count, names(joined), names(left)),
            Notice::HostStalled { by } => Note::Stalled(nanos(*by)),
            Notice::Pinged { ticket, results } => {
                let results = results.iter().map(|it| (it.id, it.rtt.is_some()));
                Note::Pinged(*ticket, results.collect())
            }
            Notice::Drained(report) => Note::Drained(report.connections, report.evicted),
            _ => return None,
        },
        _ => return None,
    })
}

const fn kind(notice: &Notice) -> &'static str {
    match notice {
        Notice::Opened { .. } => "opened",
        Notice::Joined { .. } => "joined",
        Notice::JoinFailed { .. } => "join failed",
        Notice::Left { .. } => "left",
        Notice::Presence { .. } => "presence",
        Notice::NearLimit { .. } => "near limit",
        Notice::HostStalled { .. } => "host stalled",
        Notice::Pinged { .. } => "pinged",
        Notice::Drained(_) => "drained",
        _ => "an end",
    }
}
