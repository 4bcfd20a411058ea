//! The client against servers that keep history, under losses at any point: what the application sees
//! is exact, and nothing is published twice. One server is plain and follows the protocol by the letter,
//! the other one is the switchboard.
//!
//! Of the switchboard this holds after every event, where T is the last number when the client entered:
//!
//! | | what | where |
//! |---|---|---|
//! | H1 | the history is the room's last numbers, each once, within its bounds; sums equal a recount | `stored` |
//! | H2 | each number comes once and in order, as a message, an excluded one, or a gap for what has left the history | `told`, `world` |
//! | H3 | who is not recovered gets nothing up to T; no two lives of a room share an epoch | `told`, `stored` |
//! | H4 | who has taken everything that waits has missed nothing | `told`, and the recount |
//! | H5 | nobody recovers what was not for its user or session | `told`, `world` |
//! | H6 | each request is published once at most, over all lives; an `ack` names its message | `stored`, `told` |
//! | H7 | a room without members ends in time, and leaves nothing | `stored`, in `Board::end` |
//!
//! H8, what those hold who recover, is checked by the scenarios `catching_up`.

mod board;
mod plain;
mod seam;
mod stored;
mod told;
mod world;

use proptest::prelude::*;

use self::board::{Board, Rule};
use self::plain::Plain;
use self::seam::Server;
use self::world::{Step, World};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::bool::weighted(0.8).prop_map(Step::Other),
        5 => any::<bool>().prop_map(Step::Publish),
        10 => Just(Step::Process),
        8 => Just(Step::GoOn),
        14 => Just(Step::Deliver),
        4 => Just(Step::FallBehind),
        4 => Just(Step::Lose),
        1 => Just(Step::Evict),
        1 => Just(Step::BeginAnew),
    ];
    prop::collection::vec(step, 1..150)
}

fn play(server: impl Server, steps: Vec<Step>, evicts: bool) {
    let mut world = World::new(server);
    for step in steps {
        // With a history for everything, nothing may be missing at all.
        if evicts || !matches!(step, Step::Evict) {
            world.step(step);
        }
    }
    world.settle();
    world.check();
    world.end();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn each_number_is_seen_once_in_order_or_reported_and_nothing_is_published_twice(
        steps in steps(),
        keep in prop::sample::select(vec![1_usize, 3, 1_000]),
        lobby in any::<bool>(),
        on_join in 0..4_u64,
    ) {
        play(Plain::new(keep, lobby, on_join), steps, keep < 1_000);
    }

    #[test]
    fn the_switchboard_does_what_the_client_expects(
        steps in steps(),
        keep in prop::sample::select(vec![1_usize, 3, 1_000]),
        lobby in any::<bool>(),
        on_join in 0..4_usize,
        seed in any::<u64>(),
    ) {
        let rule = Rule {
            keep,
            on_join: on_join.min(keep),
        };
        play(Board::new(rule, lobby, seed), steps, keep < 1_000);
    }
}

/// Random steps come to this seldom.
#[test]
fn what_leaves_the_history_before_it_could_go_out_is_reported() {
    let rule = Rule {
        keep: 1,
        on_join: 0,
    };
    let mut world = World::new(Board::new(rule, true, 1));
    world.settle();
    world.step(Step::FallBehind);
    for _ in 0..10 {
        world.step(Step::Other(true));
    }
    world.settle();
    world.check();
    assert!(world.gaps() > 0);
    world.end();
}
