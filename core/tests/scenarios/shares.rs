//! Shares of an address in the handshake seats (`docs/behaviour.md`, section 1).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use switchboard_core::{
    BadRequest, Endpoint, Event, Handshake, HandshakeConfig, Identity, Posted, Rate, Refusal,
    Refused, Request, RequestOutcome,
};

use crate::world::{Client, World, millis, secs};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));

/// A node with 100 handshake seats, of which an address may hold 20 when they are scarce.
fn crowded(change: impl FnOnce(&mut switchboard_core::Config)) -> World {
    World::with(|config| {
        config.limits.handshakes = 100;
        config.rates.connects = None;
        change(config);
    })
}

/// Parses a request like a driver.
fn parse(world: &World, from: IpAddr, text: &str) -> Request {
    let mut handshake = Handshake::new(Arc::new(HandshakeConfig {
        endpoint: Endpoint::default(),
        pages: true,
        json: true,
        compression: false,
        room_contexts: false,
        sse: world.board.config().sse.clone(),
        name_bytes: 128,
        tokens: switchboard_core::Tokens::default(),
    }));
    let request = handshake.receive(text.as_bytes()).unwrap();
    let mut request = request.unwrap();
    request.set_peer(world.board.client_address(from, &request));
    request
}

fn asks_page(world: &mut World, client: Client, from: IpAddr, headers: &str) -> RequestOutcome {
    let text = format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    let request = parse(world, from, &text);
    let answer = world.board.request(world.now, world.id(client), &request);
    world.flush();
    answer.unwrap()
}

fn answers_page(world: &mut World, client: Client, body: usize) {
    let mut response = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    response.resize(response.len() + body, b'x');
    let id = world.id(client);
    world.board.answer_page(world.now, id, response).unwrap();
    world.flush();
}

fn is_malformed(world: &mut World, client: Client) {
    let id = world.id(client);
    let bad = BadRequest::Method;
    world.board.malformed(world.now, id, bad).unwrap();
    world.flush();
}

/// A way in which a client takes a seat without ever ending its side.
type Sits = fn(&mut World, Client);

#[test]
fn an_address_keeps_nobody_out_whatever_it_sends() {
    let ways: [(&str, Sits); 6] = [
        ("says nothing", |_, _| {}),
        ("is malformed", is_malformed),
        ("waits for a page", |world, client| {
            asks_page(world, client, HOME, "");
        }),
        ("reads a page", |world, client| {
            if asks_page(world, client, HOME, "") == RequestOutcome::Page {
                answers_page(world, client, 10);
            }
        }),
        ("is of a foreign origin", |world, client| {
            world.asks_on(client, HOME, "/ws", "Origin: https://evil.example\r\n");
        }),
        ("is nobody", |world, client| {
            if world.asks_on(client, HOME, "/ws", "") == RequestOutcome::Authenticate {
                world.authenticate(client, Err(Refused::Unauthorized));
            }
        }),
    ];
    for (way, sits) in ways {
        let mut world = crowded(|_| {});
        for _ in 0..500 {
            if let Ok(client) = world.arrives(HOME) {
                world.keeps_its_side_open(client);
                sits(&mut world, client);
            }
        }
        for n in 0..40 {
            let from = IpAddr::V4(Ipv4Addr::new(198, 51, 100, n));
            let other = world.arrives(from);
            let other = other.unwrap_or_else(|refused| panic!("{way}: {refused}"));
            let answer = world.asks_on(other, from, "/ws", "");
            assert_eq!(answer, RequestOutcome::Authenticate, "{way}: {n}");
        }
        let from = world.new_address();
        let reader = world.arrives(from).unwrap();
        assert_eq!(
            asks_page(&mut world, reader, from, ""),
            RequestOutcome::Page
        );
    }
}

