//! Calls of the application's methods (`docs/protocol.md`, section 2).

use serde_json::json;
use switchboard_core::protocol::Json;
use switchboard_core::{Denied, Question};
use switchboard_kit::Received;

use crate::protocol::{error, pair, pair_with};
use crate::world::World;

fn call(method: &str) -> serde_json::Value {
    json!({"type": "call", "method": method, "params": [1], "id": 1})
}

/// Answers the question about a call with this result.
fn resolve(mut question: Question, result: &str) -> Question {
    let Question::Call { method, params, .. } = &question else {
        panic!("not about a call: {question:?}");
    };
    assert_eq!((&**method, params.as_json()), ("add", "[1]"));
    question.resolve(Json::parse(result).expect("JSON"));
    question
}

#[test]
fn the_result_goes_to_the_caller_alone() {
    let (mut world, ann, bob) = pair();
    let question = world.asks_to(ann, call("add")).expect("a question");
    world.answer(ann, resolve(question, "{\"sum\": 1.0}"));
    let told = r#"{"type":"result","id":1,"content":{"sum": 1.0}}"#;
    assert_eq!(world.frames(ann), [Received::Text(told.into())]);
    assert_eq!(world.frames(bob), []);
}

#[test]
fn a_result_is_null_unless_it_is_set() {
    let (mut world, ann, _) = pair();
    world.says(ann, call("add"));
    assert_eq!(
        world.last(ann),
        json!({"type": "result", "id": 1, "content": null})
    );
}

#[test]
fn a_result_that_no_queue_can_hold_is_too_large() {
    let (mut world, ann, _) = pair_with(|config| config.limits.queue_bytes = 2_000);
    let question = world.asks_to(ann, call("add")).expect("a question");
    let long = format!("\"{}\"", "x".repeat(2_000));
    world.answer(ann, resolve(question, &long));
    assert_eq!(world.last(ann)["code"], "too_large");
    assert!(world.is_open(ann));
}

#[test]
fn the_name_of_a_method_follows_the_rules_for_names() {
    for method in ["", "a\u{7}", &"m".repeat(129)] {
        let (mut world, ann, _) = pair();
        assert!(world.asks_to(ann, call(method)).is_none(), "{method:?}");
        let told = world.last(ann);
        assert_eq!(
            (&told["code"], &told["id"]),
            (&json!("bad_request"), &json!(1))
        );
    }
}

fn strikes_of(denied: &Denied) -> usize {
    let (mut world, ann, _): (World, _, _) = pair();
    world.denies = Some(denied.clone());
    (1..=30)
        .find(|_| {
            world.says(ann, call("add"));
            !world.is_open(ann)
        })
        .unwrap_or_default()
}

#[test]
fn a_method_that_does_not_exist_is_a_strike_and_a_refusal_is_none() {
    let (mut world, ann, _) = pair();
    world.denies = Some(Denied::UnknownMethod);
    world.says(ann, call("add"));
    let mut expected = error("unknown_type");
    expected["id"] = json!(1);
    let told = world.last(ann);
    assert_eq!(
        (&told["code"], &told["id"]),
        (&expected["code"], &expected["id"])
    );
    assert_eq!(strikes_of(&Denied::UnknownMethod), 10);
    assert_eq!(strikes_of(&Denied::Forbidden), 0);
}
