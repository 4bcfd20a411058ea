//! Requests that an HTTP library has read, before it answers them (`docs/behaviour.md`, section 1).

use std::net::{IpAddr, Ipv4Addr};

use switchboard_core::{Event, Identity, Refused, Request, UserPolicy};

use crate::world::{World, secs};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn request(lobby: Option<&str>, headers: &[(&str, &str)]) -> Request {
    request_of("/ws", lobby, headers)
}

fn request_of(target: &str, lobby: Option<&str>, headers: &[(&str, &str)]) -> Request {
    let lobby = lobby.map(str::to_owned);
    let headers = [("host", "chat.example")].iter().chain(headers);
    let mut request = Request::upgraded(target, lobby, headers.copied()).expect("a request");
    request.set_peer(HOME);
    request
}

fn refusal(world: &mut World, request: &Request, identity: Option<&Identity>) -> &'static str {
    let considered = world.board.consider(world.now, request, identity);
    world.flush();
    considered.map_or_else(Refused::as_str, |()| "")
}

#[test]
fn what_needs_no_login_is_refused_before_the_answer_and_counted() {
    let mut world = World::with(|config| config.limits.handshakes = 1);
    let plain = request(Some("blue"), &[]);
    assert_eq!(refusal(&mut world, &plain, None), "");
    let foreign = request(None, &[("origin", "https://evil.example")]);
    assert_eq!(refusal(&mut world, &foreign, None), "origin");
    let illegal = request(Some("a\nb"), &[]);
    assert_eq!(refusal(&mut world, &illegal, None), "malformed");
    let busy = world.arrives(HOME).expect("a seat");
    assert_eq!(refusal(&mut world, &plain, None), "handshakes_full");
    world.happens(busy, Event::Eof);
    assert_eq!(refusal(&mut world, &plain, None), "");
    world.board.drain(world.now, secs(10), secs(15));
    assert_eq!(refusal(&mut world, &plain, None), "restart");
    let counted: Vec<_> = world.stats().refused.into_iter().collect();
    let once = [
        ("handshakes_full", 1),
        ("malformed", 1),
        ("origin", 1),
        ("restart", 1),
    ];
    assert_eq!(counted, once);
    assert_eq!(world.stats().pending_handshakes, 0);
}

#[test]
fn a_session_that_is_no_name_and_a_last_that_is_no_number_are_malformed() {
    let mut world = World::new();
    for (query, told) in [
        ("session=a-b_C9&last=5", ""),
        ("since=nowhere", ""),
        ("session=", "malformed"),
        ("session=a%20b", "malformed"),
        ("session=a&session=a", "malformed"),
        ("last=many", "malformed"),
        ("last=1&last=2", "malformed"),
    ] {
        let request = request_of(&format!("/ws?{query}"), Some("blue"), &[]);
        assert_eq!(refusal(&mut world, &request, None), told, "{query}");
    }
}

#[test]
fn the_origin_is_compared_with_the_host_that_a_trusted_proxy_names() {
    let proxied = [
        ("x-forwarded-host", "public.example"),
        ("origin", "https://public.example"),
    ];
    let proxied = request(None, &proxied);
    let mut world = World::new();
    assert_eq!(refusal(&mut world, &proxied, None), "origin");
    let mut world = World::with(|config| config.trusted_proxies = vec![HOME.into()]);
    assert_eq!(refusal(&mut world, &proxied, None), "");
}

#[test]
fn a_full_node_considers_only_who_may_take_over_a_seat() {
    let ann = Identity::user("ann");
    let bob = Identity::user("bob");
    let (anonymous, asked) = (Identity::Anonymous, Identity::FirstMessage);
    for policy in [UserPolicy::Replace, UserPolicy::Reject] {
        let mut world = World::with(|config| {
            config.limits.connections = 1;
            config.users = policy;
        });
        let nobody = world.connect("", "");
        let request = request(None, &[]);
        for identity in [None, Some(&ann), Some(&anonymous), Some(&asked)] {
            let refused = refusal(&mut world, &request, identity);
            assert_eq!(refused, "server_full", "{identity:?}");
        }
        world.happens(nobody, Event::Eof);
        let first = world.connect("ann", "");
        for (identity, expected) in [
            (None, ""),
            (Some(&ann), ""),
            (Some(&asked), ""),
            (Some(&bob), "server_full"),
            (Some(&anonymous), "server_full"),
        ] {
            let refused = refusal(&mut world, &request, identity);
            assert_eq!(refused, expected, "{identity:?}");
        }
        world.happens(first, Event::Eof);
        assert_eq!(refusal(&mut world, &request, Some(&bob)), "");
    }
}