#[test]
fn once_half_of_the_seats_are_taken_an_address_holds_20_or_a_tenth_and_no_more() {
    for (seats, share) in [(100, 20), (200, 20), (300, 30)] {
        let mut world = World::with(|config| config.limits.handshakes = seats);
        for _ in 0..seats / 2 {
            world.arrives(world.new_address()).unwrap();
        }
        let mine: Vec<_> = (0..share).map(|_| world.arrives(HOME).unwrap()).collect();
        assert_eq!(world.arrives(HOME), Err(Refused::IpLimit), "{seats}");
        assert_eq!(world.stats().refused["ip_limit"], 1);
        // A refused connection holds its seat until its socket is gone.
        world.keeps_its_side_open(mine[0]);
        is_malformed(&mut world, mine[0]);
        assert_eq!(world.arrives(HOME), Err(Refused::IpLimit), "{seats}");
        world.advance(secs(1));
        assert!(world.is_gone(mine[0]));
        let next = world.arrives(HOME).unwrap();
        // An admitted connection has returned its handshake seat.
        world.asks_on(next, HOME, "/ws", "");
        world.authenticate(next, Ok(Identity::Anonymous));
        assert!(world.is_open(next));
        assert!(world.arrives(HOME).is_ok(), "{seats}");
        assert_eq!(world.arrives(HOME), Err(Refused::IpLimit), "{seats}");
    }
}

#[test]
fn while_half_of_the_seats_are_free_an_address_may_hold_what_it_wants() {
    let mut world = crowded(|_| {});
    for _ in 0..50 {
        world.arrives(HOME).unwrap();
    }
    assert_eq!(world.arrives(HOME), Err(Refused::IpLimit));
}

#[test]
fn behind_a_trusted_proxy_the_clients_address_pays_once_it_is_known() {
    let mut world = crowded(|config| {
        config.trusted_proxies = vec!["192.0.2.99/32".parse().unwrap()];
    });
    let from = |client: &str| format!("X-Forwarded-For: {client}\r\n");
    // The proxy opens as many connections as there are seats.
    let arrived: Vec<_> = (0..100).map(|_| world.arrives(PROXY).unwrap()).collect();
    let (greedy, others) = arrived.split_at(30);
    for (n, &client) in greedy.iter().enumerate() {
        let answer = world.asks_on(client, PROXY, "/ws", &from("203.0.113.7"));
        if n < 20 {
            assert_eq!(answer, RequestOutcome::Authenticate, "{n}");
        } else {
            assert_eq!(answer, RequestOutcome::Refused, "{n}");
            assert_eq!(world.told(client), (429, None));
            assert!(world.is_gone(client), "{n}");
        }
    }
    assert_eq!(world.stats().refused["ip_limit"], 10);
    let answer = asks_page(&mut world, others[0], PROXY, &from("203.0.113.7"));
    assert_eq!(answer, RequestOutcome::Refused, "pages are counted too");
    for (n, &client) in others[1..].iter().enumerate() {
        let header = from(&format!("198.51.100.{n}"));
        let answer = world.asks_on(client, PROXY, "/ws", &header);
        assert_eq!(answer, RequestOutcome::Authenticate, "{n}");
    }
    // When the client leaves, its address gets the seats back.
    for &client in &greedy[..20] {
        world.happens(client, Event::Reset);
    }
    let again = world.arrives(PROXY).unwrap();
    let answer = world.asks_on(again, PROXY, "/ws", &from("203.0.113.7"));
    assert_eq!(answer, RequestOutcome::Authenticate);
}

