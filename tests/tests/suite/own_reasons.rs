//! Refusals for reasons of the application's own (`Denied::because`).

use serde_json::json;

use super::peer::{Peer, upgrade};
use super::server::{Server, raw};
use crate::rt::{
    Application, ApplicationCode, Config, Connection, Denied, Entry, Identity, Message, Refusal,
    Request,
};

/// A code that is no name of the protocol, and a text that needs escapes.
fn full() -> Denied {
    Denied::because("club_full", "try \"later\"")
}

fn banned() -> Denied {
    full().closing_with(ApplicationCode::new(4510).expect("a code"))
}

/// Refuses everything but logging in as `ann`.
struct Club;

impl Application for Club {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        match request.token().map(crate::rt::Token::reveal) {
            Some("ann") => Ok(Identity::user("ann")),
            Some("full") => Err(full()),
            Some("failed") => Err(Denied::Failed),
            Some(_) => Err(banned()),
            None => Ok(Identity::FirstMessage),
        }
    }

    async fn authorize_join(&self, _: &Connection, room: &str, _: Entry) -> Result<(), Denied> {
        match room {
            "blue" => Ok(()),
            "down" => Err(Denied::Failed),
            "none" => Err(banned()),
            _ => Err(full()),
        }
    }

    async fn authorize_direct(&self, _: &Connection, _: &str) -> Result<(), Denied> {
        Err(full())
    }

    async fn on_message(&self, _: &Connection, message: Message) -> Result<(), Denied> {
        match message {
            Message::Text(text) if text == "down" => Err(Denied::Failed),
            Message::Text(text) if text == "full" => Err(full()),
            // A close code is for those who are closed.
            _ => Err(banned()),
        }
    }
}

#[test]
fn requests_are_refused_with_the_code_and_the_text_of_the_application() {
    let server = Server::start(Config::default(), Club);
    let mut ann = server.member("/ws/blue?token=ann");
    let refused = |id: u8, channel: Option<&str>| {
        let mut error =
            json!({"type":"error","code":"club_full","message":"try \"later\"","id":id});
        if let Some(channel) = channel {
            error["channel"] = channel.into();
        }
        error
    };
    ann.say(r#"{"type":"subscribe","channel":"red","id":1}"#);
    assert_eq!(ann.find("error"), refused(1, Some("red")));
    ann.say(r#"{"type":"direct","to":"bob","content":1,"id":2}"#);
    assert_eq!(ann.find("error"), refused(2, None));
    ann.say(r#"{"type":"message","content":1,"id":3}"#);
    assert_eq!(ann.find("error"), refused(3, Some("blue")));
    ann.say(r#"{"type":"subscribe","channel":"down","id":4}"#);
    assert_eq!(ann.find("error")["code"], "internal");
    // Nothing of this ended the connection.
    ann.say(r#"{"type":"ping"}"#);
    ann.find("pong");
}

#[test]
fn who_is_refused_admission_is_closed_with_the_code_and_the_text_of_the_application() {
    let server = Server::start(Config::default(), Club);
    for (target, code, text) in [
        ("/ws?token=full", 4003, "forbidden"),
        ("/ws?token=failed", 1011, "internal"),
        ("/ws?token=banned", 4510, "try \"later\""),
        ("/ws/none?token=ann", 4510, "try \"later\""),
    ] {
        assert_eq!(server.client(target).closed(code), text, "{target}");
    }
    let mut late = server.client("/ws");
    late.say(r#"{"type":"auth","token":"banned"}"#);
    assert_eq!(late.closed(4510), "try \"later\"");
    // A later login.
    let mut ann = server.member("/ws?token=ann");
    ann.say(r#"{"type":"auth","token":"banned"}"#);
    assert_eq!(ann.closed(4510), "try \"later\"");
    for (reason, times) in [("forbidden", 1), ("internal", 1), ("application", 3)] {
        assert_eq!(server.refused(reason), times, "{reason}");
    }
    assert_eq!(server.closes("application"), 1);
}

#[test]
fn by_http_an_own_reason_is_forbidden() {
    let config = Config {
        refusal: Refusal::Http,
        ..Config::default()
    };
    let server = Server::start(config, Club);
    for target in ["/ws?token=full", "/ws?token=banned", "/ws/none?token=ann"] {
        let mut peer = Peer::connect(server.address);
        peer.send(&upgrade(target, &[]));
        assert_eq!(peer.head().status, 403, "{target}");
    }
}

#[test]
fn in_raw_mode_the_reason_closes_the_connection() {
    let server = Server::start(raw(), Club);
    for (said, code, text) in [
        ("down", 1011, "internal"),
        ("full", 4003, "forbidden"),
        ("hi", 4510, "try \"later\""),
    ] {
        let mut ann = server.client("/ws?token=ann");
        ann.say(said);
        assert_eq!(ann.closed(code), text, "{said}");
    }
}

#[test]
fn application_codes_are_those_that_clients_know_as_such() {
    for (code, is_one) in [(4399, false), (4400, true), (4999, true), (5000, false)] {
        let made = ApplicationCode::new(code);
        assert_eq!(made.map(u16::from).ok(), is_one.then_some(code), "{code}");
    }
}
