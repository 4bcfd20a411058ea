//! The rate limits of messages, bytes and connects, compared with a list of everything admitted.

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use switchboard_core::session::Meter;
use switchboard_core::{
    Config, ConnectionId, Event, Identity, Rate, RequestOutcome, Switchboard, Time, Wire, WriteTurn,
};
use switchboard_kit::{Reader, Received};

use super::{STEPS, address, ask};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Wait(u32),
    WaitLong(u8),
    Message(u16),
    Ping(u8),
    Connect(u8),
}

/// Everything that a bucket admitted, and its rate.
struct Twin {
    rate: Option<Rate>,
    given: Vec<(u64, u64)>,
}

const SECOND: u128 = 1_000_000_000;

impl Twin {
    const fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            given: Vec::new(),
        }
    }

    /// Replays everything admitted: a level that rises with each unit and falls with time.
    fn admits(&self, now: u64, units: u64) -> bool {
        let Some(rate) = self.rate else { return true };
        let cost = |units: u64| (u128::from(units) * SECOND).div_ceil(u128::from(rate.per_second));
        let (mut level, mut at) = (0_u128, 0);
        for &(time, units) in &self.given {
            level = level.saturating_sub(u128::from(time - at)) + cost(units);
            at = time;
        }
        level.saturating_sub(u128::from(now - at)) + cost(units) <= cost(rate.burst)
    }

    /// Checks, independently of the level, that no window had more than burst and rate allow,
    /// except for rounding to a nanosecond.
    fn give(&mut self, now: u64, units: u64) {
        self.given.push((now, units));
        let Some(rate) = self.rate else { return };
        let mut sum = 0;
        for &(from, units) in self.given.iter().rev() {
            sum += u128::from(units) * SECOND;
            let window = u128::from(now - from) + 1;
            let most = u128::from(rate.burst) * SECOND + u128::from(rate.per_second) * window;
            assert!(sum <= most, "{rate:?}: {sum} in {window} ns");
        }
    }
}

struct World {
    board: Switchboard,
    now: u64,
    speaker: ConnectionId,
    meter: Meter,
    messages: Twin,
    bytes: Twin,
    connects: BTreeMap<u8, Twin>,
    connect_rate: Option<Rate>,
}

pub(super) fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut world = World::new(rate(input)?, rate(input)?, rate(input)?);
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        match input.arbitrary()? {
            Step::Wait(nanos) => world.now += u64::from(nanos),
            Step::WaitLong(seconds) => world.now += u64::from(seconds) * 1_000_000_000,
            Step::Message(len) => world.message(usize::from(len)),
            Step::Ping(len) => world.ping(usize::from(len % 126)),
            Step::Connect(from) => world.connect(from % 4),
        }
    }
    Ok(())
}

fn rate(input: &mut Unstructured<'_>) -> Result<Option<Rate>> {
    let (per_second, burst): (u32, u32) = input.arbitrary()?;
    // Prefer low rates.
    let narrow = |number: u32| (number >> (number % 32)).max(1);
    Ok((per_second % 8 != 7).then(|| Rate {
        per_second: narrow(per_second).into(),
        burst: narrow(burst).into(),
    }))
}

impl World {
    fn new(messages: Option<Rate>, bytes: Option<Rate>, connects: Option<Rate>) -> Self {
        let mut config = Config {
            wire: Wire::Raw,
            ..Config::default()
        };
        config.rates.messages = messages;
        config.rates.bytes = bytes;
        config.rates.connects = None;
        // Strikes are another rule and must not close a connection here.
        config.rates.strikes = 1_000;
        config.rates.strike_window = Duration::from_nanos(1);
        config.limits.message_bytes = 1;
        config.limits.per_ip = 1_000_000;
        config.health.stall_threshold = Duration::from_secs(365 * 86_400);
        let now = 1_000;
        // One node has no connect limit, so that the sender is admitted.
        config.rates.connects = connects;
        let at = Time::from_nanos(now);
        let mut board = Switchboard::new(config, 1, at).expect("a valid configuration");
        let speaker = board.connect(at, address(200)).expect("a seat");
        assert_eq!(
            ask(&mut board, at, speaker, address(200)),
            RequestOutcome::Authenticate
        );
        let user = Ok(Identity::user("ann"));
        board
            .authenticated(at, speaker, user, None)
            .expect("a live connection");
        Self {
            board,
            now,
            speaker,
            meter: Meter::default(),
            messages: Twin::new(messages),
            bytes: Twin::new(bytes),
            connects: BTreeMap::new(),
            connect_rate: connects,
        }
    }

    fn at(&self) -> Time {
        Time::from_nanos(self.now)
    }

    /// Charges a message or control frame to the twins; returns their prediction.
    fn charge(&mut self, len: usize) -> bool {
        let (now, len) = (self.now, len as u64);
        let fits = self.messages.admits(now, 1) && self.bytes.admits(now, len);
        if fits {
            self.messages.give(now, 1);
            self.bytes.give(now, len);
        }
        fits
    }

    fn message(&mut self, len: usize) {
        let (at, expected) = (self.at(), self.charge(len));
        let charged = self.meter.charge(at, &self.board.config().rates, len);
        assert_eq!(
            self.board.message(at, self.speaker, true, len, charged),
            Ok(expected)
        );
    }

    fn ping(&mut self, len: usize) {
        let (at, expected) = (self.at(), self.charge(len));
        let payload = vec![7; len];
        let charged = self.meter.charge(at, &self.board.config().rates, len);
        let event = charged.map_or_else(
            |retry_after| Event::OverRate {
                bytes: len,
                retry_after,
            },
            |()| Event::Ping(&payload),
        );
        let told = self.board.handle(at, self.speaker, event);
        told.expect("a live connection");
        let pong = expected.then_some(Received::Pong(payload));
        assert_eq!(self.written(), Vec::from_iter(pong));
    }

    /// A connect is charged on arrival; the result is reported with its request.
    fn connect(&mut self, from: u8) {
        let (at, now) = (self.at(), self.now);
        let rate = self.connect_rate;
        let twin = self.connects.entry(from).or_insert_with(|| Twin::new(rate));
        let expected = if twin.admits(now, 1) {
            twin.give(now, 1);
            RequestOutcome::Authenticate
        } else {
            RequestOutcome::Refused
        };
        let id = self.board.connect(at, address(from)).expect("a seat");
        assert_eq!(ask(&mut self.board, at, id, address(from)), expected);
        let told = self.board.handle(at, id, Event::Reset);
        told.expect("a live connection");
        assert_eq!(self.board.audit(), Ok(()));
    }

    fn written(&mut self) -> Vec<Received> {
        let (at, mut out) = (self.at(), Vec::new());
        while self.board.poll_action().is_some() {}
        let mut turn = WriteTurn::default();
        while self.board.wants_write() {
            self.board.take_turn(&mut turn, 32);
            turn.write_each(|_, bytes| {
                out.extend_from_slice(bytes);
                bytes.len()
            });
            self.board.report(at, &mut turn);
        }
        Reader::new(false).read(&out).expect("frames")
    }
}
