//! A thousand clients; `cargo run --release -p switchboard-tests --bin swarm` runs ten thousand.

use switchboard_tests::clients::run;

#[test]
fn everybody_comes_back_in_time_and_no_faster_than_full_jitter_allows() {
    let outcome = run(7, 1_000);
    assert_eq!(outcome.scenes.len(), 7, "{outcome}");
    assert_eq!(outcome.stopped, 20, "{outcome}");
}

#[test]
fn one_seed_is_one_trace() {
    let (first, again, other) = (run(1, 200), run(1, 200), run(2, 200));
    assert_eq!(first, again);
    assert_ne!(first.trace, other.trace);
}
