//! Refusals, how they are sent, and their precedence (`docs/behaviour.md`, section 1).

use std::net::{IpAddr, Ipv4Addr};

use switchboard_core::{
    BadRequest, Event, Notice, Origins, Refusal, Refused, RequestOutcome, UserPolicy,
};

use crate::world::{Client, World, millis, secs};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn count(world: &World, reason: &str) -> u64 {
    world.stats().refused.get(reason).copied().unwrap_or(0)
}

/// One row of the table of refusals.
struct Row {
    refused: Refused,
    status: u16,
    code: u16,
    reason: &'static str,
}

const TABLE: [Row; 8] = [
    row(Refused::ServerFull, 503, 4002, "server_full"),
    row(Refused::LobbyFull, 503, 4002, "lobby_full"),
    row(Refused::IpLimit, 429, 4100, "ip_limit"),
    row(Refused::Unauthorized, 401, 4001, "unauthorized"),
    row(Refused::Forbidden, 403, 4003, "forbidden"),
    row(Refused::AlreadyConnected, 409, 4005, "already_connected"),
    row(Refused::Restart, 503, 1012, "restart"),
    row(Refused::Internal, 500, 1011, "internal"),
];

const fn row(refused: Refused, status: u16, code: u16, reason: &'static str) -> Row {
    Row {
        refused,
        status,
        code,
        reason,
    }
}

/// A connection attempt that is refused for this reason only.
fn refused_for(refused: Refused, refusal: Refusal) -> (World, Client) {
    let mut world = World::with(|config| {
        config.refusal = refusal;
        match refused {
            Refused::ServerFull => config.limits.connections = 1,
            Refused::LobbyFull => config.limits.room_members = 1,
            Refused::IpLimit => config.limits.per_ip = 1,
            Refused::AlreadyConnected => config.users = UserPolicy::Reject,
            _ => {}
        }
    });
    world.tries_from(HOME, "ann", "lobby");
    world.forget();
    let client = match refused {
        Refused::Unauthorized => world.tries("wrong", "lobby"),
        Refused::Forbidden => world.tries("forbidden", "lobby"),
        Refused::Internal => world.tries("broken", "lobby"),
        Refused::AlreadyConnected => world.tries("ann", "lobby"),
        Refused::IpLimit => world.tries_from(HOME, "bob", "lobby"),
        Refused::Restart => {
            world.board.drain(world.now, secs(10), secs(15));
            world.tries("bob", "lobby")
        }
        _ => world.tries("bob", "lobby"),
    };
    (world, client)
}

#[test]
fn each_refusal_is_told_by_a_close_frame_after_the_upgrade() {
    for row in TABLE {
        let (world, client) = refused_for(row.refused, Refusal::Close);
        let told = (101, Some((row.code, row.reason.to_owned())));
        assert_eq!(world.told(client), told, "{}", row.reason);
        assert_eq!(world.peer(client).frames.len(), 1, "{}", row.reason);
    }
}

#[test]
fn each_refusal_is_told_by_http_where_that_is_wanted() {
    for row in TABLE {
        let (world, client) = refused_for(row.refused, Refusal::Http);
        assert_eq!(world.told(client), (row.status, None), "{}", row.reason);
        let head = &world.peer(client).head;
        assert!(head.contains("Connection: close"), "{head}");
        assert_eq!(
            head.contains("Retry-After"),
            matches!(row.status, 429 | 503),
            "{head}"
        );
    }
}

#[test]
fn code_status_reason_notice_and_counter_of_a_refusal_come_from_one_variant() {
    for row in TABLE {
        let (world, client) = refused_for(row.refused, Refusal::Close);
        assert_eq!(row.refused.status(), row.status);
        let close = row
            .refused
            .close()
            .map(|close| (close.code(), close.as_str()));
        assert_eq!(close, Some((Some(row.code), row.reason)));
        assert_eq!(count(&world, row.reason), 1);
        let id = world.id(client);
        let refused = row.refused;
        assert!(world.notices.contains(&Notice::Refused { id, refused }));
        assert!(
            !world
                .notices
                .iter()
                .any(|notice| matches!(notice, Notice::Opened { .. }))
        );
    }
}

