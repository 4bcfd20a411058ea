//! The timers of connections, compared with a list of deadlines.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use switchboard_core::{
    Config, ConnectionId, Event, Identity, ReadMode, Refused, RequestOutcome, Switchboard, Time,
};

use super::{STEPS, address, ask};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Connect,
    Ask(u8),
    Admit(u8),
    AwaitAuth(u8),
    Deny(u8),
    Begin(u8),
    Complete(u8),
    Reset(u8),
    Disconnect(u8),
    Wait(u16),
    ToDeadline,
    Again,
    Back(u16),
}

/// The phase of a connection and its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Arrived(u64),
    Asking(u64),
    Awaiting(u64),
    /// Admitted; the deadline of its unfinished message, if any.
    In(Option<u64>),
    Refused(u64),
    Closing(u64),
    Gone,
}

impl Stands {
    const fn due(self) -> Option<u64> {
        match self {
            Self::Arrived(at)
            | Self::Asking(at)
            | Self::Awaiting(at)
            | Self::Refused(at)
            | Self::Closing(at) => Some(at),
            Self::In(message) => message,
            Self::Gone => None,
        }
    }

    const fn read_mode(self) -> Option<ReadMode> {
        match self {
            Self::Arrived(_) => Some(ReadMode::Head),
            Self::Asking(_) => Some(ReadMode::Wait),
            Self::Awaiting(_) | Self::In(_) => Some(ReadMode::Frames),
            Self::Refused(_) | Self::Closing(_) => Some(ReadMode::Discard),
            Self::Gone => None,
        }
    }
}

struct World {
    board: Switchboard,
    config: Config,
    now: u64,
    ticked: u64,
    twins: Vec<(ConnectionId, Stands)>,
}

pub(super) fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut world = World::new(input)?;
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        world.step(input.arbitrary()?);
        world.compare();
    }
    // With time, all connections that are not admitted must be gone.
    for _ in 0..2 * world.twins.len() {
        world.step(Step::ToDeadline);
        world.compare();
    }
    let left = world
        .twins
        .iter()
        .find(|(_, stands)| stands.due().is_some());
    assert_eq!(left, None, "a deadline is left");
    Ok(())
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

impl World {
    fn new(input: &mut Unstructured<'_>) -> Result<Self> {
        let year = Duration::from_secs(365 * 86_400);
        let mut config = Config::default();
        // Disable the other timers.
        config.health.stall_threshold = year;
        config.health.ping_interval = year;
        config.health.ping_timeout = year;
        config.limits.per_ip = 1_000;
        let mut time = || {
            Ok(Duration::from_millis(
                u64::from(input.arbitrary::<u16>()?) + 1,
            ))
        };
        let timeouts = &mut config.timeouts;
        timeouts.handshake = time()?;
        timeouts.hook = time()?;
        timeouts.auth = time()?;
        timeouts.message = time()?;
        timeouts.close = time()?;
        timeouts.refusal = time()?;
        let now = 1_000_000;
        let board = Switchboard::new(config.clone(), 1, Time::from_nanos(now));
        Ok(Self {
            board: board.expect("a valid configuration"),
            config,
            now,
            ticked: now,
            twins: Vec::new(),
        })
    }

    fn at(&self) -> Time {
        Time::from_nanos(self.now)
    }

