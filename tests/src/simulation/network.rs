//! The network: delays, splits and sockets of limited capacity.

use super::counters::Fault;
use super::link::Take;
use super::plan::{MICRO, MILLI, SECOND};
use super::schedule::Step;
use super::world::World;

impl World {
    /// A client sends bytes, which arrive in order, in one piece or several.
    pub(super) fn send(&mut self, l: u32, bytes: Vec<u8>) {
        let link = &self.links[l as usize];
        if link.client_gone || link.fin_at.is_some() || link.reset_at.is_some() || bytes.is_empty()
        {
            return;
        }
        let pieces = if self.calm {
            1
        } else {
            [1, 1, 1, 2, 3][self.rng.usize(..5)]
        };
        if pieces > 1 {
            self.fault(Fault::ReadSplit);
        }
        let mut rest = bytes;
        for piece in 0..pieces {
            let later = if piece + 1 == pieces {
                Vec::new()
            } else {
                let cut = self.rng.usize(..=rest.len());
                rest.split_off(cut)
            };
            let mut latency = self.latency();
            if self.trouble(1) {
                self.fault(Fault::LinkDelay);
                latency += self.rng.u64(100 * MILLI..SECOND);
            }
            let link = &mut self.links[l as usize];
            let at = link.last_arrival.max(self.now + latency);
            if link.last_arrival == at || link.up.back().is_some_and(|(last, _)| *last == at) {
                self.tally.fault(Fault::ReadJoined);
            }
            link.last_arrival = at;
            link.up.push_back((at, rest));
            self.schedule.push(at, Step::Arrive(l));
            rest = later;
        }
    }

    /// Makes the bytes that have arrived readable.
    pub(super) fn arrive(&mut self, l: u32) {
        let now = self.now;
        let link = &mut self.links[l as usize];
        while let Some((at, _)) = link.up.front()
            && *at <= now
        {
            if let Some((_, bytes)) = link.up.pop_front() {
                if link.rx_at == link.rx.len() {
                    link.rx = bytes;
                    link.rx_at = 0;
                } else {
                    link.rx.extend_from_slice(&bytes);
                }
            }
        }
        self.read(l);
    }

    /// Writes to the node's socket; returns how much it took, or an error after a reset.
    pub(super) fn socket_write(&mut self, l: u32, bytes: &[u8]) -> Result<usize, ()> {
        let now = self.now;
        let link = &self.links[l as usize];
        if link.is_broken(now) {
            self.fault(Fault::WriteFailed);
            return Err(());
        }
        if link.node_shut {
            self.fail(15, format!("link {l}: a write after the shutdown"));
            return Err(());
        }
        let gone = link.client_gone;
        let free = if gone {
            bytes.len()
        } else {
            link.window.saturating_sub(link.unread)
        };
        if gone && self.rng.u8(..4) == 0 {
            self.fault(Fault::WriteFailed);
            self.allow(l, "reset");
            return Err(());
        }
        let most = match self.links[l as usize].take {
            _ if self.calm || gone => free,
            Take::All => free,
            Take::Part => self.rng.usize(..=free),
            Take::One => free.min([0, 1, 1, 2, 300, 2_000][self.rng.usize(..6)]),
        };
        let taken = bytes.len().min(most);
        if taken < bytes.len() {
            self.fault(match taken {
                0 => Fault::WriteNothing,
                1 => Fault::WriteOneByte,
                _ => Fault::WriteShort,
            });
        }
        self.hash(taken as u64 ^ u64::from(l) << 40);
        self.sent(l, &bytes[..taken]);
        let link = &mut self.links[l as usize];
        if !gone {
            link.unread += taken;
            self.wake_client(l);
        }
        Ok(taken)
    }

    /// Something for a client is in flight.
    pub(super) fn wake_client(&mut self, l: u32) {
        let link = &mut self.links[l as usize];
        if !link.delivering && !link.client_gone {
            link.delivering = true;
            let latency = self.latency();
            self.schedule.push(self.now + latency, Step::Deliver(l));
        }
    }

    /// A client reads.
    pub(super) fn deliver(&mut self, l: u32) {
        let link = &mut self.links[l as usize];
        link.delivering = false;
        if link.client_gone {
            return;
        }
        let client = &self.clients[link.client as usize];
        let deaf = client.deaf_until.max(client.stopped_until);
        if self.now < deaf && client.link == Some(l) {
            link.delivering = true;
            return self.schedule.push(deaf, Step::Deliver(l));
        }
        let read = link.unread;
        link.read += read as u64;
        link.unread = 0;
        if link.blocked {
            let soon = self.rng.u64(..MILLI);
            self.schedule.push(self.now + soon, Step::Writable(l));
        }
        while let Some((end, _)) = self.links[l as usize].seen.front()
            && *end <= self.links[l as usize].read
        {
            if let Some((_, seen)) = self.links[l as usize].seen.pop_front() {
                self.client_sees(l, seen);
            }
        }
        let link = &mut self.links[l as usize];
        if (link.node_shut || link.node_gone) && link.unread == 0 && !link.client_gone {
            // The node's side has ended, so the client ends too.
            if link.fin_at.is_none() && link.reset_at.is_none() {
                let wait = if self.rng.u8(..10) == 0 && !self.calm {
                    self.rng.u64(..6 * SECOND)
                } else {
                    self.rng.u64(..20 * MILLI)
                };
                let at = self.links[l as usize].last_arrival.max(self.now + wait);
                self.links[l as usize].fin_at = Some(at);
                self.allow(l, "eof");
                self.schedule.push(at, Step::Arrive(l));
            }
            self.client_leaves(l);
        }
    }

    /// A full socket takes bytes again.
    pub(super) fn writable(&mut self, l: u32) {
        let link = &mut self.links[l as usize];
        if !link.blocked || link.node_gone {
            return;
        }
        if link.window <= link.unread && !link.client_gone {
            return;
        }
        link.blocked = false;
        link.shadow.unblocked = true;
        self.event(l, switchboard_core::Event::Writable);
    }

    /// Schedules the wake-up of a writer that found the socket full.
    pub(super) fn wait_writable(&mut self, l: u32) {
        let link = &mut self.links[l as usize];
        link.blocked = true;
        link.shadow.emptied = false;
        link.shadow.ever_blocked = true;
        if link.client_gone || link.unread < link.window {
            let soon = MICRO + self.rng.u64(..2 * MILLI);
            self.schedule.push(self.now + soon, Step::Writable(l));
        } else {
            self.wake_client(l);
        }
    }
}
