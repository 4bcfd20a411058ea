//! The HTTP API over a hub (docs/http-api.md), beside the sockets that get what it sends.

use std::time::Duration;

use serde_json::{Value, json};

use super::app::Plain;
use super::peer::Peer;
use super::server::{Server, until};
use crate::rt::http_api::{ApiRequest, HttpApi};
use crate::rt::{Config, Keep, PageResponse, RoomRule, Token, UserPolicy};

pub(super) const KEY: &str = "s3cr3t-key";

pub(super) struct Api {
    pub(super) server: Server,
    pub(super) api: HttpApi,
}

/// Two connections of a user are let in.
pub(super) fn start(change: impl FnOnce(&mut Config)) -> Api {
    let mut config = Config {
        users: UserPolicy::Allow(2),
        ..Config::default()
    };
    change(&mut config);
    let server = Server::start(config, Plain::default());
    let api = HttpApi::new(server.hub.clone(), Token::new(KEY));
    Api { server, api }
}

impl Api {
    /// Calls a method as it is meant to be called.
    pub(super) fn ask(&self, method: &str, body: &str) -> PageResponse {
        self.request("POST", &format!("/api/{method}"), Some(KEY), body)
    }

    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> PageResponse {
        let header = |name: &'static str| match name {
            "X-API-Key" => key,
            "Content-Type" => Some("application/json; charset=utf-8"),
            _ => None,
        };
        let request = ApiRequest::new(method, path, header);
        self.api.answer(&request, body.as_bytes())
    }

    /// Calls a method, which succeeds.
    fn call(&self, method: &str, body: &Value) -> Value {
        let answer = self.ask(method, &body.to_string());
        let value = value(&answer);
        assert_eq!(answer.status, 200, "{value}");
        value
    }
}

pub(super) fn value(answer: &PageResponse) -> Value {
    assert_eq!(answer.content_type, "application/json");
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// Returns the status and the error of an answer, without its text for people.
pub(super) fn error(answer: &PageResponse) -> (u16, String, String) {
    let value = value(answer);
    let error = &value["error"];
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("field"))
}

pub(super) fn header<'a>(answer: &'a PageResponse, name: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    let found = headers.find(|header| header.0 == name);
    found.map(|header| &*header.1)
}

/// Returns the id of a connection as its `welcome` says.
fn enter(server: &Server, user: &str, lobby: &str) -> (Peer, String) {
    let mut peer = server.client(&format!("/ws/{lobby}?token=s3cr3t-{user}"));
    let id = peer.expect("welcome")["connection"]
        .as_str()
        .map(Into::into);
    peer.expect("subscribed");
    (peer, id.expect("an id"))
}

#[test]
fn a_publish_reaches_the_room_byte_for_byte_and_tells_what_became_of_it() {
    let api = start(|_| {});
    let (mut ann, _) = enter(&api.server, "ann", "blue");
    let (mut bob, bobs) = enter(&api.server, "bob", "blue");
    let (mut cas, _) = enter(&api.server, "cas", "blue");
    let body = format!(
        r#"{{"channel":"blue","content":{{"a": 1.50}},"sender":"news","exclude":{{"connections":["{bobs}"],"users":["cas","nobody"]}}}}"#
    );
    let receipt = value(&api.ask("publish", &body));
    let expected = json!({"seq": 1, "accepted": 1, "excluded": 2, "dropped_oldest": 0,
        "dropped_newest": 0, "dropped_volatile": 0, "closed": 0});
    assert_eq!(receipt, expected);
    let told = ann.find("message");
    assert_eq!((&told["sender"], &told["seq"]), (&json!("news"), &json!(1)));
    assert_eq!(told["content"], json!({"a": 1.5}));
    api.call("publish", &json!({"channel": "blue", "content": null}));
    for peer in [&mut bob, &mut cas] {
        let told = peer.find("message");
        assert_eq!((&told["seq"], &told["content"]), (&json!(2), &Value::Null));
        assert_eq!(told.get("sender"), None);
    }
    let nobody = api.call("publish", &json!({"channel": "empty", "content": 1}));
    assert_eq!(
        (&nobody["seq"], &nobody["accepted"]),
        (&Value::Null, &json!(0))
    );
}

