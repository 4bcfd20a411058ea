//! What follows from what a guest's machine says.

use switchboard_core::Time;
use switchboard_core::client::{Failure, Output, Report, State};
use switchboard_kit::Reader;

use super::guest::Link;
use super::world::{Arrival, World};

impl World {
    /// Carries out a guest's actions.
    pub(super) fn follow(&mut self, index: usize) {
        while let Some(action) = self.guests[index].machine.poll_output() {
            let guest = &mut self.guests[index];
            let socket = (index, guest.links);
            match action {
                Output::Dial { session, .. } => self.dial(index, session),
                Output::Close { .. } => {
                    self.send(socket, Arrival::Closed(socket, 1000));
                    self.guests[index].link = None;
                }
                Output::Send(text) => self.send(socket, Arrival::Text(socket, text)),
                Output::Done { id, value } => {
                    assert!(guest.unanswered.remove(&id), "an answer without a request");
                    guest.sees(value);
                    self.counts.taken += 1;
                }
                Output::Failed { id, failure } => {
                    assert!(guest.unanswered.remove(&id), "an answer without a request");
                    self.counts.failed += 1;
                    self.counts.unconfirmed += u64::from(failure == Failure::Unconfirmed);
                }
                Output::Notify(notice) => self.noticed(index, notice),
                Output::Result { .. } => unreachable!("nothing is called"),
                Output::Authenticate | Output::GetToken(_) => {
                    unreachable!("no tokens are configured")
                }
            }
        }
        self.arm(index);
    }

    fn dial(&mut self, index: usize, session: String) {
        self.note(4, index);
        let second = self.now.since(Time::ZERO).as_secs() as usize;
        if self.knocks.len() <= second {
            self.knocks.resize(second + 1, 0);
        }
        self.knocks[second] += 1;
        self.counts.knocks += 1;
        let guest = &mut self.guests[index];
        assert!(!guest.stopped, "{} must not reconnect", guest.user);
        guest.links += 1;
        let socket = (index, guest.links);
        guest.link = Some(Link {
            number: guest.links,
            peer: Reader::new(true),
            dead: guest.cut,
        });
        self.send(socket, Arrival::Dial(socket, session));
    }

    fn noticed(&mut self, index: usize, notice: Report) {
        let guest = &mut self.guests[index];
        match notice {
            Report::State(state) => {
                self.counts.welcomes += u64::from(matches!(state, State::Connected { .. }));
                guest.stopped = matches!(state, State::Stopped { .. });
                guest.state = state;
            }
            Report::Deliver(frame) => match frame.kind() {
                "message" => {
                    self.counts.messages += 1;
                    guest.sees(frame.seq().expect("it is numbered"));
                }
                "subscribed" => {
                    let epoch = frame.epoch().expect("an epoch");
                    self.counts.recovered += u64::from(frame.recovered() == Some(true));
                    if guest.epoch != epoch {
                        epoch.clone_into(&mut guest.epoch);
                        guest.seen.clear();
                        guest.from = frame.seq().expect("a number");
                    }
                }
                other => assert_ne!(other, "error", "{frame:?}: {:?}", frame.code()),
            },
            Report::Gap(gap) => {
                self.counts.missed += gap.to + 1 - gap.from;
                (gap.from..=gap.to).for_each(|seq| guest.sees(seq));
            }
            Report::Refused { .. } => unreachable!("rooms are open"),
            Report::Entered { .. }
            | Report::Unanswered { .. }
            | Report::Epoch { .. }
            | Report::RoundTrip(_) => {}
        }
    }

    /// Schedules a guest's deadline.
    pub(super) fn arm(&mut self, index: usize) {
        let guest = &mut self.guests[index];
        let Some(due) = guest.machine.next_deadline() else {
            return;
        };
        if guest.armed.is_none_or(|armed| due < armed) {
            guest.armed = Some(due);
            self.push(due.max(self.now), Arrival::Tick(index));
        }
    }
}
