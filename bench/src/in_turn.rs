//! Runs one workload on all servers, a moment each in turn, so that other load on the machine,
//! which varies from second to second, affects all alike.

use std::io;
use std::time::{Duration, Instant};

use crate::load::Pace;
use crate::measure::{Run, Setting, Trial};
use crate::meter::{Used, segments_sent};
use crate::server::Server;

/// How long one server is loaded at a time: short compared with disturbances of the machine, long
/// compared with the time to get going.
const SLICE: Duration = Duration::from_secs(1);

/// Time to receive what arrived while others were loaded.
const QUIET: Duration = Duration::from_millis(2);

/// One of the servers that are loaded in turn.
struct Runner {
    trial: Trial,
    used: Used,
    time: Duration,
    sent: Option<u64>,
}

impl Runner {
    fn start(setting: &Setting<'_>, server: Server, pace: Pace) -> io::Result<Self> {
        let mut trial = Trial::start(setting, server)?;
        trial.open(setting.workload, pace)?;
        Ok(Self {
            sent: segments_sent(trial.process.address),
            trial,
            used: Used::default(),
            time: Duration::ZERO,
        })
    }

    fn slice(&mut self, pace: Pace, time: Duration) -> io::Result<()> {
        let (before, start) = (self.trial.reading()?, Instant::now());
        self.trial.load.run(pace, time)?;
        self.time += start.elapsed();
        self.used += self.trial.reading()?.since(&before);
        Ok(())
    }

    /// Answers the pings that arrived while others were loaded; none waits longer than a slice.
    fn attend(&mut self) -> io::Result<()> {
        self.trial.load.settle(QUIET)
    }

    fn end(mut self) -> Run {
        self.trial.published(self.used, self.time, self.sent);
        self.trial.run
    }
}

fn attend(runners: &mut [io::Result<Runner>]) {
    for runner in runners {
        if let Ok(running) = runner
            && let Err(error) = running.attend()
        {
            *runner = Err(error);
        }
    }
}

/// Starts all servers, loads them in turn, and stops them.
pub(crate) fn measure_in_turn(setting: &Setting<'_>, servers: &[Server], pace: Pace) -> Vec<Run> {
    let mut runners: Vec<io::Result<Runner>> = Vec::new();
    for &server in servers {
        runners.push(Runner::start(setting, server, pace));
        attend(&mut runners);
    }
    let slices = setting.scale.time.div_duration_f64(SLICE).ceil().max(1.0);
    let time = setting.scale.time.div_f64(slices);
    for slice in 0..slices as usize {
        for at in 0..runners.len() {
            // The order rotates, so that no server always follows the same one.
            let at = (slice + at) % runners.len();
            if let Ok(runner) = &mut runners[at]
                && let Err(error) = runner.slice(pace, time)
            {
                runners[at] = Err(error);
            }
            attend(&mut runners);
        }
    }
    let end = |(runner, &server): (io::Result<Runner>, _)| match runner {
        Ok(runner) => runner.end(),
        Err(error) => Run {
            error: Some(error.to_string()),
            ..setting.run(server)
        },
    };
    runners.into_iter().zip(servers).map(end).collect()
}
