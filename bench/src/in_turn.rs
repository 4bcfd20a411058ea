//! One workload on all servers at once, a moment each in turn: what the machine does besides, which
//! changes from second to second, then meets all alike.

use std::io;
use std::time::{Duration, Instant};

use crate::load::Pace;
use crate::measure::{Run, Setting, Trial};
use crate::meter::{Used, segments_sent};
use crate::server::Server;

/// How long one server is loaded at a time: short beside what disturbs a machine, long beside what it
/// costs to get going.
const SLICE: Duration = Duration::from_secs(1);

/// For what came while others were loaded.
const QUIET: Duration = Duration::from_millis(2);

/// One of those that are loaded in turn.
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

    /// Answers the pings that came while others were loaded: none waits for longer than a slice.
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

/// Starts all servers, loads them in turn, ends them.
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
            // Nobody always comes after the same one.
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
