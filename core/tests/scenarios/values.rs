//! Rooms that keep the latest value of each key (`docs/protocol.md`, section 5).

use serde_json::{Value, json};
use switchboard_core::protocol::Content;
use switchboard_core::{Exclude, Keep, Reach, Receipt, RoomRule, SendError};

use crate::recovery::{short, subscribes};
use crate::world::{Client, World, secs};

/// A world in which the rooms whose names start with `prices` keep so many keys.
pub(crate) fn ticker(keys: usize) -> World {
    World::with(|config| {
        config.presence.enabled = false;
        config.room_rules = vec![RoomRule {
            prefix: "prices".into(),
            keep: Keep::Latest { keys },
            ..RoomRule::default()
        }];
    })
}

impl World {
    fn try_put(&mut self, room: &str, key: &str, content: &str) -> Result<Receipt, SendError> {
        let content = Content::parse(content).expect("JSON");
        let to = Exclude::NOBODY;
        let put = self
            .board
            .publish_key(self.now, room, key, content, None, to);
        self.flush();
        put
    }

    pub(crate) fn put(&mut self, room: &str, key: &str, content: &str) {
        self.try_put(room, key, content).expect("it is kept");
    }

    /// Returns the key, content and number of each message since the last call.
    pub(crate) fn values(&mut self, client: Client) -> Vec<(String, Value, u64)> {
        let messages = self.messages_of(client, "message").into_iter();
        let values = messages.map(|message| {
            let key = message["key"].as_str().expect("a key").to_owned();
            let seq = message["seq"].as_u64().expect("a number");
            assert!(
                message
                    .as_object()
                    .is_some_and(|it| it.contains_key("content"))
            );
            (key, message["content"].clone(), seq)
        });
        values.collect()
    }
}

fn value(key: &str, content: impl Into<Value>, seq: u64) -> (String, Value, u64) {
    (key.to_owned(), content.into(), seq)
}

#[test]
fn a_newcomer_is_told_the_present_values_then_what_changes() {
    let mut world = ticker(10);
    world.put("prices", "ABC", "1");
    world.put("prices", "XYZ", "2");
    world.put("prices", "ABC", "3");
    let removed = world
        .board
        .remove_key(world.now, "prices", "XYZ", None, Exclude::NOBODY);
    assert_eq!(removed.map(|it| it.seq), Ok(Some(4)));
    world.put("prices", "DEF", "{}");
    let ann = world.connect("ann", "prices");
    let subscribed = world
        .messages(ann)
        .into_iter()
        .find(|it| it["type"] == "subscribed");
    let subscribed = subscribed.expect("an answer");
    assert_eq!(subscribed["keep"], "latest");
    assert_eq!(subscribed["seq"], 5);
    world.peer_mut(ann).seen = 0;
    let expected = [value("ABC", 3, 3), value("DEF", json!({}), 5)];
    assert_eq!(world.values(ann), expected);
    world.put("prices", "XYZ", "6");
    world.put("prices", "DEF", "null");
    assert_eq!(
        world.values(ann),
        [value("XYZ", 6, 6), value("DEF", Value::Null, 7)]
    );
}

#[test]
fn the_application_reads_the_present_values_also_those_from_before_a_message_without_a_key() {
    let mut world = ticker(10);
    world.put("prices", "ABC", "1");
    world.put("prices", "XYZ", "2");
    world.put("prices", "ABC", "3");
    let ann = world.connect("ann", "prices");
    world.broadcast("prices", "\"closing\"", Exclude::NOBODY);
    world.put("prices", "DEF", "5");
    let read = |world: &mut World, numbers| {
        let excerpt = world.board.history(world.now, "prices", numbers);
        let messages = excerpt.expect("the room is there").messages.into_iter();
        let values = messages.map(|stored| {
            let message: Value = serde_json::from_str(stored.as_json()).expect("JSON");
            assert_eq!(message["seq"], stored.seq);
            (message["key"].as_str().map(str::to_owned), stored.seq)
        });
        values.collect::<Vec<_>>()
    };
    let key = |key: &str, seq| (Some(key.to_owned()), seq);
    let all = [key("XYZ", 2), key("ABC", 3), key("DEF", 5)];
    assert_eq!(read(&mut world, 0..=u64::MAX), all);
    assert_eq!(read(&mut world, 3..=4), [key("ABC", 3)]);
    assert_eq!(read(&mut world, 4..=9), [key("DEF", 5)]);
    assert_eq!(read(&mut world, 6..=9), []);
    let excerpt = world.board.history(world.now, "prices", ..);
    assert_eq!(excerpt.map(|it| (it.first, it.position.seq)), Some((5, 5)));
    // A newcomer is told the same.
    world.forget();
    let ben = world.connect("ben", "prices");
    let told: Vec<_> = world.values(ben).into_iter().collect();
    let told = told.into_iter().map(|(key, _, seq)| (Some(key), seq));
    assert_eq!(told.collect::<Vec<_>>(), all);
    assert!(world.is_open(ann));
}

