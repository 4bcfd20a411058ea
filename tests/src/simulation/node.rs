//! The node's driver: reads from simulated sockets into the sessions, and carries out their steps.
//! The sessions and the switchboard are those of production.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use switchboard_core::session::{Call, Ended, Held, Session, Step as Next, Turn};
use switchboard_core::{Event, HandshakeConfig, ReadMode, Refused, Tokens};

use super::counters::{Fault, Probe};
use super::plan::{MICRO, MILLI};
use super::schedule::Step;
use super::seam::Seam;
use super::world::World;

/// Reads before others get a turn.
const READS: usize = 8;
/// Bytes per read.
const SCRATCH: usize = 64 << 10;

/// Returns an IPv4 address, an IPv6 network's address, or an IPv4-mapped one.
pub(super) fn address(number: u32, link: u32) -> IpAddr {
    match number % 3 {
        0 => Ipv4Addr::from_bits(0x0a00_0000 + number).into(),
        1 => Ipv6Addr::from_bits(
            u128::from(0x2001_0db8_0000_0000 + u64::from(number)) << 64 | u128::from(link),
        )
        .into(),
        _ => Ipv4Addr::from_bits(0x0a00_0000 + number)
            .to_ipv6_mapped()
            .into(),
    }
}

impl World {
    /// A stream was accepted.
    pub(super) fn accept(&mut self, l: u32) {
        let peer = address(self.links[l as usize].address, l);
        let expected = self.predict_connect(l);
        // The id is unknown before the call, so its actions are attributed afterwards.
        self.oracle.arriving = Some(l);
        let result = self.call(|board, now| board.connect(now, peer));
        self.oracle.arriving = None;
        match result {
            Err(refused) => {
                self.probe(if refused == Refused::IpLimit {
                    Probe::AddressShare
                } else {
                    Probe::RefusalsFull
                });
                self.check(9, expected == Some(refused), || {
                    format!("link {l}: dropped for {refused}, expected {expected:?}")
                });
                self.links[l as usize].shadow.phase = super::link::Phase::Gone;
                self.links[l as usize].node_gone = true;
                let status = refused.status();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                );
                self.links[l as usize].shadow.http = Some(status);
                let _ = self.socket_write(l, answer.as_bytes());
                self.wake_client(l);
            }
            Ok(id) => {
                self.check(9, expected.is_none(), || {
                    format!("link {l}: accepted, expected {expected:?}")
                });
                if self.links[l as usize].id.is_none() {
                    self.collecting = true;
                    self.adopt(l, id);
                    self.collecting = false;
                }
                let config = HandshakeConfig {
                    endpoint: self.plan.config.endpoint.clone(),
                    pages: true,
                    json: self.plan.json,
                    compression: self.plan.config.compression.is_some(),
                    room_contexts: self
                        .plan
                        .config
                        .compression
                        .is_some_and(|it| it.room_contexts > 0),
                    sse: None,
                    name_bytes: self.plan.config.limits.name_bytes,
                    tokens: Tokens {
                        cookie: Some("token".into()),
                        ..Tokens::default()
                    },
                };
                let session = Session::new(id, peer, Arc::new(config));
                self.links[l as usize].session = Some(Box::new(session));
                self.settle_accepted(l);
            }
        }
    }

    pub(super) fn event(&mut self, l: u32, event: Event<'_>) {
        if let Some(id) = self.links[l as usize].id {
            self.note(|| format!("link {l} {event:?}"));
            let _ = self.call(|board, now| board.handle(now, id, event));
        }
    }

    /// Runs `work` with a link's session.
    pub(super) fn session<T>(
        &mut self,
        l: u32,
        work: impl FnOnce(&mut Session, &mut Seam<'_>) -> T,
    ) -> Option<T> {
        let mut session = self.links[l as usize].session.take()?;
        let result = work(&mut session, &mut Seam { world: self, l });
        let link = &mut self.links[l as usize];
        if !session.is_calling() {
            link.hook = None;
        }
        link.session = Some(session);
        Some(result)
    }

    /// Applies the core's signals to a link.
    pub(super) fn heed(&mut self, l: u32) {
        if self.links[l as usize].session.is_none() {
            return;
        }
        let link = &mut self.links[l as usize];
        if !std::mem::take(&mut link.signalled) {
            return;
        }
        let ended = link.ended.take();
        self.update(l, ended);
        self.carry_on(l, None);
        let link = &mut self.links[l as usize];
        if link.node_gone && link.hook.is_none() {
            link.rx = Vec::new();
            link.rx_at = 0;
        }
    }

    fn update(&mut self, l: u32, ended: Option<Ended>) {
        self.session(l, |session, node| {
            let mode = node.read_mode(session.id());
            session.update(node, mode, ended);
        });
    }

    /// Carries out a step and those that follow, until a hook has to be awaited.
    pub(super) fn carry_on(&mut self, l: u32, mut next: Option<Next>) {
        while self.broken.is_none() {
            next = match next.take() {
                Some(Next::Call(call)) => {
                    let reply = self.start_hook(l, call);
                    reply.and_then(|reply| self.pass_on(l, reply))
                }
                Some(Next::Flush) => {
                    self.flush();
                    None
                }
                None => match self.session(l, |session, node| session.next(node)) {
                    Some(Some(step)) => Some(step),
                    _ => return self.await_hook(l),
                },
            };
        }
    }

    /// Reads the available input within a turn.
    pub(super) fn read(&mut self, l: u32) {
        let mut turn = Turn::default();
        for _ in 0..READS {
            self.heed(l);
            if self.links[l as usize].session.is_none() {
                return;
            }
            if self.links[l as usize].node_gone || self.broken.is_some() || !self.may_read(l) {
                return;
            }
            let link = &self.links[l as usize];
            let waiting = link.rx.len() - link.rx_at;
            if link.is_broken(self.now) {
                return self.end_of_stream(l, true);
            }
            if waiting == 0 {
                if link.fin_at.is_some_and(|at| at <= self.now) && link.up.is_empty() {
                    self.end_of_stream(l, false);
                }
                return;
            }
            // Reading a long input byte by byte would only cost time.
            let most = if waiting > 3_000 {
                usize::MAX
            } else {
                link.read_size
            };
            if most < waiting {
                self.fault(if most == 1 {
                    Fault::ReadByByte
                } else {
                    Fault::ReadSplit
                });
            }
            let size = waiting
                .min(SCRATCH)
                .min(if self.calm { SCRATCH } else { most });
            self.receive(l, size, &mut turn);
            self.heed(l);
            if turn.is_over() {
                break;
            }
        }
        self.schedule.push(self.now, Step::Arrive(l));
    }

    fn may_read(&mut self, l: u32) -> bool {
        if self.plan.config.limits.pause_reading.is_some() {
            self.update(l, None);
        }
        match self.links[l as usize].read_mode {
            ReadMode::Wait => false,
            ReadMode::Frames => {
                if self.board.is_congested() {
                    self.schedule.push(self.now + MILLI, Step::Arrive(l));
                    self.links[l as usize].shadow.paused_since = true;
                    return false;
                }
                let full = self.session(l, |session, node| session.is_full(node));
                full == Some(false)
            }
            _ => true,
        }
    }

    fn end_of_stream(&mut self, l: u32, reset: bool) {
        let link = &mut self.links[l as usize];
        if std::mem::replace(&mut link.end_told, true) {
            return;
        }
        if reset {
            self.event(l, Event::Reset);
        } else if let Some(step) = self.session(l, |session, node| session.end_of_input(node)) {
            self.carry_on(l, step);
        }
    }

    /// Hands in `size` bytes and consumes what is used.
    fn receive(&mut self, l: u32, size: usize, turn: &mut Turn) {
        let link = &mut self.links[l as usize];
        link.shadow.last_heard = self.now;
        link.shadow.frozen_at_heard = self.frozen;
        link.shadow.pinged_since = None;
        link.shadow.paused_since = false;
        let mut chunk = link.rx[link.rx_at..link.rx_at + size].to_vec();
        let (mut used, mut reply) = (0, None);
        loop {
            let bytes = &mut chunk[used..];
            let taken = reply.take();
            let received = self.session(l, |session, node| match taken {
                Some(reply) => session.reply_and_receive(node, reply, bytes, turn),
                None => session.receive(node, bytes, turn),
            });
            let Some(received) = received else { return };
            used += received.used;
            let link = &mut self.links[l as usize];
            // Unused bytes are masked again even if they had been unmasked in place.
            link.rx_at = (link.rx_at + received.used).min(link.rx.len());
            match received.step {
                None => return,
                Some(Next::Call(call @ Call::Ask(_))) if used < size => {
                    reply = self.start_hook(l, call);
                    if reply.is_none() {
                        self.carry_on(l, None);
                    }
                }
                step => self.carry_on(l, step),
            }
            if used == size || self.links[l as usize].node_gone || self.broken.is_some() {
                if let Some(reply) = reply {
                    let next = self.pass_on(l, reply);
                    self.carry_on(l, next);
                }
                return;
            }
        }
    }

    /// The host stalls: nothing of the node runs for a while.
    pub(super) fn freeze(&mut self, nanos: u64) {
        self.fault(Fault::HostStall);
        self.frozen_until = self.now + nanos;
        self.frozen += nanos;
        self.note(|| format!("host stands still for {} ms", nanos / MILLI));
        self.schedule.push(self.frozen_until + MICRO, Step::Tick);
    }
}