#[test]
fn a_broadcast_goes_to_each_channel_even_if_one_fails() {
    let api = start(|config| config.limits.queue_bytes = 1_000);
    let (mut ann, _) = enter(&api.server, "ann", "blue");
    // In this room the name of the room makes the message too large.
    let long = "x".repeat(100);
    let (mut bob, _) = enter(&api.server, "bob", &long);
    let content = "y".repeat(880);
    let told = api.call(
        "broadcast",
        &json!({"channels": [long, "blue"], "content": content}),
    );
    let [first, second] = &told["results"].as_array().expect("results")[..] else {
        panic!("{told}");
    };
    assert_eq!(
        (&first["channel"], &first["error"]["code"]),
        (&json!(long), &json!("too_large"))
    );
    assert_eq!(
        (&second["channel"], &second["accepted"]),
        (&json!("blue"), &json!(1))
    );
    assert_eq!(ann.find("message")["content"], content);
    api.call("broadcast", &json!({"channels": [long], "content": 1}));
    assert_eq!(bob.find("message")["content"], 1);
}

#[test]
fn a_direct_message_reaches_each_connection_of_the_user() {
    let api = start(|_| {});
    let mut anns = [
        enter(&api.server, "ann", "a").0,
        enter(&api.server, "ann", "b").0,
    ];
    let receipt = api.call(
        "direct",
        &json!({"user": "ann", "content": [1], "sender": "news"}),
    );
    assert_eq!(receipt["accepted"], 2);
    for ann in &mut anns {
        let told = ann.find("direct");
        assert_eq!(
            (&told["content"], &told["sender"]),
            (&json!([1]), &json!("news"))
        );
    }
    let nobody = api.call("direct", &json!({"user": "eve", "content": 1}));
    assert_eq!(nobody["accepted"], 0);
}