#[test]
fn an_answer_by_http_has_a_date_where_there_is_a_clock() {
    let mut world = World::with(|config| config.refusal = Refusal::Http);
    let client = world.tries("wrong", "lobby");
    assert!(
        !world.peer(client).head.contains("Date:"),
        "no date was passed"
    );
    world.board.set_wall_clock(world.now, 784_111_777);
    let refused = world.tries("wrong", "lobby");
    let head = &world.peer(refused).head;
    assert!(
        head.contains("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
        "{head}"
    );
    let silent = world.arrives(HOME).expect("a seat");
    world.advance(secs(10));
    assert_eq!(world.peer(silent).status, Some(408));
    let head = &world.peer(silent).head;
    assert!(
        head.contains("Date: Sun, 06 Nov 1994 08:49:47 GMT\r\n"),
        "{head}"
    );
}

#[test]
fn malformed_requests_are_told_by_http() {
    for (bad, status) in [
        (BadRequest::Syntax("a rule"), 400),
        (BadRequest::Method, 405),
        (BadRequest::TargetTooLong, 414),
        (BadRequest::NotAnUpgrade, 426),
        (BadRequest::Version, 426),
        (BadRequest::HeadTooLarge, 431),
        (BadRequest::HttpVersion, 505),
    ] {
        let mut world = World::new();
        let client = world.arrives(HOME).unwrap();
        world
            .board
            .malformed(world.now, world.id(client), bad)
            .unwrap();
        world.flush();
        assert_eq!(world.told(client), (status, None));
        assert_eq!(count(&world, "malformed"), 1);
        assert!(world.is_gone(client));
    }
}

#[test]
fn a_refusal_of_a_head_has_no_body() {
    let mut world = World::new();
    let client = world.arrives(HOME).unwrap();
    let id = world.id(client);
    world.board.omit_body(id).unwrap();
    let refused = world.board.malformed(world.now, id, BadRequest::Method);
    refused.unwrap();
    world.flush();
    assert_eq!(world.told(client), (405, None));
    let head = &world.peer(client).head;
    assert!(head.contains("Content-Length: 34\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn a_foreign_origin_is_told_403_by_http_even_where_refusals_are_closes() {
    let mut world = World::new();
    let foreign = "Origin: https://evil.example\r\n";
    let (client, answer) = world.asks(HOME, "/ws/lobby", foreign);
    assert_eq!(answer, RequestOutcome::Refused);
    assert_eq!(world.told(client), (403, None));
    assert_eq!(count(&world, "origin"), 1);
}

#[test]
fn the_same_origin_none_and_one_of_a_list_are_let_in() {
    for (origins, header, allowed) in [
        (Origins::Same, "", true),
        (Origins::Same, "Origin: http://chat.example\r\n", true),
        (Origins::Same, "Origin: http://chat.example:81\r\n", false),
        (Origins::Same, "Origin: null\r\n", false),
        (Origins::Any, "Origin: https://evil.example\r\n", true),
        (
            Origins::List(vec!["https://a.example".into()]),
            "Origin: https://a.example\r\n",
            true,
        ),
        (
            Origins::List(vec!["https://a.example".into()]),
            "Origin: http://a.example\r\n",
            false,
        ),
    ] {
        let mut world = World::with(|config| config.origins = origins);
        let (_, answer) = world.asks(HOME, "/ws", header);
        assert_eq!(answer == RequestOutcome::Authenticate, allowed, "{header}");
    }
}

#[test]
fn too_many_lingering_refusals_are_not_even_told() {
    let mut world = World::with(|config| config.limits.handshakes = 2);
    for _ in 0..4 {
        world.arrives_to_stay();
    }
    assert_eq!(world.arrives(HOME), Err(Refused::RefusalsFull));
    assert_eq!(count(&world, "refusals_full"), 1);
    world.advance(secs(11));
    assert_eq!(world.stats().pending_handshakes, 0);
    assert!(world.arrives(HOME).is_ok());
}

#[test]
fn while_many_refusals_linger_the_next_is_told_by_http_at_once() {
    let mut world = World::with(|config| config.limits.handshakes = 4);
    for _ in 0..2 {
        let (client, _) = world.asks(world.new_address(), "/ws", "");
        world.keeps_its_side_open(client);
        world.authenticate(client, Err(Refused::Unauthorized));
        assert_eq!(world.told(client).0, 101);
    }
    let third = world.tries("wrong", "");
    assert_eq!(world.told(third), (503, None));
    // It is counted under the reason that was sent.
    assert_eq!(count(&world, "refusals_full"), 1);
    assert_eq!(count(&world, "unauthorized"), 2);
    let (id, refused) = (world.id(third), Refused::RefusalsFull);
    assert!(world.notices.contains(&Notice::Refused { id, refused }));
}

#[test]
fn the_reasons_to_refuse_have_an_order() {
    // This newcomer fails every check; each reported fault is then fixed.
    let mut world = World::with(|config| {
        config.limits.connections = 1;
        config.limits.room_members = 1;
        config.limits.per_ip = 1;
        config.users = UserPolicy::Reject;
    });
    world.tries_from(HOME, "ann", "lobby");
    let foreign = "Origin: https://evil.example\r\n";
    let (client, _) = world.asks(HOME, "/ws/lobby", foreign);
    assert_eq!(world.told(client).0, 403, "the origin before the address");
    let client = world.tries_from(HOME, "wrong", "lobby");
    assert_eq!(
        world.close(client).unwrap().0,
        4100,
        "the address before authentication"
    );
    let client = world.tries("wrong", "lobby");
    assert_eq!(
        world.close(client).unwrap().0,
        4001,
        "authentication before user policy"
    );
    let client = world.tries("ann", "lobby");
    assert_eq!(
        world.close(client).unwrap().0,
        4005,
        "user policy before the seats"
    );
    let client = world.tries("bob", "lobby");
    assert_eq!(
        world.close(client).unwrap().1,
        "server_full",
        "the server before the lobby"
    );
    world.board.drain(world.now, secs(10), secs(10));
    let (client, _) = world.asks(HOME, "/ws/lobby", foreign);
    assert_eq!(
        world.close(client).unwrap().0,
        1012,
        "draining before the origin"
    );
}

#[test]
fn a_slow_or_panicking_authentication_is_internal() {
    for panics in [true, false] {
        let mut world = World::new();
        let (client, _) = world.asks(HOME, "/ws", "");
        if panics {
            world.happens(client, Event::HookFailed);
        } else {
            world.advance(millis(9_999));
            assert_eq!(world.peer(client).status, None);
            world.advance(millis(1));
        }
        assert_eq!(world.told(client), (101, Some((1011, "internal".into()))));
    }
}

#[test]
fn a_refused_connection_holds_its_handshake_seat_and_its_ip_seat_for_1_s_at_most() {
    let mut world = World::with(|config| config.limits.per_ip = 1);
    let (client, _) = world.asks(HOME, "/ws", "");
    world.keeps_its_side_open(client);
    world.authenticate(client, Err(Refused::Unauthorized));
    assert_eq!(world.stats().pending_handshakes, 1);
    let early = world.tries_from(HOME, "ann", "");
    assert_eq!(world.close(early), Some((4100, "ip_limit".into())));
    world.advance(millis(999));
    assert!(!world.is_gone(client));
    world.advance(millis(1));
    assert!(world.is_gone(client));
    assert_eq!(world.stats().pending_handshakes, 0);
    let late = world.tries_from(HOME, "ann", "");
    assert!(world.is_open(late));
}

#[test]
fn the_input_of_a_refused_connection_is_discarded() {
    let mut world = World::new();
    let (client, _) = world.asks(HOME, "/ws/lobby", "");
    world.keeps_its_side_open(client);
    world.authenticate(client, Err(Refused::Forbidden));
    assert!(
        world
            .asks_to(client, r#"{"type":"auth","token":"ann"}"#)
            .is_none()
    );
    world.happens(client, Event::Ping(b"hello"));
    assert_eq!(world.peer(client).frames.len(), 1);
    assert_eq!(world.board.user_of(world.id(client)), None);
}

#[test]
fn can_accept_says_what_a_newcomer_would_be_told() {
    let mut world = World::with(|config| {
        config.limits.connections = 2;
        config.limits.room_members = 1;
    });
    assert_eq!(world.board.can_accept(Some("lobby")), Ok(()));
    world.connect("ann", "lobby");
    assert_eq!(
        world.board.can_accept(Some("lobby")),
        Err(Refused::LobbyFull)
    );
    assert_eq!(world.board.can_accept(Some("another")), Ok(()));
    assert_eq!(world.board.can_accept(None), Ok(()));
    world.connect("bob", "another");
    assert_eq!(world.board.can_accept(None), Err(Refused::ServerFull));
    world.board.drain(world.now, secs(1), secs(1));
    assert_eq!(world.board.can_accept(None), Err(Refused::Restart));
}
