//! Presence (`docs/behaviour.md`, section 8).

use serde_json::{Value, json};
use switchboard_core::{
    CloseReason, Event, Exclude, Notice, RoomPresence, RoomRule, UserPolicy, Wire,
};

use crate::world::{Client, World, millis, secs};

fn presence(world: &mut World, client: Client) -> Vec<Value> {
    world.messages_of(client, "presence")
}

fn list(users: &[&str]) -> Value {
    json!({"type": "presence", "channel": "lobby", "count": users.len(), "users": users})
}

/// A room of this many users, all of whom know of each other.
fn room_of(users: usize) -> (World, Vec<Client>) {
    let mut world = World::new();
    let clients = (0..users)
        .map(|n| world.connect(&format!("u{n:04}"), "lobby"))
        .collect();
    world.advance(secs(1));
    world.forget();
    (world, clients)
}

#[test]
fn the_joiner_gets_its_list_at_once_itself_included() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    assert_eq!(presence(&mut world, ann), [list(&["ann"])]);
    let bob = world.connect("bob", "lobby");
    assert_eq!(presence(&mut world, bob), [list(&["ann", "bob"])]);
}

#[test]
fn the_others_are_told_within_250_ms_in_one_message() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    world.advance(secs(1));
    world.forget();
    for user in ["bob", "cem", "dan"] {
        world.connect(user, "lobby");
        world.advance(millis(50));
    }
    assert_eq!(presence(&mut world, ann), Vec::<Value>::new());
    world.advance(millis(100));
    assert_eq!(
        presence(&mut world, ann),
        [list(&["ann", "bob", "cem", "dan"])]
    );
    world.advance(secs(10));
    assert_eq!(
        presence(&mut world, ann),
        Vec::<Value>::new(),
        "and not again"
    );
}

#[test]
fn a_member_hears_of_those_who_joined_after_it_and_the_last_of_nobody() {
    let mut world = World::new();
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
    world.forget();
    world.advance(secs(1));
    assert_eq!(presence(&mut world, ann), [list(&["ann", "bob"])]);
    assert_eq!(presence(&mut world, bob), Vec::<Value>::new());
}

#[test]
fn n_joins_at_once_cost_o_of_n_frames() {
    let mut world = World::with(|config| config.rates.connects = None);
    let clients: Vec<_> = (0..1_000)
        .map(|n| world.connect(&format!("u{n}"), "lobby"))
        .collect();
    world.advance(secs(1));
    let told: usize = clients
        .iter()
        .map(|&client| presence(&mut world, client).len())
        .sum();
    assert_eq!(told, 2 * 1_000, "a list at once, and later the number");
    world.audit();
}

#[test]
fn above_50_users_the_joiner_gets_the_first_50_and_the_others_who_joined() {
    let (mut world, clients) = room_of(50);
    let late = world.connect("late", "lobby");
    let told = presence(&mut world, late).remove(0);
    let users = told["users"].as_array().unwrap();
    assert_eq!((users.len(), &told["count"]), (50, &json!(51)));
    assert_eq!((&users[0], &users[49]), (&json!("u0000"), &json!("u0049")));
    world.advance(millis(250));
    let change = json!({"type": "presence", "channel": "lobby", "count": 51, "joined": ["late"]});
    assert_eq!(presence(&mut world, clients[7]), [change]);
    let second = world.connect("second", "lobby");
    world
        .board
        .close(world.now, world.id(late), CloseReason::Kicked)
        .unwrap();
    world.advance(millis(250));
    let change = json!({
        "type": "presence", "channel": "lobby", "count": 51, "joined": ["second"], "left": ["late"],
    });
    assert_eq!(presence(&mut world, clients[7]), [change]);
    world
        .board
        .close(world.now, world.id(second), CloseReason::Kicked)
        .unwrap();
    world.advance(millis(250));
    let told = presence(&mut world, clients[7]).remove(0);
    assert_eq!(
        told["users"].as_array().unwrap().len(),
        50,
        "and at 50 the list again"
    );
}

#[test]
fn more_than_50_names_in_one_change_are_a_count_only() {
    let (mut world, clients) = room_of(60);
    for n in 0..51 {
        world.connect(&format!("v{n}"), "lobby");
    }
    world.advance(millis(250));
    let change = json!({"type": "presence", "channel": "lobby", "count": 111});
    assert_eq!(presence(&mut world, clients[0]), [change]);
}