    fn step(&mut self, step: Step) {
        let (at, now) = (self.at(), self.now);
        let timeouts = self.config.timeouts;
        match step {
            Step::Connect if self.twins.len() < 40 => {
                let id = self.board.connect(at, address(1)).expect("a seat");
                let due = now + nanos(timeouts.handshake);
                self.twins.push((id, Stands::Arrived(due)));
            }
            Step::Connect => {}
            Step::Ask(c) => self.change(c, |board, id, stands| match stands {
                Stands::Arrived(_) => {
                    let answer = ask(board, at, id, address(1));
                    assert_eq!(answer, RequestOutcome::Authenticate);
                    Stands::Asking(now + nanos(timeouts.hook))
                }
                other => other,
            }),
            Step::Admit(c) => self.verdict(c, &Ok(Identity::Anonymous)),
            Step::AwaitAuth(c) => self.verdict(c, &Ok(Identity::FirstMessage)),
            Step::Deny(c) => self.verdict(c, &Err(Refused::Forbidden)),
            Step::Begin(c) => self.partial(c, true),
            Step::Complete(c) => self.partial(c, false),
            Step::Reset(c) => self.change(c, |board, id, stands| {
                let told = board.handle(at, id, Event::Reset);
                assert_eq!(told.is_ok(), stands != Stands::Gone);
                Stands::Gone
            }),
            Step::Disconnect(c) => self.change(c, |board, id, stands| match stands {
                Stands::In(_) => {
                    let told = board.handle(at, id, Event::Close(None));
                    told.expect("a live connection");
                    Stands::Closing(now + nanos(timeouts.close))
                }
                other => other,
            }),
            Step::Wait(millis) => self.tick(now + u64::from(millis) * 1_000_000),
            Step::ToDeadline => {
                let due = self
                    .twins
                    .iter()
                    .filter_map(|(_, stands)| stands.due())
                    .min();
                self.tick(due.unwrap_or(now).max(now));
            }
            Step::Again => self.tick(now),
            Step::Back(millis) => {
                let earlier = now.saturating_sub(u64::from(millis) * 1_000_000);
                self.board.tick(Time::from_nanos(earlier));
            }
        }
    }

    fn change(
        &mut self,
        c: u8,
        change: impl FnOnce(&mut Switchboard, ConnectionId, Stands) -> Stands,
    ) {
        let count = self.twins.len().max(1);
        if let Some((id, stands)) = self.twins.get_mut(usize::from(c) % count) {
            *stands = change(&mut self.board, *id, *stands);
        }
    }

    fn verdict(&mut self, c: u8, verdict: &std::result::Result<Identity, Refused>) {
        let (at, now, timeouts) = (self.at(), self.now, self.config.timeouts);
        self.change(c, |board, id, stands| {
            if !matches!(stands, Stands::Asking(_)) {
                return stands;
            }
            let told = board.authenticated(at, id, verdict.clone(), None);
            told.expect("a live connection");
            match verdict {
                Ok(Identity::FirstMessage) => Stands::Awaiting(now + nanos(timeouts.auth)),
                Ok(_) => Stands::In(None),
                Err(_) => Stands::Refused(now + nanos(timeouts.refusal)),
            }
        });
    }

    /// A message begins or is complete. Its time runs from its first byte.
    fn partial(&mut self, c: u8, in_message: bool) {
        let (at, due) = (self.at(), self.now + nanos(self.config.timeouts.message));
        self.change(c, |board, id, stands| {
            let Stands::In(since) = stands else {
                return stands;
            };
            let bytes = usize::from(in_message);
            let told = board.handle(at, id, Event::Partial { in_message, bytes });
            told.expect("a live connection");
            Stands::In(in_message.then(|| since.unwrap_or(due)))
        });
    }

    /// Lets time pass, with one tick at the end.
    fn tick(&mut self, now: u64) {
        self.now = now;
        self.board.tick(Time::from_nanos(now));
        self.ticked = now;
        let timeouts = self.config.timeouts;
        for (_, stands) in &mut self.twins {
            if stands.due().is_none_or(|due| due > now) {
                continue;
            }
            *stands = match *stands {
                Stands::In(_) => Stands::Closing(now + nanos(timeouts.close)),
                Stands::Refused(_) | Stands::Closing(_) => Stands::Gone,
                _ => Stands::Refused(now + nanos(timeouts.refusal)),
            };
        }
    }

    fn compare(&mut self) {
        while self.board.poll_action().is_some() {}
        for &(id, stands) in &self.twins {
            let read_mode = self.board.read_mode(id).ok();
            assert_eq!(
                read_mode,
                stands.read_mode(),
                "{id} at {}: {stands:?}",
                self.now
            );
        }
        let due = self
            .twins
            .iter()
            .filter_map(|(_, stands)| stands.due())
            .min();
        let next = self.board.next_deadline().map(Time::as_nanos);
        if let Some(due) = due {
            let next = next.expect("a next deadline");
            assert!(
                next <= due.max(self.ticked + 1),
                "{next} is later than {due}"
            );
        }
        assert!(
            next.is_none_or(|next| next > self.ticked),
            "due at once after a tick"
        );
        assert_eq!(self.board.audit(), Ok(()));
    }
}
