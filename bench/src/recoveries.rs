//! Clients that come back to a room and get what they missed.

use std::io;
use std::time::Instant;

use crate::load::{Pace, Plan};
use crate::measure::{SETTLE, Trial};
use crate::workload::{CONTENT, Rooms};

/// Members of the room while the messages are published.
const STAYED: usize = 10;

impl Trial {
    /// Lets clients come back at once that have missed this many messages, after others that have missed
    /// nothing.
    pub(crate) fn recoveries(&mut self, missed: usize) -> io::Result<()> {
        self.open_rooms(Rooms {
            count: 1,
            members: STAYED,
            publishers: 1,
            stalled: 0,
            content: CONTENT,
            pace: Pace::Closed(1),
        })?;
        for _ in 0..missed {
            self.load.publish_once()?;
        }
        // A newcomer learns the room's position.
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        let plan = |room, missed| {
            move |user| Plan {
                room,
                user,
                stalled: false,
                missed,
            }
        };
        let (others, clients) = (self.scale.storm / 4, self.scale.recoveries);
        let (first, last) = (STAYED + 1, STAYED + 1 + others);
        self.load.open((STAYED..first).map(plan(0, 0)))?;
        self.load.settle(SETTLE)?;
        let noise = self.load.take_tally();
        self.run.closed += noise.closed;

        let before = self.reading()?;
        self.load.open((first..last).map(plan(1, 0)))?;
        self.load.settle(SETTLE)?;
        let rest = self.reading()?;
        let connect = rest.since(&before).all / others as f64;
        self.run.set("connect_us", Some(connect));

        let start = Instant::now();
        let comers = (last..last + clients).map(plan(0, missed));
        self.load.open(comers)?;
        self.load.recover(clients as u64)?;
        let time = start.elapsed();
        self.load.settle(SETTLE)?;
        let after = self.reading()?;
        let tally = self.load.take_tally();
        self.run.check(&tally);
        let mut used = after.since(&rest);
        // What is left is the recovery.
        let share = used.user / used.all;
        used.all -= connect * clients as f64;
        used.user = used.all * share;
        self.run.cpu(used, clients as u64);
        self.run
            .set("rate", Some(clients as f64 / time.as_secs_f64()));
        let peak = after.peak.saturating_sub(rest.resident);
        self.run.set("peak_mib", Some(peak as f64 / 1_024.0));
        Ok(())
    }
}
