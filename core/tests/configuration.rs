//! Deserialisation and validation of configurations.

use std::time::Duration;

use switchboard_core::{
    Compression, Config, History, Keep, Rate, RoomHistory, RoomPresence, RoomRule, SlowPolicy,
};

fn read(json: &str) -> Config {
    serde_json::from_str(json).expect(json)
}

fn error(json: &str) -> String {
    serde_json::from_str::<Config>(json)
        .expect_err(json)
        .to_string()
}

#[test]
fn a_duration_is_a_number_of_seconds_or_says_its_unit() {
    for (value, duration) in [
        ("25", Duration::from_secs(25)),
        ("0.25", Duration::from_millis(250)),
        ("1e1", Duration::from_secs(10)),
        (r#""25s""#, Duration::from_secs(25)),
        (r#""25 s""#, Duration::from_secs(25)),
        (r#""500ms""#, Duration::from_millis(500)),
        (r#""2m""#, Duration::from_secs(120)),
        (r#""1.5m""#, Duration::from_secs(90)),
        (r#""1h""#, Duration::from_secs(3_600)),
        (r#""0.5s""#, Duration::from_millis(500)),
    ] {
        let config = read(&format!(r#"{{"timeouts":{{"hook":{value}}}}}"#));
        assert_eq!(config.timeouts.hook, duration, "{value}");
    }
    let config = read(
        r#"{"health":{"ping_interval":"25s"},"rates":{"strike_window":"1m"},"presence":{"interval":"1ms"}}"#,
    );
    assert_eq!(config.health.ping_interval, Duration::from_secs(25));
    assert_eq!(config.rates.strike_window, Duration::from_secs(60));
    assert_eq!(config.presence.interval, Duration::from_millis(1));
}

#[test]
fn an_invalid_duration_is_an_error_that_names_the_valid_form() {
    for value in [
        "-1",
        "true",
        "null",
        "[]",
        r#""""#,
        r#""25""#,
        r#""s""#,
        r#""25d""#,
        r#""-1s""#,
        r#""1e400s""#,
        r#""infs""#,
        r#""nans""#,
        r#""1m 30s""#,
        r#""25S""#,
        "1e300",
    ] {
        let told = error(&format!(r#"{{"timeouts":{{"hook":{value}}}}}"#));
        assert!(told.contains("number of seconds"), "{value}: {told}");
    }
}

#[test]
fn a_rate_can_be_switched_off() {
    for off in ["false", "null"] {
        let config = read(&format!(
            r#"{{"rates":{{"messages":{off},"bytes":{off},"connects":{off}}}}}"#
        ));
        let rates = config.rates;
        assert_eq!(
            (rates.messages, rates.bytes, rates.connects),
            (None, None, None)
        );
        assert_eq!(config.check(), Ok(()));
    }
    let config = read(r#"{"rates":{"messages":{"per_second":1,"burst":2},"bytes":false}}"#);
    let rate = Rate {
        per_second: 1,
        burst: 2,
    };
    assert_eq!(
        (config.rates.messages, config.rates.bytes),
        (Some(rate), None)
    );
    assert_eq!(config.rates.connects, Config::default().rates.connects);
    for wrong in ["true", "0", r#""off""#, r#"{"per_second":1}"#] {
        let told = error(&format!(r#"{{"rates":{{"messages":{wrong}}}}}"#));
        assert!(!told.is_empty());
    }
    let told = error(r#"{"rates":{"messages":{"per_second":1,"burst":2,"brust":3}}}"#);
    assert!(told.contains("brust"), "{told}");
    assert!(error(r#"{"rates":{"messages":true}}"#).contains("or false"));
}

#[test]
fn a_strike_counts_for_a_time() {
    for (window, told) in [("0s", "0"), ("8761h", "31539600")] {
        let config = read(&format!(r#"{{"rates":{{"strike_window":"{window}"}}}}"#));
        let error = config.check().expect_err(window).to_string();
        let rule = "must be longer than 0 and at most a year";
        assert_eq!(error, format!("rates.strike_window = {told}: {rule}"));
    }
}

#[test]
fn history_is_set_for_the_node_and_overridden_per_room() {
    let config = read(
        r#"{"history":{"messages":100,"age":"1m","bytes":1000},
            "room_rules":[{"prefix":"a","slow":"catch_up","history":{"messages":10,"linger":"2h"}}]}"#,
    );
    let history = History {
        messages: 100,
        age: Duration::from_secs(60),
        bytes: 1_000,
        ..History::default()
    };
    assert_eq!(config.history, history);
    let rule = &config.room_rules[0];
    assert_eq!(rule.slow, Some(SlowPolicy::CatchUp));
    let expected = RoomHistory {
        messages: Some(10),
        linger: Some(Duration::from_secs(7_200)),
        ..RoomHistory::default()
    };
    assert_eq!(rule.history, expected);
    assert_eq!(config.check(), Ok(()));
    assert!(error(r#"{"room_rules":[{"slow":"catch_up"}]}"#).contains("prefix"));
    let told = error(r#"{"room_rules":[{"prefix":"a","history":{"bytes":1}}]}"#);
    assert!(told.contains("bytes"), "{told}");
}

#[test]
fn a_rule_about_history_that_makes_no_sense_is_an_error_that_names_field_value_and_rule() {
    for (json, told) in [
        (
            r#"{"slow":"catch_up"}"#,
            "slow = catch_up: needs history: history.messages must be at least 1",
        ),
        (
            r#"{"history":{"messages":10,"on_join":11}}"#,
            "history.on_join = 11: must be at most history.messages",
        ),
        (
            r#"{"history":{"on_join_max":1}}"#,
            "history.on_join_max = 1: must be at most history.messages",
        ),
        (
            r#"{"history":{"age":60,"linger":59.5}}"#,
            "history.linger = 59.5: must be at least history.age",
        ),
        (
            r#"{"history":{"age":0}}"#,
            "history.age = 0: must be longer than 0 and at most a year",
        ),
        (
            r#"{"history":{"room_bytes":0}}"#,
            "history.room_bytes = 0: must be at least 1",
        ),
        (
            r#"{"history":{"rooms":0}}"#,
            "history.rooms = 0: must be at least 1",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","slow":"catch_up"}]}"#,
            "room_rules.slow = catch_up (prefix \"b\"): needs history: history.messages must be at least 1",
        ),
        (
            r#"{"history":{"messages":9},"slow":"catch_up","room_rules":[{"prefix":"b","history":{"messages":0}}]}"#,
            "room_rules.slow = catch_up (prefix \"b\"): needs history: history.messages must be at least 1",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","history":{"messages":2,"on_join":3}}]}"#,
            "room_rules.history.on_join = 3 (prefix \"b\"): must be at most history.messages",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","members_total":0}]}"#,
            "room_rules.members_total = 0 (prefix \"b\"): must be at least 1",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","members_total":3,"order":"local","keep":{"latest":{"keys":1}}}]}"#,
            "room_rules.members_total = 3 (prefix \"b\"): each node has its own where keep is latest and order is local",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","keep":{"latest":{"keys":0}}}]}"#,
            "room_rules.keep.keys = 0 (prefix \"b\"): must be at least 1",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","keep":{"latest":{"keys":1000001}}}]}"#,
            "room_rules.keep.keys = 1000001 (prefix \"b\"): must be at most 1000000",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","keep":{"latest":{"keys":1}},"history":{"messages":2}}]}"#,
            "room_rules.history.messages = 2 (prefix \"b\"): must be 0 or left out where keep is latest",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","keep":{"latest":{"keys":1}},"slow":"catch_up"}]}"#,
            "room_rules.slow = catch_up (prefix \"b\"): must be another policy where keep is latest, for there is no history",
        ),
        (
            r#"{"history":{"messages":9},"room_rules":[{"prefix":"b","keep":{"latest":{"keys":1}},"slow":"catch_up"}]}"#,
            "room_rules.slow = catch_up (prefix \"b\"): must be another policy where keep is latest, for there is no history",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","keep":{"latest":{"keys":1}},"history":{"age":2}}]}"#,
            "room_rules.history.age = 2 (prefix \"b\"): must be left out where keep is latest",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","keep":{"latest":{"keys":1}},"history":{"room_bytes":2}}]}"#,
            "room_rules.history.room_bytes = 2 (prefix \"b\"): must be left out where keep is latest",
        ),
        (
            r#"{"room_rules":[{"prefix":"b","keep":{"latest":{"keys":1}},"history":{"linger":0}}]}"#,
            "room_rules.history.linger = 0 (prefix \"b\"): must be longer than 0 and at most a year",
        ),
    ] {
        let error = read(json).check().expect_err(json);
        assert_eq!(error.to_string(), told, "{json}");
    }
}

#[test]
fn a_room_may_keep_the_latest_value_of_each_key_whatever_it_inherits() {
    let config = read(
        r#"{"history":{"messages":100,"on_join":20},"slow":"catch_up",
            "room_rules":[{"prefix":"prices","keep":{"latest":{"keys":500}}},{"prefix":"b","keep":"history"},
                {"prefix":"cursors","keep":{"latest":{"keys":50}},"history":{"linger":10}}]}"#,
    );
    assert_eq!(config.check(), Ok(()));
    assert_eq!(config.room_rules[0].keep, Keep::Latest { keys: 500 });
    assert_eq!(config.room_rules[1].keep, Keep::History);
    let told = error(r#"{"room_rules":[{"prefix":"a","keep":{"latest":{"keys":1,"age":2}}}]}"#);
    assert!(told.contains("age"), "{told}");
}

#[test]
fn a_rule_has_seats_and_presence_of_its_own() {
    let config = read(
        r#"{"room_rules":[{"prefix":"game/","members":8,"hold_seat":"10s","presence":{"leave_grace":"10s","info":false}},
            {"prefix":"news/","presence":false},{"prefix":"","presence":true}]}"#,
    );
    assert_eq!(config.check(), Ok(()));
    let game = RoomRule {
        prefix: "game/".into(),
        members: Some(8),
        hold_seat: Some(Duration::from_secs(10)),
        presence: RoomPresence {
            leave_grace: Some(Duration::from_secs(10)),
            info: Some(false),
            ..RoomPresence::default()
        },
        ..RoomRule::default()
    };
    assert_eq!(config.room_rules[0], game);
    assert_eq!(config.room_rules[1].presence, RoomPresence::off());
    assert_eq!(config.room_rules[2].presence, RoomPresence::on());
    let told = error(r#"{"room_rules":[{"prefix":"a","presence":{"grace":1}}]}"#);
    assert!(told.contains("leave_grace"), "{told}");
    let told = error(r#"{"room_rules":[{"prefix":"a","presence":3}]}"#);
    assert!(told.contains("a map of settings, true or false"), "{told}");
}

#[test]
fn a_rule_that_makes_no_sense_is_an_error_that_names_field_value_and_rule() {
    let rule = |fields: &str| format!(r#"{{"room_rules":[{{"prefix":"b",{fields}}}]}}"#);
    for (json, told) in [
        (
            rule(r#""members":0"#),
            "room_rules.members = 0 (prefix \"b\"): must be at least 1",
        ),
        (
            rule(r#""members":2000000000"#),
            "room_rules.members = 2000000000 (prefix \"b\"): must be at most 1073741824",
        ),
        (
            rule(r#""hold_seat":0"#),
            "room_rules.hold_seat = 0 (prefix \"b\"): must be longer than 0 and at most a year",
        ),
        (
            rule(r#""presence":{"full":0}"#),
            "room_rules.presence.full = 0 (prefix \"b\"): must be at least 1",
        ),
        (
            rule(r#""presence":{"leave_grace":0}"#),
            "room_rules.presence.leave_grace = 0 (prefix \"b\"): must be longer than 0 and at most a year",
        ),
        (
            rule(r#""presence":{"interval":"0ms"}"#),
            "room_rules.presence.interval = 0 (prefix \"b\"): must be longer than 0 and at most a year",
        ),
        (
            r#"{"limits":{"room_members":0}}"#.into(),
            "limits.room_members = 0: must be at least 1",
        ),
        (
            r#"{"limits":{"queue_bytes":911}}"#.into(),
            "limits.queue_bytes = 911: must be at least 400 and 4 times limits.name_bytes, for what a newcomer is told",
        ),
        (
            r#"{"limits":{"queue_bytes":1161},"sse":"/sse"}"#.into(),
            "limits.queue_bytes = 1161: must be at least 650 and 4 times limits.name_bytes, for what a newcomer is told, who may open an event stream",
        ),
        (
            r#"{"limits":{"queue_messages":1}}"#.into(),
            "limits.queue_messages = 1: must be at least 2, for what a newcomer is told",
        ),
        (
            r#"{"presence":{"full":0}}"#.into(),
            "presence.full = 0: must be at least 1",
        ),
        (
            r#"{"room_rules":[{"prefix":"a/"},{"prefix":"b"},{"prefix":"a/b"}]}"#.into(),
            "room_rules.prefix = \"a/b\": never applies, because an earlier rule has the start of it",
        ),
    ] {
        let error = read(&json).check().expect_err(&json);
        assert_eq!(error.to_string(), told, "{json}");
    }
}

#[test]
fn what_a_room_inherits_is_cut_to_what_it_keeps() {
    let config = read(
        r#"{"history":{"messages":100,"on_join":20,"on_join_max":50},
            "room_rules":[{"prefix":"few","history":{"messages":5}},{"prefix":"none","history":{"messages":0}}]}"#,
    );
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn compression_is_off_unless_it_is_configured() {
    for off in ["{}", r#"{"compression":"off"}"#, r#"{"compression":false}"#] {
        assert_eq!(read(off).compression, None, "{off}");
    }
    let on = read(r#"{"compression":{}}"#);
    assert_eq!(on.compression, Some(Compression::default()));
    assert_eq!(on.check(), Ok(()));
    for wrong in ["true", r#""on""#, "1"] {
        let told = error(&format!(r#"{{"compression":{wrong}}}"#));
        assert!(told.contains("a map, or off"), "{told}");
    }
    let some = read(
        r#"{"compression":{"level":9,"from_bytes":100},"room_rules":[{"prefix":"s/","compress":false}]}"#,
    );
    assert!(some.compresses("blue", 100));
    assert!(!some.compresses("blue", 99));
    assert!(!some.compresses("s/blue", 100));
    assert!(!read("{}").compresses("blue", 1_000));
    for (json, told) in [
        (
            r#"{"compression":{"level":0}}"#,
            "compression.level = 0: must be 1 to 9",
        ),
        (
            r#"{"compression":{"level":10}}"#,
            "compression.level = 10: must be 1 to 9",
        ),
        (
            r#"{"compression":{"from_bytes":0}}"#,
            "compression.from_bytes = 0: must be at least 1",
        ),
        (
            r#"{"compression":{"room_contexts":1025}}"#,
            "compression.room_contexts = 1025: must be at most 1024",
        ),
    ] {
        let error = read(json).check().expect_err(json);
        assert_eq!(error.to_string(), told);
    }
    let told = error(r#"{"compression":{"window":9}}"#);
    assert!(told.contains("unknown field"), "{told}");
}

#[test]
fn event_streams_are_off_or_at_a_path_of_their_own() {
    assert_eq!(read("{}").sse, None);
    assert_eq!(read(r#"{"sse":"/live/sse"}"#).check(), Ok(()));
    for path in ["", "sse", "/", "/sse/", "/a//b", "/ws"] {
        let config = read(&format!(r#"{{"sse":"{path}"}}"#));
        assert_eq!(config.check().unwrap_err().field, "sse", "{path}");
    }
}
