//! Runs of the simulation and scripts, recorded and replayed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use switchboard_core::recorder::Ended;
use switchboard_tests::driver::Driver;
use switchboard_tests::replay::{Outcome, replay};
use switchboard_tests::script::cases;
use switchboard_tests::simulation::{run, run_recorded};

/// Runs of the simulation by their seeds, replayed. They take long, so several tests look at them.
static RUNS: LazyLock<Vec<(u64, Outcome)>> = LazyLock::new(|| {
    (200_000..200_006)
        .map(|seed| (seed, replayed(seed)))
        .collect()
});

fn replayed(seed: u64) -> Outcome {
    let (outcome, dump) = run_recorded(seed);
    assert_eq!(outcome.broken, None, "seed {seed}");
    replay(&dump.to_string()).unwrap_or_else(|failed| panic!("seed {seed}: {failed}"))
}

#[test]
fn a_replay_takes_the_same_actions_as_the_recorded_run() {
    for (seed, outcome) in &*RUNS {
        if outcome.recording.config.compression.is_some() {
            assert!(
                outcome.replayed.is_none(),
                "seed {seed}: content is missing"
            );
            continue;
        }
        let replayed = outcome.replayed.as_ref().expect("a whole recording");
        assert!(
            replayed.inputs > 100,
            "seed {seed}: {} inputs",
            replayed.inputs
        );
        assert_eq!(replayed.unlike, None, "seed {seed}");
        assert_eq!(replayed.audit, Ok(()), "seed {seed}");
        assert!(outcome.is_alike(), "seed {seed}");
        assert!(!replayed.ends.is_empty(), "seed {seed}");
    }
}

/// Who or what ended a connection without a limit.
const NOT_LIMITS: [&str; 11] = [
    "application",
    "client",
    "cluster",
    "drain",
    "drain window",
    "origins",
    "protocol",
    "request",
    "session",
    "stream",
    "wire",
];

/// Limits that are found to be exceeded before it is known by how much.
const NOT_MEASURED: [&str; 1] = ["limits.message_bytes"];

#[test]
fn an_end_by_a_limit_says_the_limit_and_what_was_measured() {
    let mut limits = BTreeSet::new();
    for (seed, outcome) in &*RUNS {
        for Ended { reason, why, .. } in outcome.recording.ends() {
            let said = format!("seed {seed}: {reason} by {why:?}");
            if NOT_LIMITS.contains(&&*why.rule) {
                continue;
            }
            let limit = why.limit.unwrap_or_else(|| panic!("{said}"));
            assert!(why.unit.is_some(), "{said}");
            if !NOT_MEASURED.contains(&&*why.rule) {
                assert!(why.value.is_some_and(|value| value >= limit), "{said}");
            }
            limits.insert(why.rule.clone());
        }
    }
    assert!(limits.len() > 10, "only {limits:?}");
}

#[test]
fn a_recorder_changes_nothing() {
    for seed in 200_100..200_102 {
        let (recorded, _) = run_recorded(seed);
        let plain = run(seed);
        assert_eq!(plain.trace, recorded.trace, "seed {seed}");
        assert_eq!(plain.tally.events, recorded.tally.events, "seed {seed}");
    }
}

#[test]
fn a_replay_takes_the_same_actions_as_a_random_script() {
    let config = Config {
        cases: 100,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    };
    let played = TestRunner::new(config).run(&cases(200), |case| {
        let dump = Driver::record(&case).map_err(TestCaseError::fail)?;
        let outcome = replay(&dump.to_string());
        let outcome = outcome.map_err(|failed| TestCaseError::fail(failed.to_string()))?;
        let unlike = outcome.replayed.as_ref().map(|it| it.unlike.clone());
        if unlike == Some(None) && outcome.is_alike() {
            return Ok(());
        }
        Err(TestCaseError::fail(format!("it is not alike: {unlike:?}")))
    });
    if let Err(error) = played {
        panic!("{error}");
    }
}
