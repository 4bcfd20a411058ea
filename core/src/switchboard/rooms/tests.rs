use std::iter;
use std::net::IpAddr;
use std::time::Duration;

use super::lives::AT_ONCE;
use super::*;
use crate::base::hash::Secrets;
use crate::switchboard::phase::Phase;
use crate::switchboard::recount::Recount;
use crate::{Config, IpKey, Presence};

const UPDATE: Duration = Duration::from_secs(1);

struct World {
    rooms: Rooms,
    users: Users,
    connections: Table,
    config: Config,
    logs: u32,
    now: Time,
}

impl World {
    fn new() -> Self {
        let Secrets { keyed, epochs, .. } = Secrets::expand(1);
        let config = Config {
            presence: Presence {
                enabled: true,
                ..Presence::default()
            },
            ..Config::default()
        };
        Self {
            rooms: Rooms::new(keyed, epochs),
            users: Users::new(keyed),
            connections: Table::default(),
            config,
            logs: 0,
            now: Time::from_millis(1_000),
        }
    }

    fn connect(&mut self, name: &str) -> ConnectionId {
        let ip = IpKey::of(IpAddr::from([127, 0, 0, 1]));
        let mut connection = ConnectionState::new(ip, Time::ZERO, Time::MAX);
        connection.phase = Phase::Open;
        let id = self.connections.insert(connection);
        let user = self.users.find_or_vacant(name);
        let user = self.users.add(user, name, false, id.slot);
        self.connections.get_mut(id).unwrap().user = user;
        id
    }

    fn may_enter(&self, id: ConnectionId, room: &str) -> Result<Result<u32, Vacant>, JoinError> {
        let connection = self.connections.get(id).unwrap();
        let limits = &self.config.limits;
        self.rooms
            .may_enter(connection, room, Via::Request, limits, limits.room_members)
    }

    fn enter(&mut self, id: ConnectionId, room: &str) -> u32 {
        let place = self.may_enter(id, room).unwrap();
        let (rooms, update_at) = (&mut self.rooms, self.now + UPDATE);
        let key = place.unwrap_or_else(|vacant| {
            self.logs += 1;
            rooms.create(vacant, room, self.logs, &self.config.room(room))
        });
        if !rooms.at(key).is_active() {
            rooms.activate(key, None);
        }
        let connection = self.connections.get_mut(id).unwrap();
        rooms.enter(connection, &mut self.users, key, false, update_at);
        self.audit();
        key
    }

    fn leave(&mut self, id: ConnectionId, key: u32, grace: Option<Time>) -> Option<Arc<str>> {
        let (connections, users) = (&mut self.connections, &mut self.users);
        let update_at = self.now + UPDATE;
        let left = self
            .rooms
            .leave(connections, users, id, key, grace, update_at);
        self.audit();
        left
    }

    /// Lets time pass; returns who joined and who left, of the updates that came due.
    fn pass(&mut self, by: Duration) -> Vec<[Vec<Arc<str>>; 2]> {
        self.now = self.now + by;
        self.rooms
            .tick(&mut self.users, self.now, |_| self.now + UPDATE);
        let mut updates = Vec::new();
        while let Some(key) = self.rooms.pop_due(self.now) {
            let update = self.rooms.take_update(&self.users, key, self.now).unwrap();
            updates.push([update.joined, update.left]);
        }
        self.audit();
        updates
    }

    fn audit(&self) {
        let limits = &self.config.limits;
        let (rooms, users) = (&self.rooms, &self.users);
        let counted = Recount::of_all(&self.connections, users);
        for (id, connection) in self.connections.iter() {
            rooms.audit_connection(connection, limits).unwrap();
            users.audit_connection(id, connection).unwrap();
        }
        let all = usize::MAX;
        let seats = |_: &str| limits.room_members;
        let members = |log| Some(rooms.at(rooms.of_log(log)).members);
        let next = rooms.audit_rooms(&counted, (0, 0), all, seats, members);
        assert_eq!(next.unwrap(), None);
        rooms.audit(&counted, limits).unwrap();
        rooms.audit_all().unwrap();
        assert_eq!(users.audit_users(&counted, 0..all).unwrap(), None);
        users.audit(&counted).unwrap();
        users.audit_graces(&rooms.graces()).unwrap();
    }
}

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|&name| name.into()).collect()
}

