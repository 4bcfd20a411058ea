//! Hooks that act on their own connection.

use std::sync::Arc;
use std::time::Duration;

use super::app::{Log, identify};
use super::catalogue::covers;
use super::server::Server;
use crate::rt::{
    Application, CloseReason, Config, Connection, Denied, Exclude, Frame, Identity, Message,
    Request, Wire,
};

covers! {
    a_hook_may_call_anything_of_the_hub:
        "R4", "leave, join and send in the disconnect hook, and leave twice" => "nothing comes back";
        "R14", "broadcast, leave, close, kick, ping of oneself in a hook" => "done, without a deadlock";
}

/// Acts on its own connection in its hooks, as the text says.
struct Reentrant {
    log: Log,
}

impl Application for Reentrant {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Ok(Identity::Anonymous))
    }

    async fn on_connect(&self, client: &Connection) {
        let hub = client.hub();
        hub.join(client.id(), "entered").expect("joined");
        let _ = hub.broadcast_raw("entered", Frame::text("hello"), Exclude::NOBODY);
    }

    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        let Message::Text(text) = message else {
            return Err(Denied::Unauthorized);
        };
        let (hub, id) = (client.hub(), client.id());
        match &*text {
            "broadcast" => {
                let all = Exclude::NOBODY;
                let _ = hub.broadcast_all(Frame::text("to all"), all);
            }
            "leave" => self.log.add(format!("left {:?}", hub.leave(id, "entered"))),
            "close" => hub
                .close(id, CloseReason::application(4400).unwrap())
                .expect("closed"),
            "kick" => self.log.add(format!(
                "kicked {}",
                hub.disconnect_user(client.user(), CloseReason::Kicked)
            )),
            "ping" => {
                let results = hub
                    .ping_user(client.user(), Duration::from_millis(80))
                    .await;
                self.log.add(format!("{} pinged", results.len()));
            }
            "forbidden" => return Err(Denied::Forbidden),
            _ => {}
        }
        self.log.add(format!("done {text}"));
        Ok(())
    }

    async fn on_disconnect(&self, client: &Connection, rooms: &[Arc<str>], reason: CloseReason) {
        let hub = client.hub();
        assert_eq!(hub.rooms_of(client.id()).unwrap_or_default().len(), 0);
        assert!(!hub.leave(client.id(), "entered").unwrap_or_default());
        assert!(hub.join(client.id(), "again").is_err());
        assert!(client.send_text("late").is_err());
        self.log
            .add(format!("disconnect {} {reason}", rooms.join(",")));
    }
}

#[test]
fn a_hook_may_call_anything_of_the_hub() {
    let log = Log::default();
    let config = Config {
        wire: Wire::Raw,
        ..Config::default()
    };
    let server = Server::start(config, Reentrant { log: log.clone() });
    let mut ann = server.client("/ws/blue?token=s3cr3t-ann");
    assert_eq!(ann.text(), "hello");
    ann.say("broadcast");
    assert_eq!(ann.text(), "to all");
    ann.say("leave");
    log.until_has("left Ok(true)");
    ann.say("close");
    assert_eq!(ann.closed(4400), "application");
    log.until_has("disconnect blue application");
    let mut ben = server.client("/ws?token=s3cr3t-ben");
    ben.say("kick");
    assert_eq!(ben.closed(4004), "kicked");
    log.until_has("kicked 1");
    log.until_has("disconnect entered kicked");
    let mut cat = server.client("/ws?token=s3cr3t-cat");
    cat.say("ping");
    log.until_has("1 pinged");
    cat.say("forbidden");
    assert_eq!(cat.closed(4003), "forbidden");
    let dan = server.client("/ws?token=s3cr3t-dan");
    assert_eq!(server.hub.disconnect_user("dan", CloseReason::Kicked), 1);
    dan.closed(4004);
    server.until_empty();
}
