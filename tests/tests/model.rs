//! Plays random scripts against the switchboard and its model.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use switchboard_tests::driver::{Driver, Figures};
use switchboard_tests::script::cases;

/// Reads `SWITCHBOARD_CASES` (number of cases) or `SWITCHBOARD_SEED` (seed of the scripts).
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Events that must occur in some case for the scripts to be worth anything.
const RARE: &[&str] = &[
    "came back to what it missed",
    "came back too late",
    "came to a room without members",
    "came to earlier messages",
    "closed application",
    "closed auth_timeout",
    "closed client_closed",
    "closed draining",
    "closed eof",
    "closed handshake_timeout",
    "closed heartbeat_timeout",
    "closed internal",
    "closed invalid_utf8",
    "closed kicked",
    "closed policy",
    "closed protocol_error",
    "closed rate_limited",
    "closed replaced",
    "closed reset",
    "closed slow_consumer",
    "closed token_expired",
    "closed too_big",
    "closed unauthorized",
    "closed unsupported_data",
    "dropped application",
    "dropped client_closed",
    "dropped draining",
    "dropped eof",
    "dropped heartbeat_timeout",
    "dropped internal",
    "dropped kicked",
    "dropped left",
    "dropped policy",
    "dropped replaced",
    "dropped reset",
    "dropped slow_consumer",
    "dropped token_expired",
    "dropped unauthorized",
    "dropped unsupported_data",
    "refused already_connected",
    "refused forbidden",
    "refused handshakes_full",
    "refused internal",
    "refused ip_limit",
    "refused lobby_full",
    "refused malformed",
    "refused origin",
    "refused refusals_full",
    "refused restart",
    "refused server_full",
    "refused unauthorized",
    "seen drained",
    "seen host stalled",
    "seen joined",
    "seen left",
    "seen near limit",
    "seen opened",
    "seen pinged",
    "seen presence",
];

#[test]
fn the_manager_does_what_its_model_says() {
    let count = number("SWITCHBOARD_CASES").unwrap_or(500);
    let config = Config {
        cases: u32::try_from(count).unwrap_or(u32::MAX),
        rng_seed: RngSeed::Fixed(number("SWITCHBOARD_SEED").unwrap_or(1)),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let sum = RefCell::new((0_u64, Figures::default()));
    let seen = RefCell::new(BTreeMap::new());
    let result = TestRunner::new(config).run(&cases(200), |case| {
        let figures = Driver::play(&case, &mut seen.borrow_mut());
        let figures = figures.map_err(TestCaseError::fail)?;
        let (cases, all) = &mut *sum.borrow_mut();
        *cases += 1;
        all.events += figures.events;
        all.checks += figures.checks;
        all.frames += figures.frames;
        Ok(())
    });
    let (cases, all) = *sum.borrow();
    println!(
        "model: {cases} cases, {} events, {} checks, {} frames read",
        all.events, all.checks, all.frames
    );
    let seen = seen.into_inner();
    for (what, count) in &seen {
        println!("  {count:7} {what}");
    }
    if let Err(error) = result {
        panic!("{error}");
    }
    // A small number of cases need not reach all of these.
    for what in RARE.iter().filter(|_| count >= 500) {
        assert!(seen.contains_key(*what), "no case reached: {what}");
    }
}
