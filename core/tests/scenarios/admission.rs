//! Admission and seats (`docs/behaviour.md`, section 1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use switchboard_core::{
    BadName, BadRequest, CloseReason, Event, Identity, Notice, Rate, Request, RequestOutcome,
    UserPolicy, Wire,
};
use switchboard_kit::Received;

use crate::world::{Client, World, millis, secs};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn count(world: &World, reason: &str) -> u64 {
    world.stats().refused.get(reason).copied().unwrap_or(0)
}

#[test]
fn a_limit_of_n_admits_exactly_n_of_n_plus_1_connections() {
    let mut world = World::with(|config| config.limits.connections = 5);
    let tries: Vec<_> = (0..6)
        .map(|_| world.asks(world.new_address(), "/ws", "").0)
        .collect();
    // All are being authenticated at once, and the answers arrive in reverse order.
    for (n, &client) in tries.iter().enumerate().rev() {
        let name = format!("u{n}");
        let expires_in = None;
        world.authenticate(client, Ok(Identity::User { name, expires_in }));
    }
    let open = tries
        .iter()
        .filter(|&&client| world.is_open(client))
        .count();
    assert_eq!((open, world.stats().total_connections), (5, 5));
    assert_eq!(world.close(tries[0]), Some((4002, "server_full".into())));
}

#[test]
fn a_lobby_of_n_admits_exactly_n_of_n_plus_1_connections() {
    let mut world = World::with(|config| config.limits.room_members = 3);
    for n in 0..3 {
        world.connect(&format!("u{n}"), "lobby");
    }
    let late = world.tries("late", "lobby");
    assert_eq!(world.close(late), Some((4002, "lobby_full".into())));
    world.connect("late", "another");
    assert_eq!(world.board.members("lobby").len(), 3);
}

#[test]
fn an_address_limit_of_n_admits_exactly_n_of_n_plus_1_connections() {
    let mut world = World::with(|config| config.limits.per_ip = 2);
    let first = world.tries_from(HOME, "ann", "");
    world.tries_from(HOME, "bob", "");
    let third = world.tries_from(HOME, "cem", "");
    assert_eq!(world.close(third), Some((4100, "ip_limit".into())));
    world.happens(first, Event::Eof);
    let fourth = world.tries_from(HOME, "cem", "");
    assert!(world.is_open(fourth));
}

#[test]
fn addresses_of_one_ipv6_64_are_one_and_a_mapped_ipv4_address_is_ipv4() {
    let mut world = World::with(|config| config.limits.per_ip = 1);
    let v6 = |text: &str| IpAddr::V6(text.parse::<Ipv6Addr>().unwrap());
    world.tries_from(v6("2001:db8::1"), "ann", "");
    let neighbour = world.tries_from(v6("2001:db8::ffff"), "bob", "");
    let stranger = world.tries_from(v6("2001:db8:0:1::1"), "cem", "");
    assert_eq!(
        (world.is_open(neighbour), world.is_open(stranger)),
        (false, true)
    );
    world.tries_from(HOME, "dan", "");
    let mapped = world.tries_from(v6("::ffff:192.0.2.1"), "eve", "");
    assert!(!world.is_open(mapped));
}

#[test]
fn n_plus_1_handshakes_at_a_limit_of_n_leave_one_told_503() {
    let mut world = World::with(|config| config.limits.handshakes = 4);
    let arrived: Vec<_> = (0..5)
        .map(|_| world.arrives(world.new_address()).unwrap())
        .collect();
    assert_eq!(world.told(arrived[4]), (503, None));
    assert_eq!(count(&world, "handshakes_full"), 1);
    assert!(
        arrived[..4]
            .iter()
            .all(|&client| world.peer(client).status.is_none())
    );
    // One leaves, so one may connect.
    world.happens(arrived[0], Event::Eof);
    world.connect("ann", "");
}

#[test]
fn connects_of_an_address_are_limited_by_rate() {
    let mut world = World::with(|config| {
        config.rates.connects = Some(Rate {
            per_second: 2,
            burst: 3,
        });
    });
    for _ in 0..3 {
        let client = world.tries_from(HOME, "ann", "");
        world.happens(client, Event::Eof);
    }
    let fourth = world.tries_from(HOME, "ann", "");
    assert_eq!(world.close(fourth), Some((4100, "ip_limit".into())));
    world.connect("bob", "");
    world.advance(millis(500));
    let fifth = world.tries_from(HOME, "ann", "");
    assert!(world.is_open(fifth));
}

