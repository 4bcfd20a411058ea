//! Runs one workload on all servers, a moment each in turn, so that other load on the machine,
//! which varies from second to second, affects all alike.

use std::io;
use std::time::{Duration, Instant};

use crate::load::{Load, Pace};
use crate::measure::{Run, Setting, Trial};
use crate::meter::{Used, segments_sent};
use crate::server::Server;

/// How long one server is loaded at a time: short compared with disturbances of the machine, long
/// compared with the time to get going.
const SLICE: Duration = Duration::from_secs(1);

/// Time to receive what arrived while others were loaded.
const QUIET: Duration = Duration::from_millis(2);

/// One of those that are loaded in turn.
pub(crate) trait InTurn {
    fn slice(&mut self, time: Duration) -> io::Result<()>;

    /// Returns its load generator, which also has to answer while others are loaded.
    fn load(&mut self) -> &mut Load;
}

/// A server.
struct Runner {
    trial: Trial,
    pace: Pace,
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
            pace,
            used: Used::default(),
            time: Duration::ZERO,
        })
    }

    fn end(mut self) -> Run {
        self.trial.published(self.used, self.time, self.sent);
        self.trial.run
    }
}

impl InTurn for Runner {
    fn slice(&mut self, time: Duration) -> io::Result<()> {
        let (before, start) = (self.trial.reading()?, Instant::now());
        self.trial.load.run(self.pace, time)?;
        self.time += start.elapsed();
        self.used += self.trial.reading()?.since(&before);
        Ok(())
    }

    fn load(&mut self) -> &mut Load {
        &mut self.trial.load
    }
}

/// Starts all servers, loads them in turn, and stops them.
pub(crate) fn measure_in_turn(setting: &Setting<'_>, servers: &[Server], pace: Pace) -> Vec<Run> {
    let starts = servers
        .iter()
        .map(|&server| Runner::start(setting, server, pace));
    let end = |(runner, &server): (io::Result<Runner>, _)| match runner {
        Ok(runner) => runner.end(),
        Err(error) => Run {
            error: Some(error.to_string()),
            ..setting.run(server)
        },
    };
    let runners = load_in_turn(starts, setting.scale.time);
    runners.into_iter().zip(servers).map(end).collect()
}

/// Starts all, and loads each for this time, a slice each in turn.
pub(crate) fn load_in_turn<R: InTurn>(
    starts: impl Iterator<Item = io::Result<R>>,
    time: Duration,
) -> Vec<io::Result<R>> {
    let mut runners = Vec::new();
    for runner in starts {
        runners.push(runner);
        attend(&mut runners);
    }
    let slices = time.div_duration_f64(SLICE).ceil().max(1.0);
    let time = time.div_f64(slices);
    for slice in 0..slices as usize {
        for at in 0..runners.len() {
            // The order rotates, so that no server always follows the same one.
            let at = (slice + at) % runners.len();
            if let Ok(runner) = &mut runners[at]
                && let Err(error) = runner.slice(time)
            {
                runners[at] = Err(error);
            }
            attend(&mut runners);
        }
    }
    runners
}

/// Answers the pings that arrived while others were loaded; none waits longer than a slice.
fn attend(runners: &mut [io::Result<impl InTurn>]) {
    for runner in runners {
        if let Ok(running) = runner
            && let Err(error) = running.load().settle(QUIET)
        {
            *runner = Err(error);
        }
    }
}