#[test]
fn two_devices_of_a_user_count_once() {
    let mut world = World::with(|config| config.users = UserPolicy::Allow(2));
    let bob = world.connect("bob", "lobby");
    let first = world.connect("ann", "lobby");
    world.advance(secs(1));
    world.forget();
    let second = world.connect("ann", "lobby");
    assert_eq!(presence(&mut world, second), [list(&["bob", "ann"])]);
    world
        .board
        .close(world.now, world.id(first), CloseReason::Kicked)
        .unwrap();
    world.advance(secs(10));
    assert_eq!(presence(&mut world, bob), Vec::<Value>::new());
    world
        .board
        .close(world.now, world.id(second), CloseReason::Kicked)
        .unwrap();
    world.advance(millis(250));
    assert_eq!(presence(&mut world, bob), [list(&["bob"])]);
}

#[test]
fn a_user_whose_client_ends_by_itself_is_present_for_3_s_more() {
    for event in [Event::Eof, Event::Reset, Event::Close(None)] {
        let (mut world, clients) = room_of(2);
        world.happens(clients[1], event);
        world.advance(millis(2_999));
        assert_eq!(world.board.room_users("lobby").len(), 2);
        world.advance(millis(250));
        assert_eq!(
            presence(&mut world, clients[0]),
            Vec::<Value>::new(),
            "{event:?}"
        );
        world.advance(millis(1));
        assert_eq!(
            presence(&mut world, clients[0]),
            [list(&["u0000"])],
            "{event:?}"
        );
    }
}

#[test]
fn a_user_who_comes_back_within_the_grace_period_never_left() {
    let (mut world, clients) = room_of(2);
    world.happens(clients[1], Event::Reset);
    world.advance(millis(2_999));
    let again = world.connect("u0001", "lobby");
    assert_eq!(presence(&mut world, again), [list(&["u0000", "u0001"])]);
    world.advance(secs(10));
    assert_eq!(presence(&mut world, clients[0]), Vec::<Value>::new());
    // A second absence has its own grace period.
    world.happens(again, Event::Reset);
    world.advance(millis(2_500));
    assert_eq!(world.board.room_users("lobby").len(), 2);
    world.advance(millis(500));
    assert_eq!(world.board.room_users("lobby").len(), 1);
}

#[test]
fn an_earlier_grace_does_not_end_a_later_one() {
    let (mut world, clients) = room_of(2);
    world.happens(clients[1], Event::Reset);
    world.advance(secs(2));
    let again = world.connect("u0001", "lobby");
    world.happens(again, Event::Reset);
    world.advance(secs(2));
    assert_eq!(world.board.room_users("lobby").len(), 2);
    world.advance(secs(1));
    assert_eq!(world.board.room_users("lobby").len(), 1);
}

#[test]
fn every_other_end_leaves_at_once() {
    let ends: [fn(&mut World, Client); 4] = [
        |world, client| {
            let id = world.id(client);
            world
                .board
                .close(world.now, id, CloseReason::Kicked)
                .unwrap();
        },
        |world, client| {
            let id = world.id(client);
            world.board.leave(world.now, id, "lobby").unwrap();
        },
        |world, client| world.says(client, json!({"type": "unsubscribe", "channel": "lobby"})),
        |world, client| {
            world.sends_binary(client, 1);
        },
    ];
    for end in ends {
        let (mut world, clients) = room_of(2);
        end(&mut world, clients[1]);
        assert_eq!(world.board.room_users("lobby").len(), 1);
        world.advance(millis(250));
        assert_eq!(presence(&mut world, clients[0]), [list(&["u0000"])]);
    }
}

#[test]
fn a_replaced_user_does_not_flicker() {
    let (mut world, clients) = room_of(2);
    world.connect("u0001", "lobby");
    world.advance(secs(10));
    assert_eq!(presence(&mut world, clients[0]), Vec::<Value>::new());
}

#[test]
fn a_user_who_joins_and_leaves_within_one_interval_is_not_announced() {
    let (mut world, clients) = room_of(2);
    let short = world.connect("short", "lobby");
    world
        .board
        .close(world.now, world.id(short), CloseReason::Kicked)
        .unwrap();
    world.advance(secs(1));
    assert_eq!(presence(&mut world, clients[0]), Vec::<Value>::new());
}

#[test]
fn a_user_who_leaves_and_joins_within_one_interval_is_not_announced() {
    let (mut world, clients) = room_of(2);
    let id = world.id(clients[1]);
    world.board.leave(world.now, id, "lobby").unwrap();
    world.board.join(world.now, id, "lobby").unwrap();
    world.advance(secs(1));
    let told = presence(&mut world, clients[0]);
    // The order of joining has changed, so a list may be sent, but no user joined or left.
    assert!(told.iter().all(|told| told["count"] == 2), "{told:?}");
}

