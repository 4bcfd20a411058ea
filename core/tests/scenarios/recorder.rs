//! The flight recorder (`docs/operations.md`): each test lets a connection end, replays what was recorded, and
//! checks what the replay says of the end.

use serde_json::json;
use switchboard_core::recorder::{Ended, Recording};
use switchboard_core::{
    ApplicationCode, CloseFrame, CloseReason, Config, Event, Exclude, Frame, ProtocolError, Rate,
    Replay, SlowPolicy, UserPolicy,
};

use crate::world::{Client, World, millis, secs};

/// The largest memory of a recorder in these tests, in which everything fits.
const MEMORY: usize = 16 << 20;

pub(crate) fn recorded(change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.recorder.bytes = MEMORY;
        change(config);
    })
}

/// Replays all that was recorded, which must do the same again; returns the ends of connections.
fn ends(world: &mut World) -> Vec<Ended> {
    let dump = world.board.dump(world.now).expect("a recorder");
    let recording = Recording::read(&dump.to_string()).expect("a recording");
    let replayed = Replay::run(&recording).expect("a legal configuration");
    assert_eq!(replayed.unlike, None);
    assert_eq!(replayed.audit, Ok(()));
    assert!(recording.ends().eq(&replayed.ends), "{:?}", replayed.ends);
    replayed.ends
}

/// Returns why a connection ended: the reason, the rule, what was measured, and the limit.
fn why(world: &mut World, client: Client) -> (String, String, Option<u64>, Option<u64>) {
    let id = world.id(client);
    let ends = ends(world);
    let mut of_it = ends.into_iter().filter(|ended| ended.conn == id);
    let ended = of_it.next().expect("it has ended");
    assert_eq!(of_it.next(), None, "it ends once");
    let why = ended.why;
    (ended.reason, why.rule.into_owned(), why.value, why.limit)
}

/// Returns what is said of an end beside that.
fn detail(world: &mut World, client: Client) -> String {
    let id = world.id(client);
    let ended = ends(world).into_iter().find(|ended| ended.conn == id);
    let detail = ended.expect("it has ended").why.detail;
    detail.map(Into::into).unwrap_or_default()
}

fn told(reason: &str, rule: &str) -> (String, String, Option<u64>, Option<u64>) {
    (reason.into(), rule.into(), None, None)
}

fn measured(
    reason: &str,
    rule: &str,
    value: u64,
    limit: u64,
) -> (String, String, Option<u64>, Option<u64>) {
    (reason.into(), rule.into(), Some(value), Some(limit))
}

#[test]
fn too_many_messages_are_explained_by_the_strikes() {
    let mut world = recorded(|config| {
        config.rates.messages = Some(Rate {
            per_second: 1,
            burst: 2,
        });
        config.rates.strikes = 3;
    });
    let ann = world.connect("ann", "lobby");
    for _ in 0..6 {
        world.says(ann, json!({"type": "ping"}));
    }
    assert_eq!(
        why(&mut world, ann),
        measured("rate_limited", "rates.strikes", 3, 3)
    );
    assert!(detail(&mut world, ann).contains("too many messages"));
}

#[test]
fn a_slow_member_is_explained_by_its_lag_in_the_room() {
    let mut world = recorded(|config| config.limits.queue_messages = 4);
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.stops_reading_after(ann, 0);
    for _ in 0..6 {
        world.broadcast("lobby", "0", Exclude::NOBODY);
    }
    let expected = measured("slow_consumer", "limits.queue_messages", 5, 4);
    assert_eq!(why(&mut world, ann), expected);
    assert_eq!(detail(&mut world, ann), "behind in the room lobby");
}

#[test]
fn a_slow_connection_is_explained_by_its_own_frames() {
    let mut world = recorded(|config| config.limits.queue_bytes = 10_000);
    let ann = world.connect("ann", "");
    world.stops_reading_after(ann, 0);
    let id = world.id(ann);
    for _ in 0..3 {
        let _ = world
            .board
            .send(world.now, id, Frame::text(&"x".repeat(4_000)));
        world.flush();
    }
    let (reason, rule, value, limit) = why(&mut world, ann);
    assert_eq!((&*reason, &*rule), ("slow_consumer", "limits.queue_bytes"));
    assert_eq!((value, limit), (Some(3 * 4_004), Some(10_000)));
}

#[test]
fn the_bound_of_the_node_is_explained_by_what_is_held() {
    let mut world = recorded(|config| {
        config.limits.queue_bytes = 8_000;
        config.limits.queued_bytes = 10_000;
    });
    let ann = world.connect("ann", "first");
    let _ = world.board.join(world.now, world.id(ann), "second");
    world.advance(millis(300));
    world.stops_reading_after(ann, 0);
    for room in ["first", "second", "first", "second"] {
        world.broadcast(room, &format!("\"{}\"", "x".repeat(3_000)), Exclude::NOBODY);
    }
    let (reason, rule, value, limit) = why(&mut world, ann);
    assert_eq!((&*reason, &*rule), ("slow_consumer", "limits.queued_bytes"));
    assert_eq!(limit, Some(10_000));
    assert!(value > limit && value < Some(13_000), "{value:?}");
    assert!(detail(&mut world, ann).contains("takes no bytes"));
}

