//! Where members begin who come back, and what they are told of numbers that they do not get
//! (invariant 42, H2 to H5).

use switchboard_core::session::Call;
use switchboard_core::{JoinFrom, Question, Reach};

use super::counters::Probe;
use super::delivery::Checked;
use super::histories::First;
use super::link::Stay;
use super::oracle::{Entry, Room, room_number};
use super::output::Message;
use super::world::World;

/// From where on a client wants the messages of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Wish {
    /// It says nothing.
    #[default]
    Rule,
    Last(u64),
    /// The epoch, and the last number that it has.
    Since(String, u64),
}

impl Wish {
    /// Returns what the application is asked about.
    fn of(from: &JoinFrom) -> Self {
        match from {
            JoinFrom::Last(last) => Self::Last(*last),
            JoinFrom::Since(since) => Self::Since(since.epoch.to_string(), since.seq),
            _ => Self::Rule,
        }
    }
}

/// How a connection enters a room.
#[derive(Clone, Debug, Default)]
pub(super) struct Entering {
    pub(super) wish: Wish,
    /// How far back the application lets it reach.
    pub(super) reach: Reach,
}

/// Where a stay begins, as its client is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beginning {
    /// The number before the first that it gets.
    seen: u64,
    recovered: Option<bool>,
    /// Whether it gets the present value of each key.
    by_key: bool,
    /// The numbers that it missed and may not have.
    hidden: Option<(u64, u64)>,
}

impl World {
    /// The application is asked whether a connection may enter a room: checks that it learns what the
    /// client has said.
    pub(super) fn check_question(&mut self, l: u32, question: Option<&Question>) {
        let entering = self.oracle.entering.take();
        if let Some(Question::Join { from, .. }) = question {
            let said = entering.unwrap_or_default().wish;
            let asked = Wish::of(from);
            self.check(42, said == asked, || {
                format!("link {l} wants {said:?}, the application is asked about {asked:?}")
            });
        }
    }

    /// The application has answered: notes how the connection enters.
    pub(super) fn note_entrance(&mut self, question: &Question) {
        if let Question::Join { from, reach, .. } = question {
            self.oracle.entering = Some(Entering {
                wish: Wish::of(from),
                reach: *reach,
            });
        }
    }

    /// The application lets a client enter, but perhaps reach back less far than it wants.
    pub(super) fn limit_reach(&mut self, l: u32, call: &mut Call) {
        let room = match call {
            Call::Ask(Question::Join { room, .. }) => room_number(room),
            Call::Lobby(lobby) => {
                let asked = Wish::of(&lobby.from);
                let said = self.links[l as usize].shadow.lobby_entering.wish.clone();
                self.check(42, said == asked, || {
                    format!("link {l} wants {said:?} of its lobby, and not {asked:?}")
                });
                room_number(&lobby.room)
            }
            _ => None,
        };
        let Some(r) = room.filter(|_| self.plan.keeps && self.trouble(15)) else {
            return;
        };
        let last = self.oracle.rooms[r as usize].seq();
        let reach = if self.rng.bool() {
            Reach::Now
        } else {
            Reach::From(self.rng.u64(..=last + 2))
        };
        match call {
            Call::Ask(question) => question.limit(reach),
            Call::Lobby(lobby) => {
                lobby.limit(reach);
                self.links[l as usize].shadow.lobby_entering.reach = reach;
            }
            _ => {}
        }
    }

    /// Returns how a connection enters a room that it has just joined.
    pub(super) fn entrance(&mut self, l: u32, r: u32, lobby: bool) -> Entering {
        let entering = if lobby {
            let shadow = &mut self.links[l as usize].shadow;
            Some(std::mem::take(&mut shadow.lobby_entering))
        } else {
            self.oracle.entering.clone()
        };
        let entering = entering.unwrap_or_default();
        let keeps = self.oracle.rooms[r as usize].keeping.is_some();
        if keeps && matches!(entering.wish, Wish::Since(..)) {
            self.oracle.came_back += 1;
        }
        entering
    }

    /// A member is told where it begins: checks that against what the room kept when it joined.
    pub(super) fn begins(&mut self, l: u32, r: u32, stay: &Stay, message: &Message<'_>) -> Checked {
        let wrong = |what: &str| Err((42, format!("r{r}: {what}: {message:?} in {stay:?}")));
        let room = &self.oracle.rooms[r as usize];
        let Some(keeping) = room.keeping else {
            let told = (message.first, message.recovered, message.keep);
            return if told == (None, None, None) {
                Ok(())
            } else {
                wrong("it keeps nothing")
            };
        };
        let first = message.first.unwrap_or(0);
        if !stay.first.allows(first, stay.from) {
            return wrong("another number is the first");
        }
        if (message.keep == Some("latest")) != keeping.keys.is_some() {
            return wrong("that is not what it keeps");
        }
        let epoch = message.epoch.unwrap_or_default();
        let beginning = self.beginning(r, stay, (epoch, first));
        if message.recovered != beginning.recovered {
            return wrong("that is not what was missed");
        }
        let room = &mut self.oracle.rooms[r as usize];
        if stay.life as usize + 1 == room.lives.len() {
            room.note_first(first);
        }
        let stays = self.links[l as usize].shadow.stays.get_mut(&r);
        if let Some(stay) = stays.and_then(|stays| stays.front_mut()) {
            stay.entering = Entering::default();
            stay.seen = beginning.seen;
            stay.recovered = beginning.recovered;
            stay.by_key = beginning.by_key;
            stay.hidden = beginning.hidden;
        }
        Ok(())
    }