#[test]
fn a_trusted_proxy_brings_as_many_handshakes_as_there_are_seats() {
    let mut world = World::with(|config| {
        config.limits.handshakes = 8;
        config.limits.per_ip = 2;
        config.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    });
    let arrived: Vec<_> = (0..8).map(|_| world.arrives(HOME).unwrap()).collect();
    for (n, client) in arrived.into_iter().enumerate() {
        let headers = format!("X-Forwarded-For: 198.51.100.{n}\r\n");
        let answer = world.asks_on(client, HOME, "/ws", &headers);
        assert_eq!(answer, RequestOutcome::Authenticate, "{n}");
    }
}

/// A way in which a connection ends.
type Exit = fn(&mut World, Client);

#[test]
fn every_exit_gives_the_seats_back() {
    let one_seat = || {
        World::with(|config| {
            config.limits.connections = 1;
            config.limits.room_members = 1;
            config.limits.per_ip = 1;
            config.limits.handshakes = 1;
        })
    };
    let exits: [(&str, Exit); 8] = [
        ("eof", |world, client| world.happens(client, Event::Eof)),
        ("reset", |world, client| world.happens(client, Event::Reset)),
        ("client's close", |world, client| {
            world.happens(client, Event::Close(None));
        }),
        ("panic", |world, client| {
            world.happens(client, Event::HookFailed);
        }),
        ("slow hook", |world, client| {
            world.happens(client, Event::HookStarted);
            world.advance(secs(10));
        }),
        ("kick", |world, client| {
            let id = world.id(client);
            world
                .board
                .close(world.now, id, CloseReason::Kicked)
                .unwrap();
        }),
        ("heartbeat", |world, client| {
            world.falls_silent(client);
            world.advance(secs(35));
        }),
        ("violation", |world, client| {
            world.happens(
                client,
                Event::Violation(switchboard_core::ProtocolError::InvalidUtf8),
            );
        }),
    ];
    for (name, exit) in exits {
        let mut world = one_seat();
        let client = world.tries_from(HOME, "ann", "lobby");
        assert!(world.is_open(client), "{name}");
        exit(&mut world, client);
        world.flush();
        assert!(!world.is_open(client), "{name}");
        let next = world.tries_from(HOME, "bob", "lobby");
        assert!(world.is_open(next), "{name}: {:?}", world.told(next));
    }
}

#[test]
fn exits_before_admission_give_the_seats_back_too() {
    let exits: [(&str, bool, Exit); 7] = [
        ("eof", true, |world, client| {
            world.happens(client, Event::Eof);
        }),
        ("reset", true, |world, client| {
            world.happens(client, Event::Reset);
        }),
        ("panic", true, |world, client| {
            world.happens(client, Event::HookFailed);
        }),
        ("slow hook", true, |world, _| world.advance(secs(10))),
        ("handshake timeout", false, |world, _| {
            world.advance(secs(10));
        }),
        ("eof in the request", false, |world, client| {
            world.happens(client, Event::Eof);
        }),
        ("reset in the request", false, |world, client| {
            world.happens(client, Event::Reset);
        }),
    ];
    for (name, asks, exit) in exits {
        let mut world = World::with(|config| {
            config.limits.per_ip = 1;
            config.limits.handshakes = 1;
        });
        let client = world.arrives(HOME).unwrap();
        if asks {
            world.asks_on(client, HOME, "/ws/lobby", "");
        }
        exit(&mut world, client);
        assert!(world.is_gone(client), "{name}");
        assert_eq!(world.stats().pending_handshakes, 0, "{name}");
        let next = world.tries_from(HOME, "bob", "lobby");
        assert!(world.is_open(next), "{name}");
        // A late verdict has no effect.
        world.authenticate(client, Ok(Identity::Anonymous));
        assert_eq!(world.stats().total_connections, 1, "{name}");
    }
}

