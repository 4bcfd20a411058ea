//! Publishing, at a pace.

use std::io;
use std::time::{Duration, Instant};

use super::publisher::Publisher;
use super::{Load, PATIENCE};

/// The pace of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Each publisher has this many messages in flight.
    Closed(usize),
    /// This many messages a second, from all publishers in turn, regardless of deliveries.
    Open(f64),
}

impl Load {
    /// Makes every publisher publish once.
    pub(crate) fn publish_once(&mut self) -> io::Result<()> {
        for publisher in 0..self.publishers.len() {
            self.now = self.nanos();
            self.publish(publisher, self.now)?;
            self.turn(Duration::ZERO)?;
        }
        self.finish()
    }

    /// Publishes for this time, then waits until everything has arrived.
    pub(crate) fn run(&mut self, pace: Pace, time: Duration) -> io::Result<()> {
        match pace {
            Pace::Closed(window) => self.run_closed(window, time),
            Pace::Open(rate) => self.run_open(rate, time),
        }?;
        self.finish()
    }

    fn run_closed(&mut self, window: usize, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        self.now = self.nanos();
        self.ready.clear();
        for publisher in 0..self.publishers.len() {
            for _ in 0..window {
                self.publish(publisher, self.now)?;
            }
        }
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn(left)?;
            self.now = self.nanos();
            while let Some(publisher) = self.ready.pop() {
                self.publish(publisher, self.now)?;
            }
        }
        Ok(())
    }

    /// Measures latency from when a message was due, so that a server that delays the generator
    /// gains nothing by it.
    fn run_open(&mut self, rate: f64, time: Duration) -> io::Result<()> {
        let (start, mut number) = (Instant::now(), 0_u64);
        let offset = self.nanos();
        while start.elapsed() < time {
            let elapsed = start.elapsed().as_secs_f64();
            while (number as f64) < elapsed * rate {
                let due = offset + (number as f64 / rate * 1e9) as u64;
                let publisher = number as usize % self.publishers.len();
                self.publish(publisher, due)?;
                number += 1;
            }
            self.turn(Duration::ZERO)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !self.publishers.iter().all(Publisher::is_done) && Instant::now() < end {
            self.turn(Duration::from_millis(10))?;
        }
        self.ready.clear();
        self.tally.lost += self.publishers.iter().map(Publisher::missing).sum::<u64>();
        Ok(())
    }
}
