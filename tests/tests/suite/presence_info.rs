//! What members are told of users beside their names (`Admission::presence`, `Hub::set_presence`).

use serde_json::json;

use super::guest::{Guest, hasty};
use super::server::{Server, until};
use crate::rt::{Admission, Application, Config, Denied, PresenceInfo, Request};

/// The token `ann.teal` is ann's, whose colour is teal then.
struct Colours;

impl Application for Colours {
    async fn admit(&self, request: &Request) -> Result<Admission, Denied> {
        let token = request.token().ok_or(Denied::Unauthorized)?.reveal();
        let (name, colour) = token.split_once('.').unwrap_or((token, "none"));
        let info = PresenceInfo::encode(&json!({ "colour": colour }))?;
        Ok(Admission::user(name).presence(info))
    }
}

#[test]
fn members_are_told_who_a_newcomer_is_and_of_later_changes() {
    let server = Server::start(Config::default(), Colours);
    let mut bob = server.client("/ws/blue?token=bob.pink");
    assert_eq!(
        bob.find("presence")["info"],
        json!({"bob": {"colour": "pink"}})
    );
    let mut ann = server.client("/ws/blue?token=ann.teal");
    let both = json!({"ann": {"colour": "teal"}, "bob": {"colour": "pink"}});
    assert_eq!(ann.find("presence")["info"], both);
    assert_eq!(bob.find("presence")["info"], both);
    let id = server.hub.connections_of("ann")[0];
    let info = PresenceInfo::encode("away").expect("JSON");
    server
        .hub
        .set_presence(id, Some(info))
        .expect("it is there");
    let change = bob.find("presence");
    assert_eq!(
        (&change["info"], &change["count"]),
        (&json!({"ann": "away"}), &json!(2))
    );
    assert_eq!(change.get("users"), None);
    assert!(server.hub.set_user_presence("ann", None));
    assert_eq!(bob.find("presence")["info"], json!({"ann": null}));
    assert_eq!(server.hub.presence_info("ann").map(|_| ()), None);
    // A later login says anew who the user is.
    ann.say(r#"{"type":"auth","token":"ann.grey"}"#);
    assert_eq!(
        bob.find("presence")["info"],
        json!({"ann": {"colour": "grey"}})
    );
}

#[test]
fn the_rust_client_knows_what_is_told() {
    let server = Server::start(Config::default(), Colours);
    let guest =
        |token: &str| Guest::at(server.address, &format!("/ws/blue?token={token}"), hasty());
    let (ann, bob) = (guest("ann.teal"), guest("bob.pink"));
    let colours = |guest: &Guest| guest.client.presence("blue").map(|it| it.info);
    for guest in [&ann, &bob] {
        let knows = |colour: &'static str| {
            move || {
                colours(guest)
                    .is_some_and(|info| info.get("ann") == Some(&json!({ "colour": colour })))
            }
        };
        until("ann is teal", knows("teal"), || colours(guest));
    }
    server
        .hub
        .set_user_presence("ann", PresenceInfo::encode(&7).ok());
    until(
        "ann is 7",
        || colours(&bob).is_some_and(|info| info["ann"] == 7),
        || colours(&bob),
    );
}