#[test]
fn a_request_that_is_not_complete_in_10_s_is_told_408_and_counted() {
    let mut world = World::new();
    let client = world.arrives(HOME).unwrap();
    world.advance(millis(9_999));
    assert_eq!(world.peer(client).status, None);
    world.advance(millis(1));
    assert_eq!(world.told(client), (408, None));
    assert_eq!(world.stats().closes["handshake_timeout"], 1);
}

#[test]
fn behind_a_trusted_proxy_the_rightmost_untrusted_address_takes_the_seat() {
    let proxy: IpAddr = "10.9.9.9".parse().unwrap();
    let mut world = World::with(|config| {
        config.limits.per_ip = 1;
        config.trusted_proxies = vec!["10.9.0.0/16".parse().unwrap()];
    });
    let header = |list: &str| format!("X-Forwarded-For: {list}\r\n");
    let mut comes = |from: IpAddr, list: &str| {
        let (client, answer) = world.asks(from, "/ws", &header(list));
        if answer == RequestOutcome::Authenticate {
            world.authenticate(client, Ok(Identity::Anonymous));
        }
        world.is_open(client)
    };
    assert!(comes(proxy, "203.0.113.1"));
    assert!(
        comes(proxy, "203.0.113.2"),
        "another client behind the proxy"
    );
    assert!(
        !comes(proxy, "198.51.100.7, 203.0.113.1, 10.9.1.1"),
        "entries to the left are forged"
    );
    assert!(comes(HOME, "203.0.113.9"));
    assert!(
        !comes(HOME, "203.0.113.10"),
        "an untrusted peer is not believed"
    );
}