    /// Predicts where a stay begins, in a room that kept what was from `first` on.
    fn beginning(&mut self, r: u32, stay: &Stay, (epoch, first): (&str, u64)) -> Beginning {
        let room = &self.oracle.rooms[r as usize];
        let keeping = room.keeping.expect("it keeps something");
        let by_key = keeping.keys.is_some();
        let (last, entering) = (stay.from, &stay.entering);
        let reach = match entering.reach {
            Reach::Now => last + 1,
            Reach::From(number) => number.clamp(1, last + 1),
            _ => 1,
        };
        let present = Beginning {
            seen: if by_key { reach - 1 } else { last },
            by_key: by_key && reach <= last,
            ..Beginning::default()
        };
        let wanted = match &entering.wish {
            Wish::Since(theirs, since) => {
                let begins = reach.max(since.saturating_add(1));
                let missing = if theirs != epoch {
                    Some(Probe::RecoveryOfAnotherLife)
                } else if *since > last {
                    Some(Probe::RecoveryAhead)
                } else if first > begins {
                    Some(Probe::RecoveryGone)
                } else if begins > last && *since < last {
                    Some(Probe::RecoveryRefused)
                } else {
                    None
                };
                if let Some(probe) = missing {
                    self.probe(probe);
                    return Beginning {
                        recovered: Some(false),
                        ..present
                    };
                }
                let hidden = (since + 1 < begins).then_some((since + 1, begins - 1));
                return Beginning {
                    seen: if by_key { begins - 1 } else { *since },
                    recovered: Some(true),
                    by_key: false,
                    hidden: hidden.filter(|_| !by_key),
                };
            }
            _ if by_key => return present,
            Wish::Last(wanted) => (*wanted).min(keeping.on_join.max(keeping.on_join_max)),
            Wish::Rule => keeping.on_join,
        };
        let wanted = wanted.min(last + 1 - reach);
        Beginning {
            seen: (first - 1).max(last - wanted),
            ..present
        }
    }

    /// Returns whether a connection does not get an entry from what its room keeps. `fresh` is whether
    /// it gets the present values, its own ones too.
    pub(super) fn is_hidden(&self, l: u32, entry: &Entry, fresh: bool) -> bool {
        let session = self.session_name(l);
        let user = self.links[l as usize].shadow.user.as_deref();
        let user = format!("user {}", user.unwrap_or_default());
        let is = |name: &String| *name == user || Some(name) == session.as_ref();
        let own = !fresh && entry.by.is_some() && entry.by == session;
        own || entry.hidden.iter().any(is)
    }

    /// A member is told of numbers that it does not get.
    pub(super) fn passed_over(
        &mut self,
        l: u32,
        r: u32,
        (from, to): (u64, u64),
        kind: &str,
    ) -> Checked {
        let Some(stay) = self.stay(l, r).filter(|stay| stay.told).cloned() else {
            return Err((13, format!("a {kind} of r{r}, which it is not in")));
        };
        let room = &self.oracle.rooms[r as usize];
        let log = &room.lives[stay.life as usize];
        let known = stay.seen < from && from <= to && to <= log.len() as u64;
        let right = known
            && match kind {
                "skip" => {
                    to <= stay.from
                        && (stay.hidden == Some((from, to))
                            || log[from as usize - 1..to as usize]
                                .iter()
                                .all(|entry| self.is_hidden(l, entry, false)))
                }
                _ => room.catches_up && self.may_be_gone(r, &stay, to),
            };
        if !right {
            return Err((42, format!("r{r}: {kind} {from} to {to} in {stay:?}")));
        }
        self.check_gap(l, r, &stay, from)?;
        self.probe(if kind == "skip" {
            Probe::SkipTold
        } else {
            Probe::GapTold
        });
        if let Some(stay) = self.stay(l, r) {
            stay.seen = to;
        }
        Ok(())
    }

    /// Returns whether a room may not keep a number any more.
    pub(super) fn may_be_gone(&self, r: u32, stay: &Stay, seq: u64) -> bool {
        let room = &self.oracle.rooms[r as usize];
        let is_present = stay.life as usize + 1 == room.lives.len();
        let First { least, exact } = self.first_kept(r);
        !is_present || seq < least || !exact
    }

    /// Takes probes of a message that was published before its member came.
    pub(super) fn probe_recovered(&mut self, stay: &Stay) {
        let probe = match stay.recovered {
            _ if stay.by_key => Probe::PresentValue,
            Some(true) => Probe::Recovered,
            _ => Probe::LastOnJoin,
        };
        self.probe(probe);
        if stay.paged != 0 && stay.paged != self.now {
            self.probe(Probe::RecoveredInParts);
        }
    }
}

impl Room {
    /// Returns whether a message of a life has been overwritten by a later one of its key.
    pub(super) fn is_overwritten(&self, life: u32, seq: u64) -> bool {
        let log = &self.lives[life as usize];
        let key = &log[seq as usize - 1].key;
        key.is_some() && log[seq as usize..].iter().any(|it| it.key == *key)
    }
}