#[test]
fn a_client_sets_and_removes_values_and_is_acknowledged() {
    let mut world = ticker(10);
    let (ann, bob) = (
        world.connect("ann", "prices"),
        world.connect("bob", "prices"),
    );
    world.forget();
    world.says(
        ann,
        json!({"type":"message","key":"ABC","content":1,"id":1}),
    );
    assert_eq!(world.messages(ann), [json!({"type":"ack","id":1,"seq":1})]);
    let told =
        json!({"type":"message","channel":"prices","key":"ABC","content":1,"sender":"ann","seq":1});
    assert_eq!(world.messages(bob), [told]);
    world.says(
        ann,
        json!({"type":"message","channel":"prices","key":"ABC","content":null,"echo":true}),
    );
    let told = json!({"type":"message","channel":"prices","key":"ABC","content":null,"sender":"ann","seq":2});
    assert_eq!(world.messages(ann), std::slice::from_ref(&told));
    assert_eq!(world.messages(bob), [told]);
    let cat = world.connect("cat", "prices");
    assert_eq!(world.values(cat), []);
}

#[test]
fn a_key_where_values_are_not_kept_or_that_is_no_name_is_a_bad_request() {
    let mut world = ticker(10);
    let ann = world.connect("ann", "prices");
    let bob = world.connect("bob", "news");
    world.forget();
    for (client, key) in [
        (bob, "ABC".to_owned()),
        (ann, String::new()),
        (ann, "\n".to_owned()),
        (ann, "x".repeat(129)),
    ] {
        world.says(
            client,
            json!({"type":"message","key":key,"content":1,"id":1}),
        );
        let error = world.last(client);
        let room = if client == bob { "news" } else { "prices" };
        assert_eq!(
            (&error["code"], &error["id"], &error["channel"]),
            (&json!("bad_request"), &json!(1), &json!(room))
        );
    }
    world.says(ann, json!({"type":"message","key":7,"content":1}));
    assert_eq!(world.last(ann)["code"], "bad_request");
    assert_eq!(world.try_put("news", "ABC", "1"), Err(SendError::NoKeys));
    let refused = world.try_put("prices", "", "1");
    assert!(matches!(refused, Err(SendError::BadKey(_))));
    assert_eq!(world.stats().history.messages, 0);
}

#[test]
fn a_key_too_many_is_refused_with_a_word_and_spends_no_number() {
    let mut world = ticker(2);
    let ann = world.connect("ann", "prices");
    world.put("prices", "A", "1");
    world.put("prices", "B", "1");
    let refused = world.try_put("prices", "C", "1");
    assert_eq!(refused, Err(SendError::TooManyKeys { limit: 2 }));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "2 keys have a value: remove one first"
    );
    world.forget();
    world.says(ann, json!({"type":"message","key":"C","content":1,"id":1}));
    let error = world.last(ann);
    assert_eq!(error["code"], "limit_exceeded");
    assert_eq!(error["channel"], "prices");
    world.put("prices", "A", "null");
    world.put("prices", "C", "1");
    assert_eq!(
        world.values(ann),
        [value("A", Value::Null, 3), value("C", 1, 4)]
    );
}

#[test]
fn values_are_kept_without_members_and_count_in_the_statistics() {
    let mut world = ticker(10);
    world.put("prices", "A", "1");
    world.put("prices", "A", "2");
    let history = world.stats().history;
    assert_eq!((history.rooms, history.messages), (1, 1));
    assert_eq!(world.stats().queued_bytes, 0);
    let ann = world.connect("ann", "prices");
    assert_eq!(world.values(ann), [value("A", 2, 2)]);
    let bob = world.connect("bob", "prices-other");
    assert_eq!(world.values(bob), []);
    world.happens(ann, switchboard_core::Event::Eof);
    world.advance(secs(599));
    let cat = world.connect("cat", "prices");
    assert_eq!(world.values(cat), [value("A", 2, 2)]);
    world.happens(cat, switchboard_core::Event::Eof);
    world.advance(secs(601));
    assert_eq!(world.stats().history.messages, 0);
    let dan = world.connect("dan", "prices");
    assert_eq!(world.values(dan), []);
}

