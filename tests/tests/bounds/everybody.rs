//! A message for all connections is sent in parts, also if another node sends it.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_core::Clustering;
use switchboard_core::cluster::Channel;
use switchboard_core::clustered::Clustered;

use crate::world::{World, config};

/// Connections, and how many of them one call looks at.
const MANY: u32 = 5_000;
const PART: usize = 2_048;

#[test]
fn what_another_node_sends_to_everybody_goes_to_some_at_a_time_and_in_order() {
    let mut config = config();
    config.cluster = Some(Clustering {
        node: "here".into(),
        ..Clustering::default()
    });
    let mut world = World::new(config.clone());
    let mut clustered = Clustered::new(&config, 1, world.now).expect("a node of a cluster");
    for number in 0..MANY {
        world.enter_alone(number, None);
    }
    world.flush();
    clustered.connected(world.now, &mut world.board, "a life");
    for text in ["one", "two"] {
        let payload = format!("1\tW\tthere-0\nf=text\tu=user-7\n{text}");
        let push = (&Channel::Everyone, payload.as_bytes());
        clustered.pushed(world.now, &mut world.board, push, None);
    }
    let mut heard = BTreeMap::new();
    loop {
        let mut part = 0;
        world.write(|id, bytes| {
            let text = String::from_utf8_lossy(bytes);
            let heard = heard.entry(id).or_insert_with(String::new);
            heard.extend(text.chars().filter(char::is_ascii_alphabetic));
            part += 1;
            bytes.len()
        });
        world.forget();
        assert!(part <= PART, "{part} in one call");
        let at_once = world.now + Duration::from_nanos(1);
        if world.board.next_deadline().is_none_or(|due| due > at_once) {
            break;
        }
        world.now = at_once;
        world.board.tick(at_once);
    }
    assert_eq!(
        heard.len(),
        MANY as usize - 1,
        "all but the one that is excluded"
    );
    assert!(heard.values().all(|text| text == "onetwo"));
}
