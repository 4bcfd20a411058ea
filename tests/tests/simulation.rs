//! Runs the simulation with a fixed budget. For a longer run: `cargo run --release -p
//! switchboard-tests --bin simulate -- --minutes 5`.

use switchboard_tests::simulation::{CONTEXTS, KEEPING, Report, run};

#[test]
fn seeds_that_once_broke_a_promise_keep_it() {
    let report = Report::of_kept();
    assert!(report.seeds > 0);
    assert!(report.broken.is_empty(), "{report}");
}

#[test]
fn no_promise_is_broken_on_new_seeds() {
    let mut report = Report::default();
    for seed in 100_000..100_010 {
        report.run_seed(seed, false);
        report.run_seed(KEEPING + seed, false);
        report.run_seed(CONTEXTS + seed, false);
        report.run_seed(KEEPING + CONTEXTS + seed, false);
    }
    assert!(report.broken.is_empty(), "{report}");
}

#[test]
fn one_seed_is_one_trace() {
    for seed in [
        100_100,
        100_101,
        KEEPING + 100_100,
        CONTEXTS + 100_100,
        KEEPING + CONTEXTS + 100_100,
    ] {
        let (first, again) = (run(seed), run(seed));
        assert_eq!(first.trace, again.trace, "seed {seed}");
        assert_eq!(first.tally.events, again.tally.events, "seed {seed}");
    }
}