#[test]
fn connections_enter_and_leave_rooms_within_the_limits() {
    let api = start(|config| config.limits.room_members = 2);
    let (mut ann, id) = enter(&api.server, "ann", "blue");
    let (_other, others) = enter(&api.server, "ann", "red");
    let (_bob, _) = enter(&api.server, "bob", "green");
    // The application refuses this room to clients; the API is of the application.
    ann.say(r#"{"type":"subscribe","channel":"private"}"#);
    assert_eq!(ann.find("error")["code"], "forbidden");
    let body = json!({"user": "bob", "channel": "private"});
    assert_eq!(api.call("subscribe", &body)["joined"], 1);
    let told = api.call(
        "subscribe",
        &json!({"connection": id, "channel": "private"}),
    );
    assert_eq!(told, json!({"joined": 1, "already": 0, "failed": []}));
    assert_eq!(ann.find("subscribed")["channel"], "private");
    let told = api.call("subscribe", &json!({"user": "ann", "channel": "private"}));
    assert_eq!((&told["joined"], &told["already"]), (&json!(0), &json!(1)));
    let failed = &told["failed"][0];
    assert_eq!(
        (&failed["connection"], &failed["code"]),
        (&json!(others), &json!("room_full"))
    );
    let told = api.call("unsubscribe", &json!({"user": "ann", "channel": "private"}));
    assert_eq!(told, json!({"left": 1}));
    assert_eq!(ann.find("unsubscribed")["channel"], "private");
    let nobody = api.call("subscribe", &json!({"user": "eve", "channel": "blue"}));
    assert_eq!(nobody, json!({"joined": 0, "already": 0, "failed": []}));
}

#[test]
fn a_user_is_disconnected_with_the_code_that_the_caller_chose() {
    let api = start(|_| {});
    let (ann, _) = enter(&api.server, "ann", "blue");
    let (other, id) = enter(&api.server, "ann", "blue");
    let body = json!({"connection": id, "code": 4500, "reason": "banned"});
    assert_eq!(api.call("disconnect", &body), json!({"disconnected": 1}));
    assert_eq!(other.closed(4500), "banned");
    let body = json!({"user": "ann"});
    assert_eq!(api.call("disconnect", &body), json!({"disconnected": 1}));
    assert_eq!(ann.closed(4004), "kicked");
    assert_eq!(api.call("disconnect", &body), json!({"disconnected": 0}));
    api.server.until_empty();
    let gone = api.ask("disconnect", &json!({"connection": id}).to_string());
    assert_eq!(error(&gone), (404, "not_connected".into(), String::new()));
}

#[test]
fn who_is_put_out_by_the_api_loses_the_seat_that_is_held() {
    let api = start(|config| {
        config.room_rules = vec![RoomRule {
            prefix: "table".into(),
            hold_seat: Some(Duration::from_secs(60)),
            ..RoomRule::default()
        }];
    });
    for body in [
        json!({"user": "ann"}),
        json!({"user": "ann", "code": 4500, "reason": "banned"}),
    ] {
        let (ann, _) = enter(&api.server, "ann", "table");
        ann.leave();
        let held = || api.server.hub.held_seats("table");
        until("a seat is held", || held() == 1, held);
        assert_eq!(api.call("disconnect", &body), json!({"disconnected": 0}));
        assert_eq!(held(), 0, "{body}");
    }
}

#[test]
fn a_login_is_prolonged_or_ended() {
    let api = start(|_| {});
    // It would end after a second and a half.
    let (mut ann, id) = enter(&api.server, "ann,1500", "blue");
    let body = json!({"connection": id, "expires_in": null});
    assert_eq!(api.call("extend", &body), json!({"extended": 1}));
    let (bob, _) = enter(&api.server, "bob,1500", "blue");
    assert_eq!(bob.closed(4202), "token_expired");
    ann.say(r#"{"type":"ping"}"#);
    ann.find("pong");
    let body = json!({"user": "ann", "expires_in": 0.05});
    assert_eq!(api.call("extend", &body), json!({"extended": 1}));
    assert_eq!(ann.closed(4202), "token_expired");
}

#[test]
fn what_is_there_can_be_asked() {
    let api = start(|_| {});
    let _peers = [
        enter(&api.server, "ann", "chat:1"),
        enter(&api.server, "ann", "chat:1"),
        enter(&api.server, "bob", "chat:1"),
        enter(&api.server, "bob", "news"),
    ];
    let told = api.call("presence", &json!({"channel": "chat:1"}));
    assert_eq!(
        told,
        json!({"count": 2, "users": ["ann", "bob"], "members": 3})
    );
    let told = api.call("presence", &json!({"channel": "chat:1", "limit": 1}));
    assert_eq!(told, json!({"count": 2, "users": ["ann"], "members": 3}));
    let told = api.call("channels", &json!({"prefix": "chat:"}));
    assert_eq!(
        told,
        json!({"channels": [{"channel": "chat:1", "members": 3}]})
    );
    let told = value(&api.ask("channels", ""));
    assert_eq!(told["channels"].as_array().map(Vec::len), Some(2));
    let told = value(&api.ask("info", ""));
    assert_eq!(told["stats"]["total_connections"], 4);
    assert!(told["version"].as_str().is_some());
}

#[test]
fn a_history_is_read_byte_for_byte() {
    let api = start(|config| config.history.messages = 10);
    for n in 1..=12 {
        let body = format!(r#"{{"channel":"news","content":{{"n":{n}.50}}}}"#);
        assert_eq!(value(&api.ask("publish", &body))["seq"], n);
    }
    let numbers = |told: &Value| -> Vec<u64> {
        let messages = told["messages"].as_array().expect("messages").iter();
        messages
            .filter_map(|message| message["seq"].as_u64())
            .collect()
    };
    let told = api.call("history", &json!({"channel": "news"}));
    assert_eq!((&told["seq"], &told["first"]), (&json!(12), &json!(3)));
    assert!(
        told["epoch"]
            .as_str()
            .is_some_and(|epoch| !epoch.is_empty())
    );
    assert_eq!(numbers(&told), (3..=12).collect::<Vec<_>>());
    let told = api.call("history", &json!({"channel": "news", "limit": 2}));
    assert_eq!(numbers(&told), [11, 12]);
    let body = json!({"channel": "news", "from": 5, "limit": 2});
    assert_eq!(numbers(&api.call("history", &body)), [5, 6]);
    let body = json!({"channel": "news", "from": 13});
    assert_eq!(numbers(&api.call("history", &body)), [0; 0]);
    let raw = api.ask("history", r#"{"channel":"news","limit":1}"#).body;
    let raw = String::from_utf8(raw).expect("text");
    assert!(raw.contains(r#""content":{"n":12.50}"#), "{raw}");
    let nothing = error(&api.ask("history", r#"{"channel":"other"}"#));
    assert_eq!(nothing, (404, "not_found".into(), String::new()));
}

#[test]
fn a_call_that_was_cut_off_is_sent_again_and_published_once() {
    let api = start(|config| config.history.messages = 3);
    let send = |id: &str, again: Option<u64>| {
        let body = json!({"channel": "blue", "content": id, "id": id, "again": again});
        let answer = api.ask("publish", &body.to_string());
        let told = value(&answer);
        (
            answer.status,
            told["seq"].clone(),
            told["duplicate"].clone(),
        )
    };
    assert_eq!(send("first", None), (200, json!(1), Value::Null));
    // The room had come to 1, and the answer to this one was lost.
    assert_eq!(send("second", None), (200, json!(2), Value::Null));
    assert_eq!(send("second", Some(1)), (200, json!(2), json!(true)));
    // This one never arrived.
    assert_eq!(send("third", Some(2)), (200, json!(3), Value::Null));
    assert_eq!(send("third", Some(2)), (200, json!(3), json!(true)));
    for n in 4..=6 {
        assert_eq!(send(&n.to_string(), None).1, n);
    }
    // The history begins with 4.
    let cannot_tell = |channel: &str, again: u64| {
        let body = json!({"channel": channel, "content": 1, "id": "third", "again": again});
        error(&api.ask("publish", &body.to_string())).1
    };
    assert_eq!(cannot_tell("blue", 2), "unrecoverable");
    assert_eq!(cannot_tell("blue", 7), "unrecoverable");
    assert_eq!(cannot_tell("red", 0), "unrecoverable");
    assert_eq!(send("third", Some(3)), (200, json!(7), Value::Null));
    let kept = api.call("history", &json!({"channel": "blue"}));
    let contents: Vec<_> = messages(&kept)
        .iter()
        .map(|it| it["content"].clone())
        .collect();
    assert_eq!(contents, ["5", "6", "third"]);
}

#[test]
fn a_call_from_before_the_room_began_anew_is_not_taken_for_one_of_now() {
    let began_with = |epoch: Option<&Value>| {
        let api = start(|config| config.history.messages = 3);
        for n in 0..2 {
            api.call("publish", &json!({"channel": "blue", "content": n}));
        }
        let now = api.call("history", &json!({"channel": "blue"}))["epoch"].clone();
        let epoch = epoch.unwrap_or(&now);
        let body = json!({"channel": "blue", "content": 1, "id": "x", "again": 1, "epoch": epoch});
        let answer = api.ask("publish", &body.to_string());
        (now, answer)
    };
    let (epoch, answer) = began_with(None);
    assert_eq!(value(&answer)["seq"], 3);
    // The next server has come as far, but not with the same messages.
    let (_, answer) = began_with(Some(&epoch));
    let cannot_tell = (409, "unrecoverable".into(), String::new());
    assert_eq!(error(&answer), cannot_tell);
}

#[test]
fn values_are_set_by_key_and_the_last_of_them_are_shown() {
    let api = start(|config| {
        config.room_rules = vec![RoomRule {
            prefix: "prices".into(),
            keep: Keep::Latest { keys: 2 },
            ..RoomRule::default()
        }];
    });
    let set = |key: &str, content: Value| {
        let body = json!({"channel": "prices", "key": key, "content": content});
        api.ask("publish", &body.to_string())
    };
    assert_eq!(set("a", json!(1)).status, 200);
    // So many that the value of `a` is not among the last numbers.
    for n in 0..200 {
        assert_eq!(set("b", json!(n)).status, 200);
    }
    let shown = |ask: Value| {
        let shown = api.call("history", &ask);
        let values = messages(&shown);
        let value = |it: &Value| format!("{}={}", it["key"].as_str().unwrap(), it["content"]);
        values.iter().map(value).collect::<Vec<_>>()
    };
    assert_eq!(shown(json!({"channel": "prices"})), ["a=1", "b=199"]);
    assert_eq!(shown(json!({"channel": "prices", "limit": 1})), ["b=199"]);
    assert_eq!(shown(json!({"channel": "prices", "from": 2})), ["b=199"]);
    assert_eq!(error(&set("c", json!(1))).1, "limit_exceeded");
    assert_eq!(set("a", Value::Null).status, 200);
    assert_eq!(set("c", json!(1)).status, 200);
}

fn messages(shown: &Value) -> &Vec<Value> {
    shown["messages"].as_array().expect("messages")
}
