//! Runs of the simulation and scripts, recorded and replayed.

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use switchboard_tests::driver::Driver;
use switchboard_tests::replay::{Outcome, replay};
use switchboard_tests::script::cases;
use switchboard_tests::simulation::{run, run_recorded};

fn replayed(seed: u64) -> Outcome {
    let (outcome, dump) = run_recorded(seed);
    assert_eq!(outcome.broken, None, "seed {seed}");
    replay(&dump.to_string()).unwrap_or_else(|failed| panic!("seed {seed}: {failed}"))
}

#[test]
fn a_replay_takes_the_same_actions_as_the_recorded_run() {
    for seed in 200_000..200_006 {
        let outcome = replayed(seed);
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
