//! Shares of an address in the rooms of the node (`docs/behaviour.md`, section 1).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::json;
use switchboard_core::{Config, Event, JoinError, Notice, Rates, Refusal};

use crate::world::{Client, World};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A node with this many rooms, each client of which may enter all of them.
fn node(rooms: usize, change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.limits.rooms = rooms;
        config.limits.rooms_per_connection = rooms;
        config.rates = Rates::unlimited();
        change(config);
    })
}

/// Subscribes; returns the error code that the client is told, if any.
fn subscribes(world: &mut World, client: Client, room: &str) -> Option<String> {
    world.forget();
    world.says(client, json!({"type": "subscribe", "channel": room}));
    let told = world.messages_of(client, "error");
    let error = told.first()?;
    assert_eq!(error["channel"], room);
    Some(error["code"].as_str().unwrap().to_owned())
}

/// Creates rooms until it is told that there are enough; returns how many.
fn creates_all_it_may(world: &mut World, client: Client, prefix: &str) -> usize {
    let mut created = 0;
    while subscribes(world, client, &format!("{prefix}{created}")).is_none() {
        created += 1;
    }
    created
}

/// The application creates this many rooms.
fn others_take(world: &mut World, rooms: usize) {
    let member = world.connect("member", "");
    let id = world.id(member);
    for n in 0..rooms {
        let joined = world.board.join(world.now, id, &format!("other{n}"));
        joined.unwrap();
    }
    world.flush();
}

/// An address of this /48, with these last two octets of its /64.
fn within(site: u8, home: u8, subnet: u8) -> IpAddr {
    let [home, subnet] = [home, subnet].map(u16::from);
    Ipv6Addr::new(0x2001, 0xdb8, site.into(), home << 8 | subnet, 0, 0, 0, 1).into()
}

#[test]
fn an_address_cannot_use_up_the_rooms_of_the_node() {
    let mut world = node(200, |_| {});
    let greedy = world.tries_from(HOME, "ann", "");
    assert_eq!(creates_all_it_may(&mut world, greedy, "mine"), 100);
    let second = world.tries_from(HOME, "bob", "");
    assert_eq!(creates_all_it_may(&mut world, second, "more"), 0);
    assert_eq!(subscribes(&mut world, second, "mine0"), None);
    for n in 0..5 {
        let other = world.connect("", "");
        assert_eq!(creates_all_it_may(&mut world, other, &format!("{n} ")), 20);
    }
    assert_eq!(world.stats().active_rooms, 200);
}

#[test]
fn once_half_of_the_rooms_are_taken_an_address_creates_20_or_a_tenth_and_no_more() {
    for (rooms, share) in [(60, 20), (200, 20), (300, 30)] {
        let mut world = node(rooms, |_| {});
        others_take(&mut world, rooms / 2);
        let client = world.tries_from(HOME, "ann", "");
        assert_eq!(creates_all_it_may(&mut world, client, "mine"), share);
        assert_eq!(
            subscribes(&mut world, client, "another").as_deref(),
            Some("limit_exceeded")
        );
        world.says(client, json!({"type": "unsubscribe", "channel": "mine0"}));
        assert_eq!(subscribes(&mut world, client, "another"), None);
    }
}

#[test]
fn an_ipv6_64_creates_a_tenth_its_56_two_and_its_48_three() {
    let mut world = node(300, |_| {});
    others_take(&mut world, 150);
    let mut clients = 0;
    let mut creates = |site, home, subnet| {
        let client = world.tries_from(within(site, home, subnet), "", "");
        clients += 1;
        let prefix = format!("{clients} ");
        creates_all_it_may(&mut world, client, &prefix)
    };
    assert_eq!(creates(1, 1, 1), 30);
    assert_eq!(creates(1, 1, 1), 0);
    assert_eq!(creates(1, 1, 2), 30);
    assert_eq!(creates(1, 1, 3), 0, "the /56 has its share");
    assert_eq!(creates(1, 2, 1), 30);
    assert_eq!(creates(1, 2, 2), 0, "the /48 has its share");
    assert_eq!(creates(1, 3, 1), 0, "the /48 has its share");
    assert_eq!(creates(2, 1, 1), 30);
}

#[test]
fn a_room_counts_for_the_address_that_created_it_until_the_room_is_gone() {
    let mut world = node(60, |_| {});
    others_take(&mut world, 30);
    let creator = world.tries_from(HOME, "ann", "kept");
    let member = world.connect("bob", "kept");
    let client = world.tries_from(HOME, "cem", "");
    world.happens(creator, Event::Reset);
    assert_eq!(creates_all_it_may(&mut world, client, "mine"), 19);
    world.happens(member, Event::Reset);
    assert_eq!(subscribes(&mut world, client, "another"), None);
}

#[test]
fn rooms_that_the_application_creates_count_for_no_address() {
    let mut world = node(60, |_| {});
    let client = world.tries_from(HOME, "ann", "");
    let id = world.id(client);
    for n in 0..35 {
        let joined = world.board.join(world.now, id, &format!("given{n}"));
        assert_eq!(joined, Ok(()), "{n}");
    }
    assert_eq!(creates_all_it_may(&mut world, client, "mine"), 20);
}