#[test]
fn a_message_without_a_key_goes_to_those_who_are_there_and_is_not_kept() {
    let mut world = ticker(10);
    let ann = world.connect("ann", "prices");
    world.forget();
    let receipt = world.broadcast("prices", r#""closing soon""#, Exclude::NOBODY);
    assert_eq!((receipt.seq, receipt.accepted), (Some(1), 1));
    assert_eq!(world.last(ann)["content"], "closing soon");
    let bob = world.connect("bob", "prices");
    assert_eq!(world.messages_of(bob, "message"), [] as [Value; 0]);
}

#[test]
fn who_comes_back_gets_what_has_changed_unless_a_removal_is_not_kept_any_more() {
    let mut world = ticker(2);
    let bob = world.connect("bob", "");
    for content in ["1", "2"] {
        world.put("prices", "A", content);
        world.put("prices", "B", content);
    }
    let epoch = world.board.position("prices").expect("a room").epoch;
    let comes_back = |world: &mut World, seq: u64| {
        let since = json!({"epoch": &*epoch, "seq": seq});
        let told = subscribes(world, bob, "prices", Some(since));
        world.says(bob, json!({"type":"unsubscribe","channel":"prices"}));
        (told[0]["first"].as_u64(), short(&told))
    };
    assert_eq!(
        comes_back(&mut world, 3),
        (Some(1), vec!["subscribed true".into(), "4".into()])
    );
    world.put("prices", "A", "null");
    let told = ["subscribed true", "4", "5"].map(String::from).to_vec();
    assert_eq!(comes_back(&mut world, 2), (Some(1), told));
    for key in ["C", "D"] {
        world.put("prices", key, "1");
        world.put("prices", key, "null");
    }
    // The removals of "C" and "D" are kept.
    let told = ["subscribed false", "4"].map(String::from).to_vec();
    assert_eq!(comes_back(&mut world, 4), (Some(6), told));
    let told = ["subscribed true", "7", "9"].map(String::from).to_vec();
    assert_eq!(comes_back(&mut world, 5), (Some(6), told));
    let told = ["subscribed false", "4"].map(String::from).to_vec();
    assert_eq!(comes_back(&mut world, 10), (Some(6), told));
    let recoveries = world.stats().recoveries;
    assert_eq!(
        (recoveries.ok, recoveries.gone, recoveries.ahead),
        (3, 1, 1)
    );
}

#[test]
fn the_application_says_which_values_a_client_may_have() {
    for (reach, told) in [
        (Reach::All, &["subscribed null", "2", "3"][..]),
        (Reach::From(3), &["subscribed null", "3"]),
        (Reach::Now, &["subscribed null"]),
    ] {
        let mut world = ticker(5);
        let bob = world.connect("bob", "");
        for key in ["A", "B", "A"] {
            world.put("prices", key, "1");
        }
        world.forget();
        let request = json!({"type": "subscribe", "channel": "prices"});
        let mut question = world.asks_to(bob, request).expect("a question");
        question.limit(reach);
        world.answer(bob, question);
        assert_eq!(short(&world.messages(bob)), told, "{reach:?}");
        world.put("prices", "B", "2");
        assert_eq!(short(&world.messages(bob)), ["4"], "{reach:?}");
    }
}

#[test]
fn who_was_excluded_by_user_does_not_get_the_value_later_and_a_sender_gets_its_own() {
    let mut world = ticker(5);
    let ann = world.comes("ann", "/ws/prices?session=s");
    let to = Exclude {
        connections: &[],
        users: &["bob"],
    };
    let content = Content::parse("1").expect("JSON");
    let put = world
        .board
        .publish_key(world.now, "prices", "A", content, None, to);
    put.expect("it is kept");
    world.says(ann, json!({"type":"message","key":"B","content":2}));
    assert_eq!(world.values(ann), [value("A", 1, 1)]);
    let bob = world.connect("bob", "prices");
    assert_eq!(world.values(bob), [value("B", 2, 2)]);
    world.happens(ann, switchboard_core::Event::Reset);
    let ann = world.comes("ann", "/ws/prices?session=s");
    assert_eq!(world.values(ann), [value("A", 1, 1), value("B", 2, 2)]);
}

#[test]
fn a_value_that_is_sent_again_is_not_published_twice() {
    let mut world = ticker(5);
    let ann = world.comes("ann", "/ws/prices?session=s");
    let again = |key: &str, id: u64, again: u64| json!({"type":"message","key":key,"content":1,"id":id,"again":again});
    world.says(ann, json!({"type":"message","key":"A","content":1,"id":7}));
    world.says(ann, again("A", 7, 0));
    let ack = json!({"type":"ack","id":7,"seq":1,"duplicate":true});
    assert_eq!(world.last(ann), ack);
    world.says(ann, again("B", 8, 1));
    assert_eq!(world.last(ann), json!({"type":"ack","id":8,"seq":2}));
    world.put("prices", "A", "2");
    world.says(ann, again("A", 7, 0));
    assert_eq!(world.last(ann)["code"], "unrecoverable");
}