#[test]
fn a_page_takes_a_handshake_seat_only_and_is_answered_when_full_or_draining() {
    let mut world = World::with(|config| {
        config.limits.connections = 1;
        config.limits.per_ip = 1;
    });
    world.tries_from(HOME, "ann", "");
    world.board.drain(world.now, secs(10), secs(10));
    let client = world.arrives(HOME).unwrap();
    let mut handshake = switchboard_core::Handshake::new(
        switchboard_core::HandshakeConfig {
            endpoint: switchboard_core::Endpoint::default(),
            pages: true,
            json: true,
            compression: false,
            room_contexts: false,
            sse: None,
            name_bytes: 128,
            tokens: switchboard_core::Tokens::default(),
        }
        .into(),
    );
    let page: Request = handshake
        .receive(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap()
        .unwrap();
    let answer = world.board.request(world.now, world.id(client), &page);
    assert_eq!(answer, Ok(RequestOutcome::Page));
    let response = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok".to_vec();
    world
        .board
        .answer_page(world.now, world.id(client), response)
        .unwrap();
    world.flush();
    assert_eq!(world.peer(client).status, Some(200));
    assert!(world.is_gone(client));
    assert_eq!(world.stats().refused.len(), 0);
}

#[test]
fn without_authentication_each_connection_is_a_user_of_its_own() {
    let mut world = World::with(|config| config.users = UserPolicy::Reject);
    let (a, b) = (world.connect("", "lobby"), world.connect("", "lobby"));
    let name = |client| world.board.user_of(world.id(client)).unwrap();
    assert_eq!(*name(a), format!("anon-{}", world.id(a)));
    assert_ne!(name(a), name(b));
    assert_eq!(world.stats().users, 2);
}

#[test]
fn a_users_name_follows_the_rules_and_is_none_of_an_anonymous_connections() {
    for (name, bad) in [
        ("x".repeat(128), None),
        ("x".repeat(129), Some(BadName::TooLong(128))),
        (String::new(), Some(BadName::Empty)),
        ("a\nb".into(), Some(BadName::Control)),
        ("a\u{85}b".into(), Some(BadName::Control)),
        ("anon-".into(), Some(BadName::Reserved)),
        ("anon-1-0".into(), Some(BadName::Reserved)),
        ("anon".into(), None),
        ("Anon-1-0".into(), None),
    ] {
        let user = Identity::user(name.clone());
        let told = |world: &World| {
            let notices = world.notices.iter();
            let mut rules = notices.filter_map(|notice| match notice {
                Notice::BadUser { bad, .. } => Some(*bad),
                _ => None,
            });
            (rules.next(), rules.next())
        };
        let internal = bad.map(|_| (1011, "internal".to_owned()));
        // From the request, from the first message, and by a later `auth`.
        for first in [false, true] {
            let mut world = World::new();
            let client = if first {
                world.connect_to_log_in("lobby")
            } else {
                world.asks(HOME, "/ws/lobby", "").0
            };
            world.authenticate(client, Ok(user.clone()));
            assert_eq!(world.is_open(client), bad.is_none(), "{name:?}");
            assert_eq!(world.close(client), internal);
            assert_eq!(told(&world), (bad, None));
        }
        let mut world = World::new();
        let client = world.connect("", "lobby");
        world.authenticate(client, Ok(user));
        let another = (4001, "unauthorized".to_owned());
        assert_eq!(world.close(client), internal.or(Some(another)));
        assert_eq!(told(&world), (bad, None));
    }
}

#[test]
fn a_stream_that_the_application_upgraded_gets_no_http_answer() {
    let mut world = World::new();
    let mut upgraded = |user: &str| {
        let id = world.board.connect(world.now, HOME).unwrap();
        let client = world.add(id, true);
        let headers: [(&str, &str); 0] = [];
        let mut request = Request::upgraded("/ws", Some("lobby".into()), headers).unwrap();
        request.set_peer(HOME);
        let answer = world.board.upgraded(world.now, id, &request);
        assert_eq!(answer, Ok(RequestOutcome::Authenticate));
        world.authenticate(client, crate::world::verdict(user));
        (world.peer(client).frames.clone(), world.close(client))
    };
    let (frames, _) = upgraded("ann");
    assert!(matches!(&frames[0], Received::Text(text) if text.contains("welcome")));
    let (_, close) = upgraded("wrong");
    assert_eq!(close, Some((4001, "unauthorized".into())));
}

#[test]
fn in_raw_mode_verdicts_are_close_codes_and_there_is_no_first_message_authentication() {
    let mut world = World::with(|config| config.wire = Wire::Raw);
    let ann = world.connect("ann", "lobby");
    assert_eq!(world.frames(ann), []);
    let denied = world.tries("wrong", "lobby");
    assert_eq!(
        world.told(denied),
        (101, Some((4001, "unauthorized".into())))
    );
    let late = world.connect_to_log_in("lobby");
    assert_eq!(world.told(late), (101, Some((4001, "unauthorized".into()))));
}

#[test]
fn requests_out_of_turn_change_nothing() {
    let mut world = World::new();
    let ann = world.connect("ann", "lobby");
    let (asked, _) = world.asks(HOME, "/ws/lobby", "");
    let request = world.request("/ws/other", "", HOME);
    for client in [ann, asked] {
        let (now, id) = (world.now, world.id(client));
        assert_eq!(
            world.board.request(now, id, &request),
            Ok(RequestOutcome::Refused)
        );
        assert_eq!(
            world.board.upgraded(now, id, &request),
            Ok(RequestOutcome::Refused)
        );
        assert_eq!(world.board.answer_page(now, id, Vec::new()), Ok(()));
        world.flush();
    }
    world
        .board
        .malformed(world.now, world.id(ann), BadRequest::Method)
        .unwrap();
    world.flush();
    assert!(world.is_open(ann));
    world.authenticate(asked, crate::world::verdict("bob"));
    assert_eq!(world.board.members("lobby").len(), 2);
}

#[test]
fn the_smallest_queue_holds_what_a_newcomer_is_told() {
    for name_bytes in [1, 128, 2_000] {
        let mut world = World::with(|config| {
            config.limits.name_bytes = name_bytes;
            config.limits.queue_bytes = 400 + 4 * name_bytes;
            config.limits.queue_messages = 2;
        });
        // A quote takes two bytes on the wire.
        let ann = world.tries(&"\"".repeat(name_bytes), &"%22".repeat(name_bytes));
        assert!(world.is_open(ann), "{name_bytes}");
        // A list of users that does not fit comes with the next change.
        world.advance(secs(1));
        let told = world.messages(ann);
        let kinds: Vec<_> = told.iter().map(|it| it["type"].as_str()).collect();
        let expected = ["welcome", "subscribed", "presence"].map(Some);
        assert_eq!(kinds, expected, "{name_bytes}");
    }
}