#[test]
fn each_connect_is_charged_on_arrival_whatever_it_asks_for() {
    let ways: [(&str, Sits); 4] = [
        ("says nothing", |_, _| {}),
        ("is malformed", is_malformed),
        ("asks for a page", |world, client| {
            asks_page(world, client, HOME, "");
        }),
        ("is of a foreign origin", |world, client| {
            world.asks_on(client, HOME, "/ws", "Origin: https://evil.example\r\n");
        }),
    ];
    for (way, comes) in ways {
        let mut world = World::with(|config| {
            config.rates.connects = Some(Rate {
                per_second: 2,
                burst: 3,
            });
        });
        for _ in 0..3 {
            let client = world.arrives(HOME).unwrap();
            comes(&mut world, client);
            world.happens(client, Event::Reset);
        }
        let fourth = world.tries_from(HOME, "ann", "");
        assert_eq!(
            world.close(fourth),
            Some((4100, "ip_limit".into())),
            "{way}"
        );
        let page = world.arrives(HOME).unwrap();
        let answer = asks_page(&mut world, page, HOME, "");
        assert_eq!(
            (answer, world.told(page).0),
            (RequestOutcome::Refused, 429),
            "{way}"
        );
        world.advance(millis(500));
        let fifth = world.tries_from(HOME, "ann", "");
        assert!(world.is_open(fifth), "{way}");
    }
}

#[test]
fn a_connect_through_a_trusted_proxy_is_charged_to_the_client_alone() {
    let mut world = World::with(|config| {
        config.trusted_proxies = vec!["192.0.2.99/32".parse().unwrap()];
        config.rates.connects = Some(Rate {
            per_second: 1,
            burst: 2,
        });
    });
    for _ in 0..10 {
        let client = world.arrives(PROXY).unwrap();
        is_malformed(&mut world, client);
    }
    let mut asks = |client: &str| {
        let arrived = world.arrives(PROXY).unwrap();
        let header = format!("X-Forwarded-For: {client}\r\n");
        world.asks_on(arrived, PROXY, "/ws", &header)
    };
    assert_eq!(asks("203.0.113.7"), RequestOutcome::Authenticate);
    assert_eq!(asks("203.0.113.7"), RequestOutcome::Authenticate);
    assert_eq!(asks("203.0.113.7"), RequestOutcome::Refused);
    assert_eq!(asks("203.0.113.8"), RequestOutcome::Authenticate);
}

#[test]
fn a_refusal_by_http_holds_the_seat_of_its_address_until_it_is_gone() {
    let mut world = World::with(|config| {
        config.limits.per_ip = 1;
        config.refusal = Refusal::Http;
    });
    let (client, _) = world.asks(HOME, "/ws", "");
    world.keeps_its_side_open(client);
    world.authenticate(client, Err(Refused::Unauthorized));
    let early = world.tries_from(HOME, "ann", "");
    assert_eq!(world.told(early), (429, None));
    world.advance(secs(1));
    assert!(world.is_gone(client));
    let late = world.tries_from(HOME, "ann", "");
    assert!(world.is_open(late));
}

#[test]
fn pages_have_seats_of_their_own() {
    let mut world = World::with(|config| config.limits.handshakes = 4);
    let pages: Vec<_> = (0..4)
        .map(|_| {
            let from = world.new_address();
            let client = world.arrives(from).unwrap();
            world.keeps_its_side_open(client);
            assert_eq!(
                asks_page(&mut world, client, from, ""),
                RequestOutcome::Page
            );
            client
        })
        .collect();
    let ann = world.connect("ann", "");
    let fifth = world.arrives(HOME).unwrap();
    assert_eq!(
        asks_page(&mut world, fifth, HOME, ""),
        RequestOutcome::Refused
    );
    assert_eq!(world.told(fifth), (503, None));
    assert_eq!(world.stats().refused["handshakes_full"], 1);
    answers_page(&mut world, pages[0], 10);
    world.happens(pages[0], Event::Eof);
    assert!(world.is_gone(pages[0]) && world.is_open(ann));
    let sixth = world.arrives(HOME).unwrap();
    assert_eq!(asks_page(&mut world, sixth, HOME, ""), RequestOutcome::Page);
}

#[test]
fn a_page_that_fails_keeps_its_seat_and_takes_none_of_a_handshake() {
    let mut world = World::with(|config| config.limits.handshakes = 2);
    let pages = [(); 2].map(|()| {
        let from = world.new_address();
        let client = world.arrives(from).unwrap();
        world.keeps_its_side_open(client);
        let answer = asks_page(&mut world, client, from, "");
        assert_eq!(answer, RequestOutcome::Page);
        client
    });
    for _ in 0..4 {
        world.arrives_to_stay();
    }
    assert_eq!(world.stats().pending_handshakes, 4, "two are refused");
    for page in pages {
        world.happens(page, Event::HookFailed);
        assert_eq!(world.told(page), (500, None));
        assert_eq!(world.stats().pending_handshakes, 4);
    }
    world.advance(secs(1));
    assert!(pages.iter().all(|&page| world.is_gone(page)));
}

