//! Runs a scenario under many schedules, or replays one.

use std::cell::RefCell;
use std::collections::BTreeMap;

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use super::machine;

/// Default number of schedules per scheduler: enough for every rare path.
const FEW: usize = 20;
/// A fixed seed, so that runs are repeatable. `SHUTTLE_RANDOM_SEED` overrides it.
const SEED: u64 = 0x5357_4954_4348;

thread_local! {
    static PROBES: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
    static STEPS: RefCell<u64> = const { RefCell::new(0) };
}

/// Records a rare event.
pub(super) fn probe(what: &'static str) {
    PROBES.with_borrow_mut(|probes| *probes.entry(what).or_default() += 1);
}

/// Runs a scenario under the requested number of schedules. Fails unless each event of `to_happen` was
/// recorded at least once; otherwise the scenario would not test what it is meant to test.
pub(crate) fn explore(name: &str, to_happen: &[&str], scenario: fn()) {
    explore_times(1, name, to_happen, scenario);
}

/// Like [`explore`], with `times` as many schedules, for events that are rarer by that factor.
pub(crate) fn explore_times(times: usize, name: &str, to_happen: &[&str], scenario: fn()) {
    if let Ok(file) = std::env::var("SWITCHBOARD_REPLAY") {
        let mut schedule = std::fs::read_to_string(file).expect("a file with a schedule");
        schedule.retain(|byte| byte.is_ascii_hexdigit());
        let scheduler = ReplayScheduler::new_from_encoded(&schedule);
        run(scheduler, scenario);
        return;
    }
    let asked = std::env::var("SWITCHBOARD_SCHEDULES").ok();
    let count = asked.map_or(times * FEW, |asked| {
        asked.parse().expect("SWITCHBOARD_SCHEDULES: a number")
    });
    let schedules = run(RandomScheduler::new_from_seed(SEED, count), scenario)
        + run(PctScheduler::new_from_seed(SEED, 3, count), scenario)
        + run(PctScheduler::new_from_seed(SEED, 20, count), scenario);
    let steps = STEPS.take();
    let probes = PROBES.take();
    println!("{name}: {schedules} schedules, {steps} steps, {probes:?}");
    for what in to_happen {
        assert!(
            probes.contains_key(what),
            "{name}: never in {schedules} schedules: {what}"
        );
    }
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) -> usize {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = MaxSteps::FailAfter(50_000);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || {
        machine::reset();
        scenario();
        STEPS.with_borrow_mut(|steps| *steps += shuttle::current::context_switches() as u64);
    })
}
