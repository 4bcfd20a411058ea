//! What the answers of the broker change.

use std::sync::Arc;

use super::asked::Asked;
use super::cluster::Cluster;
use super::pipeline::ENTRIES;
use super::room::Read;
use crate::Time;
use crate::cluster::answer::{Answer, Failure};

impl Cluster {
    pub(super) fn answer(
        &mut self,
        now: Time,
        asked: Asked,
        answer: Answer,
    ) -> Result<(), Failure> {
        match (asked, answer) {
            (Asked::Ping, Answer::Ping) | (Asked::Notify, Answer::Notify(_)) => {}
            (
                Asked::Beat {
                    registration,
                    forget,
                },
                answer,
            ) => return self.beat_answered(now, &registration, &forget, answer),
            (Asked::Seats { room, registration }, answer) => {
                return self.seats_answered(now, &room, &registration, &answer);
            }
            (Asked::Claim { key, registration }, answer) => {
                return self.claim_answered(now, &key, &registration, answer);
            }
            (Asked::Lookup, Answer::Lookup(claims)) => self.claims_read(now, claims),
            (Asked::Question(question), Answer::Direct(reached)) => {
                self.direct_answered(question, &reached);
            }
            (Asked::Question(question), Answer::Kick { at, reached }) => {
                self.clock.heard(now, at);
                self.kick_answered(question, &reached);
            }
            (Asked::Recall(ticket), Answer::Range(entries)) => {
                self.recall_answered(ticket, entries);
            }
            (Asked::Recall(ticket), Answer::Values(values)) => self.values_read(ticket, values),
            (Asked::Retire, Answer::Retire(_)) => self.is_retired(now),
            (asked, answer) => return self.room_answered(now, asked, answer),
        }
        Ok(())
    }

    fn room_answered(&mut self, now: Time, asked: Asked, answer: Answer) -> Result<(), Failure> {
        match (asked, answer) {
            (Asked::Append { room }, Answer::Append { epoch, fates }) => {
                self.with_room(&room, |room, cx| room.appended(&epoch, &fates, cx));
            }
            (
                Asked::Sync { room, stay },
                Answer::Sync {
                    epoch,
                    seq,
                    own,
                    version,
                    entries,
                },
            ) => {
                let cut = entries.len() >= ENTRIES as usize;
                let read = Read {
                    epoch: Arc::clone(&epoch),
                    seq,
                    own,
                    entries,
                    cut,
                };
                self.read(&room, stay, read);
                self.check_list(now, &room, &epoch, version, None);
            }
            (Asked::Presence { room, registration }, Answer::Presence { epoch, version, .. }) => {
                self.with_room(&room, |room, cx| {
                    let own = cx.registrations.own;
                    room.occupants.written(&registration, own, &epoch, version);
                });
            }
            (Asked::Occupants { room }, Answer::Occupants(list)) => {
                self.list_read(now, &room, list);
            }
            (Asked::Probe { room, stay }, Answer::Position(position)) => {
                let at = position.as_ref().map(|it| (&*it.epoch, it.seq));
                self.with_room(&room, |room, cx| {
                    if room.stay == stay && room.probed(at) {
                        cx.figures.repairs += 1;
                    }
                });
                if let Some(it) = position {
                    self.check_list(now, &room, &it.epoch, it.version, Some(it.users));
                }
            }
            // Among them Stale and OutOfOrder: another connection of this node is at work.
            _ => return Err(Failure::Malformed),
        }
        Ok(())
    }

    fn read(&mut self, name: &Arc<str>, stay: u64, read: Read) {
        let session = self.session;
        self.with_room(name, |room, cx| {
            room.session = session;
            if room.stay == stay {
                room.read(read, cx);
            } else {
                // It was left, and entered again: only the outbox is the same.
                room.outbox.known(read.own);
            }
        });
    }
}