#[test]
fn a_stalled_write_is_explained_by_its_time() {
    let mut world = recorded(|config| config.slow = SlowPolicy::DropOldest);
    let ann = world.connect("ann", "lobby");
    world.advance(millis(300));
    world.stops_reading_after(ann, 0);
    world.broadcast("lobby", "0", Exclude::NOBODY);
    world.advance(secs(31));
    let expected = measured("slow_consumer", "timeouts.write_stall", 30_000, 30_000);
    assert_eq!(why(&mut world, ann), expected);
}

#[test]
fn a_silent_client_is_explained_by_the_ping_timeout() {
    let mut world = recorded(|_| {});
    let ann = world.connect("ann", "lobby");
    world.falls_silent(ann);
    world.advance(secs(61));
    let expected = measured("heartbeat_timeout", "health.ping_timeout", 10_000, 10_000);
    assert_eq!(why(&mut world, ann), expected);
    assert!(detail(&mut world, ann).starts_with("nothing arrived for "));
}

#[test]
fn a_full_node_and_a_full_lobby_are_explained_by_their_seats() {
    let mut world = recorded(|config| {
        config.limits.connections = 3;
        config.limits.room_members = 2;
    });
    world.connect("ann", "lobby");
    world.connect("bob", "lobby");
    let lobby = world.tries("cyd", "lobby");
    world.connect("dan", "");
    let node = world.tries("eve", "");
    assert_eq!(
        why(&mut world, lobby),
        measured("lobby_full", "limits.room_members", 2, 2)
    );
    assert_eq!(
        why(&mut world, node),
        measured("server_full", "limits.connections", 3, 3)
    );
}

#[test]
fn a_full_address_is_explained_by_its_seats_or_its_rate() {
    let mut world = recorded(|config| config.limits.per_ip = 1);
    let ip = world.new_address();
    world.tries_from(ip, "ann", "");
    let second = world.tries_from(ip, "bob", "");
    assert_eq!(
        why(&mut world, second),
        measured("ip_limit", "limits.per_ip", 1, 1)
    );

    let mut world = recorded(|config| {
        config.rates.connects = Some(Rate {
            per_second: 1,
            burst: 2,
        });
    });
    let ip = world.new_address();
    let last = ["ann", "bob", "cyd"].map(|user| world.tries_from(ip, user, ""))[2];
    let limited = measured("ip_limit", "rates.connects", 3, 2);
    assert_eq!(why(&mut world, last), limited);
}

#[test]
fn input_over_a_limit_is_explained_by_that_limit() {
    let mut world = recorded(|config| config.limits.unfinished_bytes = 100_000);
    let [ann, bob, cyd, dan] = ["ann", "bob", "cyd", "dan"].map(|user| world.connect(user, ""));
    world.happens(ann, Event::Violation(ProtocolError::TooBig));
    world.happens(bob, Event::Violation(ProtocolError::TooManyFragments));
    let partial = |bytes| Event::Partial {
        in_message: true,
        bytes,
    };
    world.happens(cyd, partial(60_000));
    world.happens(dan, partial(50_000));
    let limit = |reason: &str, rule: &str, limit| (reason.into(), rule.into(), None, Some(limit));
    assert_eq!(
        why(&mut world, ann),
        limit("too_big", "limits.message_bytes", 65_536)
    );
    assert_eq!(
        why(&mut world, bob),
        measured("policy", "limits.fragments", 1_025, 1_024)
    );
    let expected = measured("policy", "limits.unfinished_bytes", 110_000, 100_000);
    assert_eq!(why(&mut world, cyd), expected);
    world.advance(secs(31));
    let expected = measured("policy", "timeouts.message", 30_000, 30_000);
    assert_eq!(why(&mut world, dan), expected);
}

#[test]
fn a_login_that_fails_is_explained_by_who_refused_it_or_what_was_too_late() {
    let mut world = recorded(|_| {});
    let wrong = world.tries("wrong", "lobby");
    let late = world.connect_to_log_in("lobby");
    let long = world.connect_to_log_in("lobby");
    world.says(long, "x".repeat(5_000).as_str());
    let expires = world.connect("ann:20", "lobby");
    world.advance(secs(21));
    assert_eq!(why(&mut world, wrong), told("unauthorized", "application"));
    assert_eq!(
        why(&mut world, late),
        measured("auth_timeout", "timeouts.auth", 5_000, 5_000)
    );
    assert_eq!(
        why(&mut world, long),
        measured("policy", "first message", 5_000, 4_096)
    );
    let (reason, rule, value, limit) = why(&mut world, expires);
    assert_eq!((&*reason, &*rule), ("token_expired", "expires_in"));
    assert_eq!((value, limit), (Some(1_020_000), Some(1_020_000)));
}

