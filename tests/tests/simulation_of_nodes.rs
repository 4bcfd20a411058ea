//! Runs the simulation of several nodes with a fixed budget. For a longer run: `cargo run --release -p
//! switchboard-tests --bin simulate -- --nodes --minutes 5`.

use switchboard_tests::nodes::{Report, run};

#[test]
fn seeds_that_once_broke_a_promise_of_nodes_keep_it() {
    let report = Report::of_kept();
    assert!(report.seeds > 0);
    assert!(report.broken.is_empty(), "{report}");
}

#[test]
fn no_promise_of_nodes_is_broken_on_new_seeds() {
    let mut report = Report::default();
    // Those of the second kind have a keyed room.
    for seed in (100_000..100_008).chain(4_295_067_296..4_295_067_300) {
        report.run_seed(seed, false);
    }
    println!("{report}");
    assert!(report.broken.is_empty(), "{report}");
    assert!(report.tally.events > 100_000, "{report}");
}

#[test]
fn one_seed_of_nodes_is_one_trace() {
    for seed in 100_003..100_005 {
        let (first, again) = (run(seed), run(seed));
        assert_eq!(first.trace, again.trace, "seed {seed}");
        assert_eq!(first.tally.events, again.tally.events, "seed {seed}");
    }
}
