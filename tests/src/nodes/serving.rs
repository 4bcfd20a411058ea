//! The driver of a node: it reads from the sockets of clients into sessions, and carries out their steps.
//! Sessions, switchboard and cluster are those of production.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use switchboard_core::session::{Call, Reply, Session, Step as Next, Turn};
use switchboard_core::{Event, HandshakeConfig, Identity, ReadMode, Time, Token, Tokens};

use super::link::{Down, Up};
use super::plan::{MILLI, SECOND};
use super::process::{Process, Seam};
use super::schedule::Step;
use super::world::World;

impl World {
    /// What the clock of a node's process says.
    pub(super) fn clock(&self, n: usize) -> Option<Time> {
        let process = self.nodes[n].process.as_ref()?;
        Some(Time::from_nanos(self.now - process.zero))
    }

    /// Makes a call of a node's process.
    pub(super) fn call<T>(
        &mut self,
        n: usize,
        call: impl FnOnce(&mut Process, Time) -> T,
    ) -> Option<T> {
        let now = self.clock(n)?;
        self.tally.events += 1;
        let result = call(self.nodes[n].process.as_mut()?, now);
        self.audit(n);
        Some(result)
    }

    /// Returns whether the process is still there that a connection is to.
    fn is_served(&self, l: u32) -> bool {
        let link = &self.links[l as usize];
        let process = self.nodes[link.node].process.as_ref();
        process.is_some_and(|it| it.number == link.process) && !link.node_gone
    }

    /// Something of a client arrives.
    pub(super) fn arrives(&mut self, l: u32) {
        let n = self.links[l as usize].node;
        while let Some(item) = self.next_of_client(l) {
            match item {
                Up::Open => self.accept(l),
                _ if !self.is_served(l) => self.send_down(l, Down::Reset),
                Up::Bytes(bytes) => {
                    self.links[l as usize].rx.extend(bytes);
                    self.read(l);
                }
                Up::Fin => {
                    self.links[l as usize].fin = true;
                    self.read(l);
                }
                Up::Reset => {
                    if let Some(id) = self.links[l as usize].id {
                        self.call(n, |process, now| {
                            process.with(now, |board, _| board.handle(now, id, Event::Reset))
                        });
                    }
                }
            }
        }
        self.settle(n);
    }

