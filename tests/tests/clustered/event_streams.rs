//! What event streams are told of where they are.

use switchboard_core::WhenDown;

use crate::node::{Node, broker};

/// Returns the number in an event's id, if it has one, and what the event is of.
fn short(event: &str) -> String {
    let (id, data) = match event.split_once('\n') {
        Some((id, data)) => (id.strip_prefix("id: ").expect("an id"), data),
        None => ("", event),
    };
    let json = data.strip_prefix("data: ").expect("data");
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let seq = id.rsplit('.').next().unwrap_or_default();
    let of = json["epoch"].as_str().map_or(String::new(), |epoch| {
        let same = id.strip_suffix(&format!(".{seq}")) == Some(epoch);
        format!(" {}", if same { "its epoch" } else { "no epoch" })
    });
    format!("{} {seq}{of}", json["type"].as_str().unwrap_or_default())
}

#[test]
fn where_a_room_goes_on_elsewhere_the_stream_goes_on_there_too() {
    let mut redis = broker();
    let mut node = Node::start(&mut redis, "a", WhenDown::Alone);
    let ann = node.opens_stream(&mut redis, "ann");
    let bob = node.comes(&mut redis, "bob", None);
    node.says(&mut redis, bob, ("first", 1), None);
    let told: Vec<_> = node.events(ann).iter().map(|it| short(it)).collect();
    assert_eq!(told, ["subscribed 0 its epoch", "message 1"]);
    node.is_cut_off(&mut redis);
    node.passes(&mut redis, std::time::Duration::from_secs(3));
    let told = node.events(ann);
    let told: Vec<_> = told.iter().map(|it| short(it)).collect();
    assert!(
        told.contains(&"subscribed 0 its epoch".to_owned()),
        "{told:?}"
    );
}

#[test]
fn what_a_stream_gets_from_before_an_outage_has_its_positions() {
    let mut redis = broker();
    let mut node = Node::start(&mut redis, "a", WhenDown::Alone);
    let bob = node.comes(&mut redis, "bob", None);
    node.says(&mut redis, bob, ("first", 1), None);
    node.says(&mut redis, bob, ("second", 2), None);
    let (epoch, _) = node.position();
    node.is_cut_off(&mut redis);
    node.passes(&mut redis, std::time::Duration::from_secs(3));
    node.connects_anew(&mut redis);
    node.says(&mut redis, bob, ("third", 3), None);
    let ann = node.opens_stream_again(&mut redis, "ann", (&epoch, 0));
    let told: Vec<_> = node.events(ann).iter().map(|it| short(it)).collect();
    let expected = [
        "subscribed 0 its epoch",
        "message 1",
        "message 2",
        "message 3",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_stream_that_is_behind_is_told_no_number_of_an_epoch_that_is_over() {
    let mut redis = broker();
    let mut node = Node::start(&mut redis, "a", WhenDown::Alone);
    let ann = node.opens_stream(&mut redis, "ann");
    let bob = node.comes(&mut redis, "bob", None);
    node.events(ann);
    node.gets_stuck();
    node.says(&mut redis, bob, ("first", 1), None);
    node.is_cut_off(&mut redis);
    node.passes(&mut redis, std::time::Duration::from_secs(3));
    node.says(&mut redis, bob, ("alone", 2), None);
    node.writes_again(&mut redis);
    let told: Vec<_> = node.events(ann).iter().map(|it| short(it)).collect();
    let expected = [
        "message ",
        "cluster ",
        "subscribed 0 its epoch",
        "message 1",
    ];
    assert_eq!(told, expected);
}