#[test]
fn a_room_begins_with_its_first_member_and_ends_with_its_last() {
    let mut world = World::new();
    let (anna, ben) = (world.connect("anna"), world.connect("ben"));
    let key = world.enter(anna, "tea");
    assert_eq!(world.enter(ben, "tea"), key);
    assert_eq!(
        world.may_enter(anna, "tea").err(),
        Some(JoinError::AlreadyIn)
    );
    assert_eq!(world.leave(anna, key, None).as_deref(), Some("tea"));
    assert_eq!(world.leave(anna, key, None), None);
    assert_eq!(world.rooms.find("tea"), Some(key));
    world.leave(ben, key, None);
    assert_eq!(world.rooms.find("tea"), None);
    assert_eq!(world.rooms.next(), Some(world.now + UPDATE));
    assert!(world.pass(UPDATE).is_empty());
}

#[test]
fn the_room_that_follows_under_a_name_has_another_epoch() {
    let mut world = World::new();
    let anna = world.connect("anna");
    let mut epochs = BTreeSet::new();
    for _ in 0..3 {
        let key = world.enter(anna, "tea");
        epochs.insert(world.rooms.epoch(key).as_str().to_owned());
        world.leave(anna, key, None);
    }
    assert_eq!(epochs.len(), 3);
}

#[test]
fn limits_of_rooms_and_members_are_kept() {
    let mut world = World::new();
    world.config.limits = Limits {
        rooms: 2,
        room_members: 1,
        rooms_per_connection: 1,
        ..Limits::default()
    };
    let (anna, ben) = (world.connect("anna"), world.connect("ben"));
    let carl = world.connect("carl");
    world.enter(anna, "tea");
    let refused = |world: &World, id, room| world.may_enter(id, room).err();
    assert_eq!(refused(&world, ben, "tea"), Some(JoinError::RoomFull));
    assert_eq!(refused(&world, anna, "milk"), Some(JoinError::TooManyRooms));
    world.enter(ben, "milk");
    assert_eq!(refused(&world, carl, "rum"), Some(JoinError::NoMoreRooms));
    // A connection that replaces the only member of a room takes over its seat.
    let limits = &world.config.limits;
    let seat = |room, replaced| world.rooms.lobby_seat(room, None, replaced, limits, 1);
    assert_eq!(seat("rum", None), Err(Refused::LobbyFull));
    let replaced = world.connections.get(anna).ok();
    assert_eq!(seat("rum", replaced), Ok(()));
    assert_eq!(seat("tea", replaced), Ok(()));
    assert_eq!(seat("milk", replaced), Err(Refused::LobbyFull));
}

#[test]
fn an_update_tells_the_changes_on_balance() {
    let mut world = World::new();
    let (anna, ben) = (world.connect("anna"), world.connect("ben"));
    let key = world.enter(anna, "tea");
    assert_eq!(world.pass(UPDATE), [[names(&["anna"]), vec![]]]);
    world.enter(ben, "tea");
    world.leave(ben, key, None);
    world.enter(ben, "tea");
    assert_eq!(world.pass(UPDATE), [[names(&["ben"]), vec![]]]);
    world.leave(ben, key, None);
    world.enter(ben, "tea");
    assert_eq!(world.pass(UPDATE), [[vec![], vec![]]]);
}

#[test]
fn who_comes_back_within_the_grace_period_was_never_absent() {
    let mut world = World::new();
    let (anna, ben) = (world.connect("anna"), world.connect("ben"));
    let key = world.enter(anna, "tea");
    world.enter(ben, "tea");
    world.pass(UPDATE);
    let until = world.now + UPDATE * 10;
    world.leave(ben, key, Some(until));
    assert_eq!(
        world
            .rooms
            .users(&world.connections, key, iter::empty())
            .len(),
        2
    );
    world.pass(UPDATE * 9);
    world.enter(ben, "tea");
    assert!(world.pass(UPDATE * 5).is_empty());
    let until = world.now + UPDATE * 10;
    world.leave(ben, key, Some(until));
    assert!(world.pass(UPDATE * 10).is_empty());
    assert_eq!(world.pass(UPDATE), [[vec![], names(&["ben"])]]);
}

#[test]
fn an_update_is_not_for_those_who_have_the_list_already_or_are_due_it() {
    let mut world = World::new();
    let [anna, ben, carl] = ["anna", "ben", "carl"].map(|name| world.connect(name));
    let key = world.enter(anna, "tea");
    world.rooms.note_seen(anna, key, true);
    let update = |world: &mut World| {
        world.now = world.now + UPDATE;
        assert_eq!(world.rooms.pop_due(world.now), Some(key));
        let update = world.rooms.take_update(&world.users, key, world.now);
        let update = update.unwrap();
        (update.informed, update.uninformed)
    };
    assert_eq!(update(&mut world), (vec![anna], vec![]));
    world.enter(ben, "tea");
    world.rooms.note_seen(ben, key, true);
    world.enter(carl, "tea");
    world.rooms.note_seen(carl, key, false);
    assert_eq!(update(&mut world), (vec![], vec![ben, carl]));
    world.leave(ben, key, None);
    world.rooms.note_seen(carl, key, false);
    world.leave(carl, key, None);
    assert_eq!(update(&mut world), (vec![], vec![]));
}