    fn accept(&mut self, l: u32) {
        let (n, client) = (self.links[l as usize].node, self.links[l as usize].client);
        let peer = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + client));
        let accepted = self.call(n, |process, now| {
            (process.number, process.accept(now, peer, l))
        });
        let Some((process, accepted)) = accepted else {
            self.send_down(l, Down::Reset);
            return;
        };
        self.links[l as usize].process = process;
        let Ok(id) = accepted else {
            self.links[l as usize].node_gone = true;
            self.send_down(l, Down::Reset);
            return;
        };
        let config = self.plan.config(n);
        let handshake = HandshakeConfig {
            endpoint: config.endpoint,
            pages: false,
            json: true,
            compression: false,
            room_contexts: false,
            sse: None,
            name_bytes: config.limits.name_bytes,
            tokens: Tokens::default(),
        };
        let link = &mut self.links[l as usize];
        link.id = Some(id);
        link.session = Some(Box::new(Session::new(id, peer, Arc::new(handshake))));
        self.served.push(l);
    }

    /// Runs `work` with the session of a connection.
    fn session<T>(
        &mut self,
        l: u32,
        work: impl FnOnce(&mut Session, &mut Seam<'_>) -> T,
    ) -> Option<T> {
        let link = &mut self.links[l as usize];
        let n = link.node;
        let mut session = link.session.take()?;
        let now = self.clock(n)?;
        self.tally.events += 1;
        let process = self.nodes[n].process.as_mut()?;
        let mut seam = Seam {
            process,
            now,
            link: l,
        };
        let result = work(&mut session, &mut seam);
        let link = &mut self.links[l as usize];
        if !session.is_calling() {
            link.hook = None;
        }
        link.session = Some(session);
        self.audit(n);
        Some(result)
    }

    /// Passes what has changed in the node to a session.
    pub(super) fn update(&mut self, l: u32) {
        let n = self.links[l as usize].node;
        let (Some(id), Some(process)) = (self.links[l as usize].id, &mut self.nodes[n].process)
        else {
            return;
        };
        process.effects.changed.remove(&l);
        let mode = process.board.read_mode(id).ok();
        let ended = process.effects.ended.remove(&l);
        self.session(l, |session, node| session.update(node, mode, ended));
        self.carry_on(l, None);
    }

    /// Carries out a step and those that follow, until a hook has to be awaited.
    fn carry_on(&mut self, l: u32, mut next: Option<Next>) {
        loop {
            next = match next.take() {
                Some(Next::Call(call)) => match self.start_hook(l, call) {
                    Some(reply) => self
                        .session(l, |session, node| session.reply(node, reply))
                        .flatten(),
                    None => return,
                },
                Some(Next::Flush) => {
                    self.flush(self.links[l as usize].node);
                    None
                }
                None => match self.session(l, |session, node| session.next(node)) {
                    Some(Some(step)) => Some(step),
                    _ => return,
                },
            };
        }
    }

    /// Calls the application; returns its reply if the hook returns at once.
    fn start_hook(&mut self, l: u32, call: Call) -> Option<Reply> {
        if self.is_calm || self.rng.u8(..100) >= self.plan.slow_hooks {
            return Some(reply(call));
        }
        self.count("slow hook", 1);
        self.links[l as usize].hook = Some(call);
        self.session(l, |session, node| session.pending(node));
        let at = self.now + self.rng.u64(MILLI..SECOND);
        self.schedule.push(at, Step::Hook(l));
        None
    }

    /// A hook returns.
    pub(super) fn hook_returns(&mut self, l: u32) {
        let n = self.links[l as usize].node;
        let is_there = self.nodes[n]
            .process
            .as_ref()
            .is_some_and(|it| it.number == self.links[l as usize].process);
        if is_there && let Some(call) = self.links[l as usize].hook.take() {
            let next = self.session(l, |session, node| session.reply(node, reply(call)));
            self.carry_on(l, next.flatten());
            self.read(l);
            self.settle(n);
        }
    }

    /// Reads what has arrived, as far as the session takes it.
    pub(super) fn read(&mut self, l: u32) {
        let n = self.links[l as usize].node;
        loop {
            if self.has_changed(l) {
                self.update(l);
            }
            if !self.is_served(l) || !self.may_read(l) {
                return;
            }
            let link = &mut self.links[l as usize];
            if link.rx.is_empty() {
                if link.fin && !std::mem::replace(&mut link.end_told, true) {
                    let step = self.session(l, |session, node| session.end_of_input(node));
                    self.carry_on(l, step.flatten());
                }
                return;
            }
            // The session unmasks in place, and what it does not use is given to it again.
            let mut bytes = link.rx.clone();
            let used = self.receive(l, &mut bytes);
            let link = &mut self.links[l as usize];
            link.rx.drain(..used);
            if used == 0 {
                let process = self.nodes[n].process.as_ref();
                if process.is_some_and(|it| it.board.is_congested()) {
                    self.count("reading waited", 1);
                    self.schedule.push(self.now + MILLI, Step::Read(l));
                }
                return;
            }
        }
    }

    fn has_changed(&self, l: u32) -> bool {
        let process = self.nodes[self.links[l as usize].node].process.as_ref();
        process.is_some_and(|it| it.effects.changed.contains(&l))
    }

    fn may_read(&mut self, l: u32) -> bool {
        let Some(session) = &self.links[l as usize].session else {
            return false;
        };
        if session.is_gone() {
            return false;
        }
        match session.mode() {
            ReadMode::Wait => false,
            ReadMode::Frames => {
                self.session(l, |session, node| session.is_full(node)) == Some(false)
            }
            _ => true,
        }
    }

    fn receive(&mut self, l: u32, bytes: &mut [u8]) -> usize {
        let (mut used, mut turn) = (0, Turn::default());
        loop {
            let rest = &mut bytes[used..];
            let received = self.session(l, |session, node| session.receive(node, rest, &mut turn));
            let Some(received) = received else {
                return used;
            };
            used += received.used;
            if received.step.is_none() {
                return used;
            }
            self.carry_on(l, received.step);
            if !self.is_served(l) || self.has_changed(l) {
                return used;
            }
        }
    }

    pub(super) fn writable(&mut self, l: u32) {
        let n = self.links[l as usize].node;
        if !self.is_served(l) || !self.links[l as usize].is_blocked {
            return;
        }
        self.links[l as usize].is_blocked = false;
        if let Some(id) = self.links[l as usize].id {
            self.call(n, |process, now| {
                process.with(now, |board, _| board.handle(now, id, Event::Writable))
            });
        }
        self.settle(n);
    }
}

fn reply(call: Call) -> Reply {
    match call {
        Call::Page(_) => Reply::Page(Vec::new()),
        Call::Authenticate(login) => {
            let name = login.request.token().map_or("nobody", Token::reveal);
            let identity = Identity::user(name);
            Reply::Identity(login, Ok(identity.into()))
        }
        Call::Lobby(lobby) => Reply::Lobby(lobby, Ok(())),
        Call::Connect => Reply::Connected,
        Call::Joined(_) | Call::Left(_) => Reply::Noted,
        Call::Ask(question) => Reply::Verdict(question, Ok(())),
        Call::Text(_) | Call::Binary(_) => Reply::Delivered(Ok(())),
        Call::Disconnect(_) => Reply::Disconnected,
    }
}
