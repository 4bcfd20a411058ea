//! What the application keeps with a connection (`Admission`, `Connection::get`).

use std::sync::Arc;

use super::app::Log;
use super::peer::Peer;
use super::server::{Server, raw};
use crate::rt::{
    Admission, Application, CloseReason, Config, Connection, Denied, Entry, Identity, Message,
    Request, Wire,
};

/// Says into a log that it is gone.
struct Profile {
    colour: String,
    log: Log,
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.log.add(format!("dropped {}", self.colour));
    }
}

/// The token `ann.teal` is ann's, whose colour is teal then; `ann` is ann's, without a colour.
#[derive(Clone, Default)]
struct Colours(Log);

impl Colours {
    fn note(&self, hook: &str, client: &Connection) {
        let profile = client.get::<Profile>();
        let colour = profile.map_or("no colour", |profile| &profile.colour);
        assert_eq!(client.get::<String>(), None, "nothing of this type");
        self.0.add(format!("{hook} {} {colour}", client.user()));
    }
}

impl Application for Colours {
    async fn admit(&self, request: &Request) -> Result<Admission, Denied> {
        let Some(token) = request.token() else {
            // Has no effect, because nobody is there yet.
            return Ok(Admission::from(Identity::FirstMessage).with(7));
        };
        let (name, colour) = match token.reveal().split_once('.') {
            Some((name, colour)) => (name, Some(colour.to_owned())),
            None => (token.reveal(), None),
        };
        let admission = Admission::user(name);
        let log = self.0.clone();
        Ok(match colour {
            Some(colour) => admission.with(Profile { colour, log }),
            None => admission,
        })
    }

    async fn authorize_join(&self, client: &Connection, _: &str, _: Entry) -> Result<(), Denied> {
        self.note("join", client);
        Ok(())
    }

    async fn authorize_direct(&self, client: &Connection, _: &str) -> Result<(), Denied> {
        self.note("direct", client);
        Ok(())
    }

    async fn on_connect(&self, client: &Connection) {
        assert_eq!(client.get::<i32>(), None, "of another login");
        self.note("connect", client);
    }

    async fn on_message(&self, client: &Connection, _: Message) -> Result<(), Denied> {
        self.note("message", client);
        Ok(())
    }

    async fn on_disconnect(&self, client: &Connection, _: &[Arc<str>], _: CloseReason) {
        self.note("disconnect", client);
    }
}

fn open(config: Config, target: &str) -> (Server, Peer, Log) {
    let app = Colours::default();
    let log = app.0.clone();
    let server = Server::start(config, app);
    let peer = server.client(target);
    (server, peer, log)
}

#[test]
fn every_hook_of_a_connection_gets_its_data_which_ends_with_the_connection() {
    let (server, mut ann, log) = open(Config::default(), "/ws/blue?token=ann.teal");
    ann.say(r#"{"type":"message","content":1}"#);
    ann.say(r#"{"type":"direct","to":"bob","content":1}"#);
    ann.find("error");
    drop(ann);
    server.until_empty();
    log.until(&[
        "join ann teal",
        "connect ann teal",
        "message ann teal",
        "direct ann teal",
        "disconnect ann teal",
        "dropped teal",
    ]);
}

#[test]
fn raw_connections_have_data_too() {
    let (server, mut ann, log) = open(raw(), "/ws?token=ann.teal");
    assert_eq!(server.hub.config().wire, Wire::Raw);
    ann.say("hello");
    log.until_has("message ann teal");
    drop(ann);
    log.until_has("dropped teal");
}

#[test]
fn a_login_by_first_message_brings_its_data() {
    let (_server, mut ann, log) = open(Config::default(), "/ws");
    ann.say(r#"{"type":"auth","token":"ann.teal"}"#);
    ann.find("welcome");
    log.until_has("connect ann teal");
}

#[test]
fn a_later_login_replaces_the_data_only_if_it_brings_some() {
    let (_server, mut ann, log) = open(Config::default(), "/ws/blue?token=ann.teal");
    for (token, colour) in [("ann", "teal"), ("ann.pink", "pink")] {
        ann.say(&format!(r#"{{"type":"auth","token":"{token}"}}"#));
        ann.find("authenticated");
        ann.say(r#"{"type":"message","content":1,"id":1}"#);
        ann.find("ack");
        log.until_has(&format!("message ann {colour}"));
    }
    log.until_has("dropped teal");
    // Somebody else's login ends the connection, which keeps what it had.
    ann.say(r#"{"type":"auth","token":"bob.grey"}"#);
    ann.closed(4001);
    log.until_has("disconnect ann pink");
    log.until_has("dropped grey");
}
