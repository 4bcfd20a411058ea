//! What is serialised: configurations, as they are read again, and reports.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{from_value, json, to_value};
use switchboard_core::{
    Clustering, Compression, Config, ConnectionId, Direct, Endpoint, HealthPing, History, Keep,
    Order, Origins, Position, Presence, Rate, Rates, Refusal, RoomHistory, RoomPresence, RoomRule,
    Rooms, SlowPolicy, Switchboard, Time, Timeouts, Tokens, UserPolicy, WhenDown, Wire,
};

/// A configuration in which nothing is as by default.
fn unusual() -> Config {
    let mut config = Config {
        timeouts: Timeouts {
            hook: Duration::from_millis(2_500),
            close: Duration::from_nanos(1),
            ..Timeouts::default()
        },
        rates: Rates {
            messages: Some(Rate {
                per_second: 5,
                burst: 10,
            }),
            strike_window: Duration::from_secs(60),
            ..Rates::unlimited()
        },
        presence: Presence {
            enabled: false,
            full: 7,
            info: false,
            ..Presence::default()
        },
        users: UserPolicy::Allow(3),
        slow: SlowPolicy::CatchUp,
        history: History {
            messages: 100,
            on_join: 20,
            ..History::default()
        },
        room_rules: rules(),
        rooms: Rooms::Open,
        direct: Direct::Open,
        refusal: Refusal::Http,
        wire: Wire::Raw,
        compression: Some(Compression::default()),
        origins: Origins::List(vec!["https://example.org".into()]),
        trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
        tokens: Tokens {
            header: false,
            query: None,
            cookie: Some("login".into()),
            ..Tokens::default()
        },
        endpoint: Endpoint::At("/live".into()),
        cluster: Some(Clustering {
            node: "a".into(),
            order: Order::Local,
            hold: Duration::from_millis(1_500),
            ..Clustering::default()
        }),
        sse: Some("/sse".into()),
        ..Config::default()
    };
    config.limits.connections = 9;
    config.limits.pause_reading = Some(4_096);
    config.health.health_ping = HealthPing::Demand;
    config
}

fn rules() -> Vec<RoomRule> {
    vec![
        RoomRule {
            prefix: "game/".into(),
            members: Some(8),
            hold_seat: Some(Duration::from_secs(10)),
            presence: RoomPresence {
                leave_grace: Some(Duration::from_secs(10)),
                ..RoomPresence::on()
            },
            history: RoomHistory {
                age: Some(Duration::from_millis(250)),
                ..RoomHistory::default()
            },
            order: Some(Order::Total),
            when_down: Some(WhenDown::Refuse),
            members_total: Some(16),
            ..RoomRule::default()
        },
        RoomRule {
            prefix: "prices/".into(),
            keep: Keep::Latest { keys: 500 },
            slow: Some(SlowPolicy::DropOldest),
            presence: RoomPresence::off(),
            ..RoomRule::default()
        },
        RoomRule::default(),
    ]
}

#[test]
fn a_configuration_is_read_from_toml_as_it_was_written() {
    for config in [Config::default(), unusual()] {
        assert_eq!(config.check(), Ok(()));
        let text = toml::to_string(&config).expect("TOML");
        let again: Config = toml::from_str(&text).expect(&text);
        assert_eq!(again, config, "{text}");
        let text = serde_json::to_string(&config).expect("JSON");
        let again: Config = serde_json::from_str(&text).expect(&text);
        assert_eq!(again, config, "{text}");
    }
}

#[test]
fn what_is_written_is_what_a_person_would_write() {
    let text = toml::to_string(&unusual()).expect("TOML");
    for line in [
        "hook = \"2.5s\"",
        "close = \"0.000000001s\"",
        "strike_window = \"60s\"",
        "bytes = false",
        "query = false",
        "sse = \"/sse\"",
        "hold_seat = \"10s\"",
        "age = \"250ms\"",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
}

#[test]
fn a_file_says_only_what_is_to_be_different() {
    let config: Config = toml::from_str(
        r#"
        users = { allow = 2 }

        [timeouts]
        hook = "3s"

        [rates]
        messages = false

        [[room_rules]]
        prefix = "game/"
        members = 8
        hold_seat = "10s"
        presence = { leave_grace = "10s" }

        [[room_rules]]
        prefix = "quiet/"
        presence = false
        "#,
    )
    .expect("TOML");
    assert_eq!(config.check(), Ok(()));
    assert_eq!(config.users, UserPolicy::Allow(2));
    assert_eq!(config.rates.messages, None);
    assert_eq!(config.rates.bytes, Rates::default().bytes);
    assert_eq!(config.room_rules[0].members, Some(8));
    assert_eq!(config.room_rules[1].presence, RoomPresence::off());
    let error = toml::from_str::<Config>("[rates]\nmessages = true").unwrap_err();
    assert!(error.to_string().contains("or false"), "{error}");
}

proptest! {
    #[test]
    fn a_duration_is_read_as_it_was_written(seconds in 0..400_000_000_u64, nanos in 0..1_000_000_000_u32) {
        for nanos in [nanos, nanos / 1_000_000 * 1_000_000, 0] {
            let hook = Duration::new(seconds, nanos);
            let config = Config { timeouts: Timeouts { hook, ..Timeouts::default() }, ..Config::default() };
            let text = serde_json::to_string(&config).expect("JSON");
            let again: Config = serde_json::from_str(&text).expect("a configuration");
            prop_assert_eq!(again.timeouts.hook, hook);
        }
    }
}

#[test]
fn reports_and_ids_are_serialised() {
    let id: ConnectionId = "1f-2".parse().expect("an id");
    assert_eq!(to_value(id).expect("JSON"), json!("1f-2"));
    let again: ConnectionId = from_value(json!("1f-2")).expect("an id");
    assert_eq!(again, id);
    assert!(from_value::<ConnectionId>(json!("1F-2")).is_err());
    let position: Position = "5f-1.12".parse().expect("a position");
    assert_eq!(
        to_value(&position).expect("JSON"),
        json!({"epoch": "5f-1", "seq": 12})
    );
    let node = Switchboard::new(Config::default(), 1, Time::ZERO).expect("a node");
    let stats = to_value(node.stats(Time::ZERO)).expect("JSON");
    assert_eq!(stats["total_connections"], 0);
}