#[test]
fn a_violation_is_explained_by_the_rule_of_the_protocol() {
    let mut world = recorded(|_| {});
    let ann = world.connect("ann", "lobby");
    world.happens(ann, Event::Violation(ProtocolError::UnmaskedFrame));
    assert_eq!(why(&mut world, ann), told("protocol_error", "protocol"));
    assert_eq!(detail(&mut world, ann), "a client's frames must be masked");
    let bob = world.connect("bob", "lobby");
    world.sends_binary(bob, 3);
    assert_eq!(why(&mut world, bob), told("unsupported_data", "wire"));
}

#[test]
fn a_drain_is_explained_by_its_window_or_its_deadline() {
    let mut world = recorded(|_| {});
    let ann = world.connect("ann", "lobby");
    world.board.drain(world.now, secs(10), secs(15));
    world.flush();
    let late = world.tries("bob", "");
    world.advance(secs(20));
    assert_eq!(
        why(&mut world, ann),
        measured("draining", "drain window", 10_000, 10_000)
    );
    assert_eq!(why(&mut world, late), told("restart", "drain"));
}

#[test]
fn a_second_connection_of_a_user_is_explained_by_the_policy() {
    let mut world = recorded(|_| {});
    let first = world.connect("ann", "");
    let second = world.connect("ann", "");
    assert_eq!(why(&mut world, first), measured("replaced", "users", 2, 1));
    let newcomer = world.id(second);
    assert_eq!(detail(&mut world, first), format!("by {newcomer}"));

    let mut world = recorded(|config| config.users = UserPolicy::Allow(2));
    let first = [(); 3].map(|()| world.connect("ann", ""))[0];
    assert_eq!(why(&mut world, first), measured("replaced", "users", 3, 2));

    let mut world = recorded(|config| config.users = UserPolicy::Reject);
    world.connect("ann", "");
    let second = world.tries("ann", "");
    assert_eq!(
        why(&mut world, second),
        measured("already_connected", "users", 1, 1)
    );

    let mut world = recorded(|config| config.users = UserPolicy::Allow(2));
    let first = world.comes("ann", "/ws?session=tab");
    world.comes("ann", "/ws?session=tab");
    assert_eq!(why(&mut world, first), told("replaced", "session"));
}

#[test]
fn what_the_application_ends_is_explained_by_the_application() {
    let mut world = recorded(|_| {});
    let kicked = world.connect("ann", "lobby");
    world
        .board
        .disconnect_user(world.now, "ann", CloseReason::Kicked);
    world.flush();
    let banned = world.connect("bob", "lobby");
    let code = ApplicationCode::new(4510).expect("a code");
    let _ = world
        .board
        .close_with(world.now, world.id(banned), code, "until Monday");
    world.flush();
    let failed = world.connect("cyd", "lobby");
    world.happens(failed, Event::HookFailed);
    let slow = world.connect("dan", "lobby");
    world.happens(slow, Event::HookStarted);
    world.advance(secs(11));
    assert_eq!(why(&mut world, kicked), told("kicked", "application"));
    assert_eq!(why(&mut world, banned), told("application", "application"));
    assert_eq!(detail(&mut world, banned), "until Monday");
    assert_eq!(why(&mut world, failed), told("internal", "application"));
    assert_eq!(detail(&mut world, failed), "a hook panicked");
    assert_eq!(
        why(&mut world, slow),
        measured("internal", "timeouts.hook", 10_000, 10_000)
    );
}

#[test]
fn what_the_client_ends_is_explained_by_the_client() {
    let mut world = recorded(|_| {});
    let [ann, bob, cyd] = ["ann", "bob", "cyd"].map(|user| world.connect(user, "lobby"));
    let close = CloseFrame {
        code: 3000,
        reason: "bye",
    };
    world.happens(ann, Event::Close(Some(close)));
    world.happens(bob, Event::Eof);
    world.happens(cyd, Event::Reset);
    let late = world.arrives(world.new_address()).expect("a seat");
    world.advance(secs(11));
    let (reason, rule, value, limit) = why(&mut world, ann);
    assert_eq!((&*reason, &*rule), ("client_closed", "client"));
    assert_eq!((value, limit), (Some(3000), None));
    assert_eq!(why(&mut world, bob), told("eof", "client"));
    assert_eq!(why(&mut world, cyd), told("reset", "stream"));
    let expected = measured("handshake_timeout", "timeouts.handshake", 10_000, 10_000);
    assert_eq!(why(&mut world, late), expected);
}