#[test]
fn a_grace_in_a_room_that_is_gone_leaves_nothing_behind() {
    let (mut world, clients) = room_of(2);
    world.happens(clients[1], Event::Eof);
    world.happens(clients[0], Event::Eof);
    assert_eq!(world.stats().active_rooms, 0);
    assert_eq!(world.board.room_users("lobby").len(), 0);
    let again = world.connect("u0000", "lobby");
    world.advance(secs(10));
    assert_eq!(presence(&mut world, again), [list(&["u0000"])]);
}

#[test]
fn a_member_whose_change_did_not_fit_gets_a_full_list_next() {
    let mut world = World::with(|config| config.limits.queue_messages = 4);
    let ann = world.connect("ann", "lobby");
    world.advance(secs(1));
    world.forget();
    world.stops_reading_after(ann, 0);
    for _ in 0..4 {
        world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    world.connect("bob", "lobby");
    world.advance(secs(1));
    assert!(world.is_open(ann), "presence does not make a member slow");
    world.reads_all(ann);
    world.forget();
    world.advance(secs(1));
    assert_eq!(presence(&mut world, ann), [list(&["ann", "bob"])]);
    world.connect("cem", "lobby");
    world.advance(secs(1));
    assert_eq!(presence(&mut world, ann), [list(&["ann", "bob", "cem"])]);
}

#[test]
fn above_50_users_who_missed_a_change_gets_the_list_and_not_the_next_change() {
    let mut world = World::with(|config| config.limits.queue_messages = 4);
    let clients: Vec<_> = (0..60)
        .map(|n| {
            let client = world.connect(&format!("u{n:04}"), "lobby");
            world.advance(secs(1));
            client
        })
        .collect();
    world.forget();
    let slow = clients[0];
    world.stops_reading_after(slow, 0);
    for _ in 0..4 {
        world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    world.connect("missed", "lobby");
    world.advance(secs(1));
    world.peer_mut(slow).room = None;
    world.happens(slow, Event::Writable);
    world.forget();
    world.advance(secs(1));
    let told = presence(&mut world, slow);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (
            &told[0]["count"],
            told[0]["users"].as_array().unwrap().len()
        ),
        (&json!(61), 50)
    );
}

#[test]
fn presence_can_be_off_per_hub_and_per_room() {
    let mut world = World::with(|config| config.presence.enabled = false);
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
    world.advance(secs(1));
    assert_eq!(presence(&mut world, ann), Vec::<Value>::new());
    assert_eq!(world.board.room_users("lobby").len(), 2);
    world.happens(bob, Event::Eof);
    assert_eq!(world.board.room_users("lobby").len(), 1);
    let mut world = World::with(|config| {
        config.room_rules = vec![RoomRule {
            prefix: "quiet".into(),
            presence: RoomPresence::off(),
            ..RoomRule::default()
        }];
    });
    let [loud, quiet] = [
        world.connect("ann", "loud"),
        world.connect("bob", "quiet-1"),
    ];
    assert_eq!(presence(&mut world, loud).len(), 1);
    assert_eq!(presence(&mut world, quiet).len(), 0);
}

#[test]
fn the_application_is_told_of_changes_also_in_raw_mode() {
    let mut world = World::with(|config| config.wire = Wire::Raw);
    let [ann, bob] = [world.connect("ann", "lobby"), world.connect("bob", "lobby")];
    world.advance(secs(1));
    let told = Notice::Presence {
        room: "lobby".into(),
        count: 2,
        joined: vec!["ann".into(), "bob".into()],
        left: Vec::new(),
    };
    assert!(world.notices.contains(&told), "{:?}", world.notices);
    world
        .board
        .close(world.now, world.id(bob), CloseReason::Kicked)
        .unwrap();
    world.advance(secs(1));
    let told = Notice::Presence {
        room: "lobby".into(),
        count: 1,
        joined: Vec::new(),
        left: vec!["bob".into()],
    };
    assert!(world.notices.contains(&told), "{:?}", world.notices);
    assert_eq!(world.frames(ann), []);
}

#[test]
fn a_thousand_who_lose_their_connection_and_come_back_cost_no_change() {
    let (mut world, clients) = room_of(30);
    for &client in &clients[1..] {
        world.happens(client, Event::Reset);
    }
    for n in 1..30 {
        world.connect(&format!("u{n:04}"), "lobby");
    }
    world.advance(secs(10));
    assert_eq!(presence(&mut world, clients[0]), Vec::<Value>::new());
}
