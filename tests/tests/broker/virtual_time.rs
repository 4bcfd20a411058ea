//! What the real server cannot be asked in a moment: time that passes, and a replica that takes over.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::cluster::{
    Answer, Append, Beat, BrokerTime, Channel, Command, Failure, Retention, Seats, Sync, Writer,
};
use switchboard_tests::broker::{Kept, Key, SimRedis};

const MINUTE: Duration = Duration::from_secs(60);

fn broker() -> SimRedis {
    let mut broker = SimRedis::new(10, 1024);
    broker.load_scripts();
    broker
}

fn retention() -> Retention {
    Retention {
        messages: 100,
        log: 5 * MINUTE,
        numbers: 10 * MINUTE,
    }
}

fn writer(broker: &SimRedis) -> Writer {
    Writer {
        node: "a-0".into(),
        session: 1,
        incarnation: broker.incarnation().into(),
    }
}

fn append(broker: &SimRedis, first: u64, fresh: &str) -> Command {
    Command::Append(Append {
        keys: 0,
        room: "lobby".into(),
        writer: writer(broker),
        fresh: fresh.into(),
        first,
        bodies: vec![Arc::from(*b"hi")],
        retention: retention(),
    })
}

fn sync(broker: &SimRedis, since: (&str, u64)) -> Command {
    Command::Sync(Sync {
        room: "lobby".into(),
        writer: writer(broker),
        fresh: "e-new".into(),
        since: Some((since.0.into(), since.1)),
        done: 0,
        most: 100,
        retention: retention(),
    })
}

