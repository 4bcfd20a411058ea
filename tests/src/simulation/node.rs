//! The node's driver, in the shape of the real one: reads, decodes, asks, heeds what it is told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use switchboard_core::{
    Answer, Decoder, DecoderLimits, Event, Handshake, HandshakeConfig, Incoming, Intake, Request,
};

use super::counters::{Fault, Probe};
use super::hooks::{Call, Item};
use super::link::Input;
use super::plan::{MICRO, MILLI};
use super::schedule::Step;
use super::world::World;

/// Reads, and messages, before everybody else gets a turn.
const READS: usize = 8;
const FRAMES: usize = 64;
/// Bytes that are read at a time.
const SCRATCH: usize = 64 << 10;

/// Some addresses are IPv4, some IPv6 networks, some IPv4 written as IPv6.
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
    /// A stream has been accepted.
    pub(super) fn accept(&mut self, l: u32) {
        let peer = address(self.links[l as usize].address, l);
        let expected = self.predict_connect(l);
        // The id is not known before the call: what it says of it is looked at after it.
        self.oracle.arriving = Some(l);
        let result = self.call(|board, now| board.connect(now, peer));
        self.oracle.arriving = None;
        match result {
            Err(_) => {
                self.probe(Probe::RefusalsFull);
                self.check(9, !expected, || format!("link {l}: dropped without need"));
                self.links[l as usize].shadow.phase = super::link::Phase::Gone;
                self.links[l as usize].node_gone = true;
                let answer = b"HTTP/1.1 503 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                self.links[l as usize].shadow.http = Some(503);
                let _ = self.socket_write(l, answer);
                self.wake_client(l);
            }
            Ok(id) => {
                self.check(9, expected, || format!("link {l}: taken over the limit"));
                if self.links[l as usize].id.is_none() {
                    self.collecting = true;
                    self.adopt(l, id);
                    self.collecting = false;
                }
                let config = HandshakeConfig {
                    endpoint: self.plan.config.endpoint.clone(),
                    pages: true,
                    json: self.plan.json,
                    name_bytes: self.plan.config.limits.name_bytes,
                };
                if self.links[l as usize].intake == Intake::Head {
                    let handshake = Handshake::new(Arc::new(config));
                    self.links[l as usize].input = Input::Head(Box::new(handshake));
                }
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

    /// Takes note of what the core has said about a link.
    pub(super) fn heed(&mut self, l: u32) {
        let link = &mut self.links[l as usize];
        if !std::mem::take(&mut link.signalled) {
            return;
        }
        if let Some(reason) = link.hooks.ended.take() {
            self.end_hooks(l, reason);
        }
        self.ask_intake(l);
        self.run_backlog(l);
        let link = &mut self.links[l as usize];
        if link.node_gone && link.hooks.busy.is_none() {
            link.rx = Vec::new();
            link.rx_at = 0;
        }
    }

    fn ask_intake(&mut self, l: u32) {
        let link = &self.links[l as usize];
        let Some(id) = link.id else { return };
        let before = link.intake;
        let Ok(intake) = self.board.intake(id) else {
            self.links[l as usize].input = Input::Nothing;
            return self.abandon_entrance(l);
        };
        self.links[l as usize].intake = intake;
        match intake {
            Intake::Frames if !matches!(self.links[l as usize].input, Input::Frames(_)) => {
                let limits = &self.plan.config.limits;
                let decoder = Decoder::new(DecoderLimits {
                    message_bytes: limits.message_bytes,
                    fragments: limits.fragments,
                });
                self.links[l as usize].input = Input::Frames(Box::new(decoder));
            }
            Intake::Discard => {
                self.links[l as usize].input = Input::Nothing;
                self.abandon_entrance(l);
            }
            Intake::Wait if before == Intake::Discard => self.probe(Probe::DiscardBound),
            Intake::Wait if before == Intake::Frames => {
                self.probe(Probe::IntakeWait);
                self.links[l as usize].shadow.paused_since = true;
            }
            _ => {}
        }
        if before != intake {
            self.schedule.push(self.now, Step::Arrive(l));
        }
    }

    /// Reads what there is, but not for ever.
    pub(super) fn read(&mut self, l: u32) {
        let mut frames = FRAMES;
        for _ in 0..READS {
            self.heed(l);
            if self.links[l as usize].id.is_none() {
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
            // Byte by byte through something long would be more of the same.
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
            let link = &mut self.links[l as usize];
            let mut chunk = link.rx[link.rx_at..link.rx_at + size].to_vec();
            let used = self.receive(l, &mut chunk, &mut frames);
            let link = &mut self.links[l as usize];
            // What was unmasked in place and not used has been masked bytes still.
            link.rx_at = (link.rx_at + used).min(link.rx.len());
            self.heed(l);
            if frames == 0 {
                break;
            }
        }
        self.schedule.push(self.now, Step::Arrive(l));
    }

    fn may_read(&mut self, l: u32) -> bool {
        if self.plan.config.limits.pause_reading.is_some() {
            self.ask_intake(l);
        }
        match self.links[l as usize].intake {
            Intake::Wait => false,
            Intake::Frames => {
                if self.board.is_congested() {
                    self.schedule.push(self.now + MILLI, Step::Arrive(l));
                    self.links[l as usize].shadow.paused_since = true;
                    return false;
                }
                !self.backlog_full(l)
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
        } else if matches!(link.input, Input::Frames(_)) {
            self.take_item(l, Item::Eof);
        } else {
            self.event(l, Event::Eof);
        }
    }

    /// Uses bytes; says how many.
    fn receive(&mut self, l: u32, bytes: &mut [u8], frames: &mut usize) -> usize {
        let link = &mut self.links[l as usize];
        link.shadow.last_heard = self.now;
        link.shadow.frozen_at_heard = self.frozen;
        link.shadow.paused_since = false;
        if link.intake == Intake::Discard {
            self.event(l, Event::Discarded(bytes.len()));
            return bytes.len();
        }
        match std::mem::replace(&mut link.input, Input::Nothing) {
            Input::Nothing => {
                self.event(l, Event::Discarded(bytes.len()));
                bytes.len()
            }
            Input::Head(mut handshake) => {
                let outcome = handshake.receive(bytes);
                let used = bytes.len() - handshake.unread();
                match outcome {
                    Ok(None) => self.links[l as usize].input = Input::Head(handshake),
                    Ok(Some(request)) => self.take_request(l, request),
                    Err(bad) => {
                        self.predict_malformed(l, bad.status());
                        if let Some(id) = self.links[l as usize].id {
                            let _ = self.call(|board, now| board.malformed(now, id, bad));
                        }
                        self.predicted_admission(l);
                    }
                }
                used
            }
            Input::Frames(mut decoder) => {
                let used = self.decode(l, &mut decoder, bytes, frames);
                // What was lent is given back, also where the turn ended before the input did.
                let _ = decoder.decode(&mut []);
                let (in_message, held) = (decoder.in_message(), decoder.buffered());
                let link = &mut self.links[l as usize];
                if matches!(link.input, Input::Nothing) && link.intake != Intake::Discard {
                    link.input = Input::Frames(decoder);
                }
                if in_message || link.partial {
                    link.partial = in_message;
                    let bytes = held;
                    self.event(l, Event::Partial { in_message, bytes });
                }
                used
            }
        }
    }

    fn take_request(&mut self, l: u32, mut request: Request) {
        let Some(id) = self.links[l as usize].id else {
            return;
        };
        let peer = address(self.links[l as usize].address, l);
        request.set_peer(self.board.client_address(peer, &request));
        let token = request.token().cloned();
        self.predict_request(l, &request);
        let answer = self.call(|board, now| board.request(now, id, &request));
        self.predicted_admission(l);
        self.ask_intake(l);
        match answer {
            Ok(Answer::Authenticate) => self.start_hook(l, Call::Identify(token, None)),
            Ok(Answer::Page) => self.start_hook(l, Call::Page),
            _ => {}
        }
    }

    fn decode(
        &mut self,
        l: u32,
        decoder: &mut Decoder,
        bytes: &mut [u8],
        frames: &mut usize,
    ) -> usize {
        let (mut used, mut heard) = (0, false);
        while *frames > 0
            && !self.backlog_full(l)
            && !self.board.is_congested()
            && !self.links[l as usize].signalled
        {
            let step = match decoder.decode(&mut bytes[used..]) {
                Ok(step) => step,
                Err(violation) => {
                    self.take_item(l, Item::Violation(violation));
                    return bytes.len();
                }
            };
            used += step.consumed;
            let Some(incoming) = step.incoming else {
                break;
            };
            *frames -= 1;
            heard = true;
            self.hand_on(l, incoming);
        }
        if !heard {
            self.event(l, Event::Heard);
        }
        used
    }

    fn hand_on(&mut self, l: u32, incoming: Incoming<'_>) {
        match incoming {
            Incoming::Text(text) => {
                if self.admit(l, false, text.len()) {
                    let hooks = &self.links[l as usize].hooks;
                    if hooks.busy.is_some() || !hooks.backlog.is_empty() {
                        self.take_item(l, Item::Text(text.to_owned()));
                    } else {
                        self.process_text(l, text);
                    }
                }
            }
            Incoming::Binary(bytes) => {
                if self.admit(l, true, bytes.len()) {
                    self.take_item(l, Item::Binary);
                }
            }
            Incoming::Ping(payload) => {
                self.predict_control(l, payload.len(), false);
                self.links[l as usize].shadow.pings += 1;
                self.event(l, Event::Ping(payload));
                self.predicted_charge(l);
            }
            Incoming::Pong(payload) => {
                let answers = self.answers_ping(l, payload);
                self.predict_control(l, payload.len(), answers);
                self.event(l, Event::Pong(payload));
                self.predicted_charge(l);
            }
            Incoming::Close(close) => {
                let close = close.map(|close| (close.code, close.reason.to_owned()));
                self.allow(l, "client_closed");
                self.links[l as usize].shadow.close_code =
                    Some(close.as_ref().map(|(code, _)| *code));
                self.take_item(l, Item::Close(close));
            }
        }
    }

    fn admit(&mut self, l: u32, binary: bool, bytes: usize) -> bool {
        let Some(id) = self.links[l as usize].id else {
            return false;
        };
        self.links[l as usize].shadow.last_message = self.now;
        let expected = self.predict_message(l, binary, bytes);
        let admitted = self.call(|board, now| board.message(now, id, binary, bytes)) == Ok(true);
        self.check(
            20,
            expected.is_none_or(|expected| expected == admitted),
            || format!("link {l}: a message of {bytes} bytes, admitted: {admitted}"),
        );
        self.predicted_charge(l);
        admitted
    }

    /// The host stands still for a while: nothing of the node happens.
    pub(super) fn freeze(&mut self, nanos: u64) {
        self.fault(Fault::HostStall);
        self.frozen_until = self.now + nanos;
        self.frozen += nanos;
        self.note(|| format!("host stands still for {} ms", nanos / MILLI));
        self.schedule.push(self.frozen_until + MICRO, Step::Tick);
    }
}
