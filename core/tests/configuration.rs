//! Deserialisation of configurations.

use std::time::Duration;

use switchboard_core::{Config, Rate};

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