#[test]
fn many_changes_are_taken_in_parts_each_once_and_then_only_the_number_is_told() {
    let mut world = World::new();
    let mut key = 0;
    let count = 2 * CHANGES + 1;
    for number in 0..count {
        let id = world.connect(&format!("user{number}"));
        key = world.enter(id, "tea");
        // The second one could not be sent the list.
        world.rooms.note_seen(id, key, number != 1);
    }
    world.now = world.now + UPDATE;
    let mut joined = BTreeSet::new();
    for part in [Part::Some, Part::Some, Part::Last] {
        assert_eq!(world.rooms.next(), Some(world.now));
        assert_eq!(world.rooms.pop_due(world.now), Some(key));
        let update = world.rooms.take_update(&world.users, key, world.now);
        let update = update.unwrap();
        assert_eq!(update.part, part);
        assert!(update.joined.len() <= CHANGES);
        joined.extend(update.joined);
        assert_eq!(update.informed, []);
        assert_eq!(update.uninformed.len(), usize::from(part == Part::Last));
        world.audit();
    }
    assert_eq!(joined.len(), count);
    assert_eq!(world.rooms.next(), None);
    let later = world.connect("later");
    world.enter(later, "tea");
    assert_eq!(world.pass(UPDATE), [[names(&["later"]), vec![]]]);
}

#[test]
fn the_presence_of_a_room_in_which_many_were_lost_ends_some_at_a_time() {
    const MANY: usize = 300;
    let mut world = World::new();
    let names = (0..MANY).map(|at| format!("user-{at}"));
    let names: Vec<String> = names.collect();
    let ids: Vec<_> = names.iter().map(|name| world.connect(name)).collect();
    let keys: Vec<_> = ids.iter().map(|&id| world.enter(id, "tea")).collect();
    let until = world.now + Duration::from_secs(10);
    for (&id, &key) in ids.iter().zip(&keys) {
        world.leave(id, key, Some(until));
    }
    assert_eq!(world.rooms.find("tea"), None, "the room itself has ended");
    let held = |world: &World| {
        let users = names.iter().map(|name| world.users.find(name).unwrap());
        users
            .filter(|&user| world.users.at(user).graces > 0)
            .count()
    };
    let mut before = MANY;
    let mut calls = 0;
    loop {
        calls += 1;
        let left = held(&world);
        assert!(before - left <= GRACES, "{before} to {left}");
        before = left;
        if world.rooms.next() != Some(Time::ZERO) {
            break;
        }
        assert!(world.pass(Duration::ZERO).is_empty());
    }
    assert_eq!(before, 0);
    // As many changes had not been told.
    assert_eq!(calls, 1 + (2 * MANY - AT_ONCE).div_ceil(GRACES));
    let key = world.enter(ids[0], "tea");
    let joined = vec![[vec!["user-0".into()], vec![]]];
    assert_eq!(world.pass(UPDATE), joined);
    assert_eq!(world.rooms.at(key).members, 1);
}

#[test]
fn what_is_left_of_many_rooms_ends_in_as_few_calls_as_if_it_were_of_one() {
    const ROOMS: usize = 12;
    const EACH: usize = 20;
    let mut world = World::new();
    let until = world.now + Duration::from_secs(10);
    let mut last = Vec::new();
    for room in 0..ROOMS {
        for user in 0..EACH {
            let id = world.connect(&format!("user-{room}-{user}"));
            let key = world.enter(id, &format!("tea-{room}"));
            if user + 1 == EACH {
                last.push((id, key));
            } else {
                world.leave(id, key, Some(until));
            }
        }
    }
    let held = |world: &World| {
        let users = (0..ROOMS).flat_map(|room| (0..EACH).map(move |user| (room, user)));
        let users =
            users.filter_map(|(room, user)| world.users.find(&format!("user-{room}-{user}")));
        users
            .filter(|&user| world.users.at(user).graces > 0)
            .count()
    };
    let mut before = held(&world);
    for (id, key) in last {
        world.leave(id, key, Some(until));
        let left = held(&world);
        // The last one was not held yet.
        assert!(before + 1 - left <= AT_ONCE, "{before} to {left}");
        before = left;
    }
    let mut calls = 0;
    while world.rooms.next() == Some(Time::ZERO) {
        calls += 1;
        assert!(world.pass(Duration::ZERO).is_empty());
    }
    assert_eq!(held(&world), 0);
    let each = 2 * EACH - AT_ONCE;
    assert!(calls <= (ROOMS * (each + 1)).div_ceil(GRACES), "{calls}");
}
