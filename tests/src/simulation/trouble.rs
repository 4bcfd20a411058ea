//! Faults of networks, crowds and the host.

use super::counters::Fault;
use super::plan::{MILLI, SECOND};
use super::schedule::Step;
use super::world::World;

impl World {
    pub(super) fn make_trouble(&mut self) {
        if self.calm {
            return;
        }
        match self.rng.u8(..10) {
            0 => self.mass_leave(),
            1 => self.mass_join(),
            2 | 3 => self.stall_link(),
            4 => self.shrink_window(),
            5 => self.break_link(),
            6 if self.plan.host_stalls > 0 => self.stall_host(),
            7 => {
                let c = self.rng.usize(..self.clients.len());
                let long = self.rng.u64(SECOND..30 * SECOND);
                self.fault(Fault::StoppedHost);
                self.clients[c].stopped_until = self.now + long;
                self.clients[c].deaf_until = self.now + long;
            }
            _ => {}
        }
        let wait = self.rng.u64(..2 * self.plan.troubles);
        self.schedule.push(self.now + wait, Step::Trouble);
    }

    fn stall_host(&mut self) {
        let long = match self.rng.u8(..4) {
            0 => self.rng.u64(MILLI..SECOND),
            1 | 2 => self.rng.u64(SECOND..10 * SECOND),
            _ => self.rng.u64(10 * SECOND..90 * SECOND),
        };
        if self.now >= self.frozen_until {
            self.freeze(long);
        }
    }

    fn mass_leave(&mut self) {
        self.fault(Fault::MassLeave);
        let part = self.rng.u8(1..=4);
        for c in 0..self.clients.len() {
            if let Some(l) = self.clients[c].link
                && self.rng.u8(..4) < part
            {
                self.client_ends(l);
            }
        }
    }

    fn mass_join(&mut self) {
        self.fault(Fault::MassJoin);
        for c in 0..self.clients.len() as u32 {
            let client = &self.clients[c as usize];
            if client.link.is_none() && self.now >= client.stopped_until {
                self.dial(c);
            }
        }
    }

    fn any_link(&mut self) -> Option<u32> {
        let c = self.rng.usize(..self.clients.len());
        self.clients[c].link
    }

    /// Delays everything the client sends.
    fn stall_link(&mut self) {
        if let Some(l) = self.any_link() {
            self.fault(Fault::LinkStall);
            let long = self.rng.u64(SECOND..20 * SECOND);
            let link = &mut self.links[l as usize];
            link.last_arrival = link.last_arrival.max(self.now + long);
        }
    }

    fn shrink_window(&mut self) {
        if let Some(l) = self.any_link() {
            let size = self.rng.usize(1..2_000);
            self.links[l as usize].window = size;
        }
    }

    fn break_link(&mut self) {
        if let Some(l) = self.any_link() {
            let link = &mut self.links[l as usize];
            if link.reset_at.is_none() {
                self.tally.fault(Fault::PeerReset);
                link.reset_at = Some(self.now);
                link.fin_at = None;
                self.allow(l, "reset");
                self.client_leaves(l);
                self.schedule.push(self.now, Step::Arrive(l));
            }
        }
    }
}