/// Posts to an event stream that is not there.
fn posts(world: &mut World, client: Client, from: IpAddr, messages: Result<(), BadRequest>) {
    let text = "POST /sse/gone HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    let request = parse(world, from, text);
    let messages = messages.map(|()| vec![Posted::Text("{}".into())]);
    let id = world.id(client);
    world.board.post(world.now, id, &request, messages).unwrap();
    world.flush();
}

#[test]
fn the_answer_to_a_post_has_the_seat_of_a_page_and_its_refusal_that_of_a_handshake() {
    let mut world = World::with(|config| {
        config.limits.handshakes = 2;
        config.sse = Some("/sse".into());
    });
    let lingers = |world: &mut World, messages| {
        let from = world.new_address();
        let client = world.arrives(from).unwrap();
        world.keeps_its_side_open(client);
        posts(world, client, from, messages);
        (
            client,
            world.told(client).0,
            world.stats().pending_handshakes,
        )
    };
    let bad = BadRequest::BodyTooLarge;
    let (refused, status, handshakes) = lingers(&mut world, Err(bad));
    assert_eq!((status, handshakes), (413, 1));
    let answered = [(); 2].map(|()| {
        let (client, status, handshakes) = lingers(&mut world, Ok(()));
        assert_eq!((status, handshakes), (404, 1));
        client
    });
    let (last, status, handshakes) = lingers(&mut world, Ok(()));
    assert_eq!(
        (status, handshakes),
        (503, 2),
        "all seats of pages are taken"
    );
    world.advance(secs(5));
    let all = [refused, last].into_iter().chain(answered);
    assert!(all.into_iter().all(|client| world.is_gone(client)));
    assert_eq!(world.stats().pending_handshakes, 0);
}

/// A client that requested a page of 100 KiB and has read nothing of it.
fn reader(world: &mut World) -> Client {
    let client = world.arrives(HOME).unwrap();
    asks_page(world, client, HOME, "");
    world.stops_reading_after(client, 0);
    answers_page(world, client, 100 << 10);
    client
}

#[test]
fn a_page_that_flows_is_not_cut() {
    let mut world = World::new();
    let client = reader(&mut world);
    for _ in 0..40 {
        world.advance(secs(3));
        assert!(!world.is_gone(client));
        world.reads(client, 2_500);
    }
    world.reads_all(client);
    assert!(
        world.is_gone(client),
        "it has read everything and ended its side"
    );
}

#[test]
fn a_page_of_which_nothing_goes_out_for_30_s_is_cut() {
    let mut world = World::new();
    let client = reader(&mut world);
    world.advance(secs(20));
    world.reads(client, 1);
    world.advance(millis(29_999));
    assert!(!world.is_gone(client));
    world.advance(millis(1));
    assert!(world.is_gone(client));
}

#[test]
fn a_page_that_only_drips_is_cut_in_the_end() {
    let mut world = World::new();
    let client = reader(&mut world);
    // 30 s, and a second for each KiB, including the head.
    for _ in 0..131 {
        assert!(!world.is_gone(client));
        world.reads(client, 1);
        world.advance(secs(1));
    }
    assert!(world.is_gone(client));
}

#[test]
fn a_client_that_has_its_page_and_stays_is_dropped_after_5_s() {
    let mut world = World::new();
    let client = reader(&mut world);
    world.keeps_its_side_open(client);
    world.advance(secs(10));
    world.reads_all(client);
    world.advance(millis(4_999));
    assert!(!world.is_gone(client));
    world.advance(millis(1));
    assert!(world.is_gone(client));
}
