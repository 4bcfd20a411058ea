//! The client against a plain server that keeps history, under losses at any point: what the
//! application sees is exact, and nothing is published twice.

mod server;
mod world;

use proptest::prelude::*;

use self::world::{Step, World};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Other),
        5 => any::<bool>().prop_map(Step::Publish),
        10 => Just(Step::Process),
        8 => Just(Step::Page),
        14 => Just(Step::Deliver),
        4 => Just(Step::FallBehind),
        4 => Just(Step::Lose),
        1 => Just(Step::Evict),
        1 => Just(Step::BeginAnew),
    ];
    prop::collection::vec(step, 1..150)
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
        let mut world = World::new(keep, lobby, on_join);
        for step in steps {
            // With a history for everything, nothing may be missing at all.
            if keep < 1_000 || !matches!(step, Step::Evict) {
                world.step(step);
            }
        }
        world.settle();
        world.check();
    }
}