#[test]
fn a_lobby_beyond_the_share_of_its_address_is_refused_as_ip_limit() {
    for (refusal, told) in [
        (Refusal::Close, (101, Some(4100))),
        (Refusal::Http, (429, None)),
    ] {
        let mut world = node(60, |config| config.refusal = refusal);
        others_take(&mut world, 30);
        let client = world.tries_from(HOME, "ann", "");
        assert_eq!(creates_all_it_may(&mut world, client, "mine"), 20);
        let refused = world.tries_from(HOME, "bob", "another");
        let (status, close) = world.told(refused);
        assert_eq!((status, close.map(|(code, _)| code)), told);
        assert_eq!(world.stats().refused["ip_limit"], 1);
        let inside = world.tries_from(HOME, "bob", "mine0");
        assert!(world.is_open(inside), "a room that exists is open to all");
        let other = world.tries("cem", "another");
        assert!(world.is_open(other), "so is a room to another address");
    }
}

#[test]
fn a_newcomer_takes_over_the_place_of_a_room_beyond_its_share() {
    let mut world = node(60, |_| {});
    others_take(&mut world, 30);
    let client = world.tries_from(HOME, "ann", "");
    let old = world.tries_from(HOME, "bob", "red");
    assert_eq!(creates_all_it_may(&mut world, client, "mine"), 19);
    let new = world.tries_from(HOME, "bob", "green");
    assert!(world.is_open(new) && !world.is_open(old));
    assert_eq!(creates_all_it_may(&mut world, client, "more"), 0);
}

#[test]
fn the_application_hears_of_a_room_that_it_granted_beyond_the_share() {
    let mut world = node(60, |_| {});
    others_take(&mut world, 30);
    let client = world.tries_from(HOME, "ann", "");
    let request = json!({"type": "subscribe", "channel": "granted"});
    let question = world.asks_to(client, request).unwrap();
    assert_eq!(creates_all_it_may(&mut world, client, "mine"), 20);
    world.notices.clear();
    world.answer(client, question);
    let id = world.id(client);
    let (room, error) = ("granted".into(), JoinError::NoMoreRoomsForAddress);
    assert_eq!(world.notices, [Notice::JoinFailed { id, room, error }]);
}

/// The rule, recounted from a plain list of rooms and creators.
fn may_create(rooms: &BTreeMap<String, IpAddr>, limit: usize, from: IpAddr) -> bool {
    let networks: &[u32] = if from.is_ipv4() { &[32] } else { &[64, 56, 48] };
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let greedy = networks.iter().zip(1..).any(|(prefix, tenths)| {
        let same = |ip: &&IpAddr| {
            ip.is_ipv4() == from.is_ipv4() && (bits(**ip) ^ bits(from)) >> (128 - prefix) == 0
        };
        rooms.values().filter(same).count() >= (limit * tenths / 10).max(20)
    });
    rooms.len() < limit && (2 * rooms.len() < limit || !greedy)
}

#[test]
fn any_order_of_creating_and_leaving_follows_the_rule() {
    let mut addresses = vec![HOME, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))];
    for (home, subnet) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (3, 0)] {
        addresses.push(within(1, home, subnet));
    }
    for seed in 0..3 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let limit = rng.usize(110..=150);
        let mut world = node(limit, |_| {});
        let clients: Vec<_> = addresses
            .iter()
            .map(|&from| world.tries_from(from, "", ""))
            .collect();
        let mut rooms: BTreeMap<String, IpAddr> = BTreeMap::new();
        let mut refused = 0;
        for n in 0..300 {
            // First all but one create, then each.
            let at = rng.usize(usize::from(n < 150)..clients.len());
            let (client, from) = (clients[at], addresses[at]);
            if rng.u8(..100) < 15
                && let Some(room) = rooms.iter().find(|(_, ip)| **ip == from)
            {
                let room = room.0.clone();
                world.says(client, json!({"type": "unsubscribe", "channel": room}));
                rooms.remove(&room);
            } else {
                let room = format!("room{n}");
                let expected = may_create(&rooms, limit, from);
                let error = subscribes(&mut world, client, &room);
                assert_eq!(error.is_none(), expected, "seed {seed}, step {n}: {from}");
                refused += usize::from(!expected);
                if expected {
                    rooms.insert(room, from);
                }
            }
            assert_eq!(world.stats().active_rooms, rooms.len());
        }
        assert!(refused > 20, "seed {seed}: {refused} of {limit}");
    }
}

#[test]
fn an_address_gains_no_rooms_by_replacing_connections_of_another() {
    let mut world = node(60, |_| {});
    others_take(&mut world, 30);
    let other: IpAddr = Ipv4Addr::new(198, 51, 100, 7).into();
    let greedy = world.tries_from(HOME, "ann", "");
    assert_eq!(creates_all_it_may(&mut world, greedy, "mine"), 20);
    let admitted = (0..9).filter(|n| {
        let user = format!("u{n}");
        world.tries_from(other, &user, &format!("b{n}"));
        let newcomer = world.tries_from(HOME, &user, &format!("a{n}"));
        world.told(newcomer).1.is_none()
    });
    assert_eq!(admitted.count(), 0);
}