/// Epoch, last number, and how many entries there are.
fn synced(broker: &mut SimRedis, since: (&str, u64)) -> (String, u64, usize) {
    let command = sync(broker, since);
    match broker.apply(&command) {
        Ok(Answer::Sync {
            epoch,
            seq,
            entries,
            ..
        }) => (epoch.to_string(), seq, entries.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_expires_before_its_numbers_so_no_number_is_used_twice() {
    let mut broker = broker();
    broker.apply(&append(&broker, 1, "e1")).unwrap();
    assert_eq!(synced(&mut broker, ("e1", 0)), ("e1".into(), 1, 1));
    broker.advance(5 * MINUTE);
    assert_eq!(synced(&mut broker, ("e1", 0)), ("e1".into(), 1, 0));
    broker.advance(10 * MINUTE);
    assert_eq!(broker.keys(), []);
    assert_eq!(synced(&mut broker, ("e1", 1)), ("e-new".into(), 0, 0));
}

#[test]
fn a_server_that_may_have_lost_a_write_continues_no_epoch() {
    for befall in [
        (|broker| broker.restart(Kept::All)) as fn(&mut SimRedis),
        |broker| broker.restart(Kept::Nothing),
        |broker| broker.restart(Kept::Saved),
        SimRedis::fail_over,
    ] {
        let mut broker = broker();
        broker.apply(&append(&broker, 1, "e1")).unwrap();
        broker.save();
        broker.replicate();
        broker.apply(&append(&broker, 2, "e1")).unwrap();
        let link = broker.connect();
        befall(&mut broker);
        assert!(!broker.is_connected(link));
        let command = sync(&broker, ("e1", 2));
        assert_eq!(broker.apply(&command), Err(Failure::NoScript));
        broker.load_scripts();
        assert_eq!(synced(&mut broker, ("e1", 2)), ("e-new".into(), 0, 0));
    }
}

#[test]
fn the_other_half_of_a_split_brain_lives_on_by_itself() {
    let mut old = broker();
    old.apply(&append(&old, 1, "e1")).unwrap();
    old.replicate();
    let mut new = old.clone();
    new.fail_over();
    new.load_scripts();
    assert_ne!(old.incarnation(), new.incarnation());
    old.apply(&append(&old, 2, "e1")).unwrap();
    assert_eq!(synced(&mut old, ("e1", 0)), ("e1".into(), 2, 2));
    assert_eq!(synced(&mut new, ("e1", 0)), ("e-new".into(), 0, 0));
}

#[test]
fn a_lease_that_ran_out_fences_its_node() {
    let mut broker = broker();
    let beat = |renew| {
        Command::Beat(Beat {
            registration: "a-0.1".into(),
            renew,
            lease: Duration::from_secs(3),
            info: "1".into(),
            list: MINUTE,
            payload: Arc::from(*b"beat"),
            forget: vec![],
        })
    };
    let link = broker.connect();
    broker.subscribe(link, Channel::Everyone);
    assert!(matches!(
        broker.apply(&beat(false)),
        Ok(Answer::Beat { peers: Some(_), .. })
    ));
    broker.advance(Duration::from_millis(2999));
    assert!(matches!(
        broker.apply(&beat(true)),
        Ok(Answer::Beat { peers: None, .. })
    ));
    broker.advance(Duration::from_secs(3));
    assert!(matches!(
        broker.apply(&beat(true)),
        Ok(Answer::Fenced { .. })
    ));
    let received = std::iter::from_fn(|| broker.take_push(link)).count();
    assert_eq!(received, 2, "a fenced node is not heard");
}

#[test]
fn seats_that_nobody_confirms_are_free_again() {
    let mut broker = broker();
    let seats = |registration: &str, wanted| {
        Command::Seats(Seats {
            room: "lobby".into(),
            registration: registration.into(),
            session: 1,
            held: 0,
            wanted,
            total: 3,
            stale: MINUTE,
            table: 5 * MINUTE,
            dead: vec![],
        })
    };
    let granted = |broker: &mut SimRedis, registration, wanted| match broker
        .apply(&seats(registration, wanted))
    {
        Ok(Answer::Seats { granted, .. }) => granted,
        other => panic!("{other:?}"),
    };
    assert_eq!(granted(&mut broker, "a-0.1", 2), 2);
    assert_eq!(granted(&mut broker, "b-0.1", 2), 1);
    broker.advance(MINUTE);
    assert_eq!(granted(&mut broker, "b-0.1", 2), 1);
    broker.advance(Duration::from_micros(1));
    assert_eq!(granted(&mut broker, "b-0.1", 3), 3);
    // A clock that is set back keeps nobody seated.
    let now = broker.now();
    broker.set_now(BrokerTime(now.0 - 3_600_000_000));
    assert_eq!(granted(&mut broker, "c-0.1", 3), 0);
    broker.advance(MINUTE + Duration::from_micros(1));
    assert_eq!(granted(&mut broker, "c-0.1", 3), 3);
}

#[test]
fn a_link_that_does_not_take_its_pushes_is_cut() {
    let mut broker = broker();
    let (slow, quick) = (broker.connect(), broker.connect());
    let push = Command::Notify {
        channel: Channel::Everyone,
        payload: [0; 600].into(),
    };
    for link in [slow, quick] {
        broker.subscribe(link, Channel::Everyone);
    }
    assert_eq!(broker.apply(&push), Ok(Answer::Notify(2)));
    assert!(broker.take_push(quick).is_some());
    assert_eq!(broker.apply(&push), Ok(Answer::Notify(2)));
    assert!(!broker.is_connected(slow));
    assert!(broker.is_connected(quick));
    assert_eq!(broker.apply(&push), Ok(Answer::Notify(1)));
}

#[test]
fn a_server_that_loads_its_data_answers_nothing_else() {
    let mut broker = broker();
    broker.refuse(Some(Failure::Loading));
    assert_eq!(broker.apply(&Command::Ping), Err(Failure::Loading));
    broker.refuse(None);
    assert_eq!(broker.apply(&Command::Ping), Ok(Answer::Ping));
}

#[test]
fn each_key_has_a_time_to_live() {
    let mut broker = broker();
    broker.apply(&append(&broker, 1, "e1")).unwrap();
    let keys: Vec<Key> = broker
        .keys()
        .into_iter()
        .map(|(key, left)| {
            assert!(left.is_some(), "{key:?}");
            key
        })
        .collect();
    assert_eq!(
        keys,
        [Key::Numbers("lobby".into()), Key::Log("lobby".into())]
    );
}
