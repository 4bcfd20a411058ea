//! One machine of a cluster, and answers by hand.

use std::sync::Arc;
use std::time::Duration;

use switchboard_core::Time;
use switchboard_core::cluster::{
    Answer, Appended, BrokerTime, Channel, Cluster, ClusterConfig, ClusterNotice, Command, Entry,
    Fate, Order, Output, PositionKind, RoomPosition, RoomTerms,
};

const NOW: Time = Time::from_millis(1000);
const HOUR: Duration = Duration::from_secs(3600);

fn outputs(cluster: &mut Cluster) -> Vec<Output> {
    let outputs = std::iter::from_fn(|| cluster.poll()).collect();
    cluster.audit().unwrap();
    outputs
}

/// Rooms that a pipeline asks for.
fn asked(outputs: &[Output]) -> Vec<&str> {
    let mut rooms = Vec::new();
    for output in outputs {
        if let Output::Send(commands) = output {
            for command in commands {
                match command {
                    Command::Sync(sync) => rooms.push(&*sync.room),
                    Command::Append(append) => rooms.push(&*append.room),
                    _ => {}
                }
            }
        }
    }
    rooms
}

fn sync(seq: u64, entries: Vec<Entry>) -> Answer {
    Answer::Sync {
        epoch: "e1".into(),
        seq,
        own: 0,
        version: 0,
        entries,
    }
}

fn connected() -> Cluster {
    connected_with_linger(Duration::ZERO)
}

/// A machine that follows rooms for so long after everybody has left.
fn connected_with_linger(linger: Duration) -> Cluster {
    let mut config = ClusterConfig::new("a-0");
    // No second heartbeat while a test lasts.
    config.lease.beat = HOUR;
    config.lease.lease = 3 * HOUR;
    config.lease.echo = 3 * HOUR;
    config.linger = linger;
    let mut cluster = Cluster::new(config, NOW);
    cluster.tick(NOW);
    assert_eq!(outputs(&mut cluster), [Output::Connect]);
    cluster.connected(NOW, "life-1");
    let told = outputs(&mut cluster);
    let [Output::Subscribe(channels), Output::Send(commands)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(*channels, [Channel::Everyone, Channel::Inbox("a-0".into())]);
    assert!(matches!(commands[..], [Command::Beat(_)]), "{commands:?}");
    let registered = Answer::Beat {
        at: BrokerTime(1),
        peers: Some(Vec::new()),
    };
    cluster.answered(NOW, vec![Ok(registered)]);
    let registered = ClusterNotice::Registered("a-0.1".into());
    assert_eq!(outputs(&mut cluster), [Output::Notice(registered)]);
    cluster
}

#[test]
fn a_room_that_was_left_and_entered_again_is_asked_for_once() {
    let (mut cluster, lobby) = (connected(), Arc::from("lobby"));
    cluster.enter(NOW, &lobby, RoomTerms::default());
    assert_eq!(asked(&outputs(&mut cluster)), ["lobby"]);
    for _ in 0..3 {
        cluster.leave(NOW, &lobby);
        cluster.enter(NOW, &lobby, RoomTerms::default());
    }
    outputs(&mut cluster);
    cluster.answered(NOW, vec![Ok(sync(90, vec![]))]);
    let told = outputs(&mut cluster);
    assert_eq!(asked(&told), ["lobby"]);
    // The answer was to an earlier stay.
    assert!(
        !told.iter().any(|it| matches!(it, Output::Position { .. })),
        "{told:?}"
    );
    cluster.answered(NOW, vec![Ok(sync(93, vec![]))]);
    let start = Output::Position {
        room: lobby,
        epoch: "e1".into(),
        seq: 93,
        kind: PositionKind::Start,
    };
    assert_eq!(outputs(&mut cluster), [start]);
}

#[test]
fn a_push_that_overtook_the_answer_of_its_pipeline_is_delivered_behind_it() {
    let (mut cluster, lobby) = (connected(), Arc::from("lobby"));
    cluster.enter(NOW, &lobby, RoomTerms::default());
    outputs(&mut cluster);
    let channel = Channel::Room(Arc::clone(&lobby));
    cluster.pushed(NOW, &channel, b"1\tM\t8\te1\tb-0\t2\nhi", None);
    assert_eq!(outputs(&mut cluster), []);
    cluster.answered(NOW, vec![Ok(sync(7, vec![]))]);
    let told = outputs(&mut cluster);
    assert!(
        matches!(told[0], Output::Position { seq: 7, .. }),
        "{told:?}"
    );
    assert!(
        matches!(told[1], Output::Deliver { seq: 8, .. }),
        "{told:?}"
    );
    assert_eq!(told.len(), 2);
}

#[test]
fn a_hole_is_read_before_anything_behind_it_is_delivered() {
    let (mut cluster, lobby) = (connected(), Arc::from("lobby"));
    cluster.enter(NOW, &lobby, RoomTerms::default());
    cluster.answered(NOW, vec![Ok(sync(7, vec![]))]);
    outputs(&mut cluster);
    let channel = Channel::Room(Arc::clone(&lobby));
    cluster.pushed(NOW, &channel, b"1\tM\t9\te1\tb-0\t3\nlater", None);
    assert_eq!(asked(&outputs(&mut cluster)), ["lobby"]);
    let missing = Entry {
        seq: 8,
        node: "b-0".into(),
        own: 2,
        body: b"hi"[..].into(),
    };
    cluster.answered(NOW, vec![Ok(sync(9, vec![missing]))]);
    let told = outputs(&mut cluster);
    assert!(
        matches!(told[0], Output::Deliver { seq: 8, .. }),
        "{told:?}"
    );
    assert!(
        matches!(told[1], Output::Deliver { seq: 9, .. }),
        "{told:?}"
    );
    assert_eq!(told.len(), 2);
    assert_eq!(cluster.stats(NOW).gaps, 0);
}

#[test]
fn a_message_to_a_room_without_members_is_numbered_by_its_answer() {
    let (mut cluster, lobby) = (connected(), Arc::from("lobby"));
    let ticket = cluster
        .publish(NOW, &lobby, RoomTerms::default(), b"hi"[..].into())
        .unwrap();
    assert_eq!(asked(&outputs(&mut cluster)), ["lobby"]);
    cluster.answered(NOW, vec![Ok(sync(7, vec![]))]);
    assert_eq!(asked(&outputs(&mut cluster)), ["lobby"]);
    let appended = Answer::Append {
        epoch: "e1".into(),
        fates: vec![Appended::Numbered(8)],
    };
    cluster.answered(NOW, vec![Ok(appended)]);
    let fate = Fate::Numbered("e1".into(), 8);
    assert_eq!(outputs(&mut cluster), [Output::Published { ticket, fate }]);
}

#[test]
fn a_full_outbox_refuses_what_comes_next() {
    let mut config = ClusterConfig::new("a-0");
    // An eighth of it a room.
    config.outbox_messages = 16;
    let (mut cluster, lobby) = (Cluster::new(config, NOW), Arc::from("lobby"));
    let mut publish = || cluster.publish(NOW, &lobby, RoomTerms::default(), b"hi"[..].into());
    assert!(publish().is_ok() && publish().is_ok());
    assert!(publish().is_err());
}

/// A machine whose members of the lobby are at number 7 of `e1`.
fn in_the_lobby() -> (Cluster, Arc<str>) {
    let (mut cluster, lobby) = (connected(), Arc::from("lobby"));
    cluster.enter(NOW, &lobby, RoomTerms::default());
    cluster.answered(NOW, vec![Ok(sync(7, vec![]))]);
    outputs(&mut cluster);
    (cluster, lobby)
}

#[test]
fn what_the_log_no_longer_has_is_told_as_lost() {
    let (mut cluster, lobby) = in_the_lobby();
    let channel = Channel::Room(Arc::clone(&lobby));
    cluster.pushed(NOW, &channel, b"1\tM\t9\te1\tb-0\t3\nkept", None);
    outputs(&mut cluster);
    cluster.answered(NOW, vec![Ok(sync(12, vec![]))]);
    let told = outputs(&mut cluster);
    let lost = |from, to| Output::Skip {
        room: Arc::clone(&lobby),
        from,
        to,
        lost: true,
    };
    assert_eq!(told[0], lost(8, 8));
    assert!(
        matches!(told[1], Output::Deliver { seq: 9, .. }),
        "{told:?}"
    );
    assert_eq!(told[2..], [lost(10, 12)]);
    assert_eq!(cluster.stats(NOW).gaps, 4);
}

#[test]
fn where_nothing_lies_between_two_positions_nothing_is_read() {
    let (mut cluster, lobby) = in_the_lobby();
    for (after, before) in [(0, 0), (3, 0), (3, 4), (u64::MAX, u64::MAX)] {
        let wanted = cluster.recall(NOW, &lobby, &Arc::from("e1"), after, before);
        let told = outputs(&mut cluster);
        let [
            Output::Recalled {
                ticket, entries, ..
            },
        ] = &told[..]
        else {
            panic!("{told:?}");
        };
        assert_eq!((*ticket, &entries[..]), (wanted, &[][..]));
    }
}

/// Else the log would be read again and again.
#[test]
fn a_number_that_the_log_does_not_have_is_of_no_node() {
    let (mut cluster, lobby) = in_the_lobby();
    let channel = Channel::Room(Arc::clone(&lobby));
    for number in [u64::MAX, 9] {
        for number in [number, 0] {
            let forged = format!("1\tM\t{number}\te1\tghost-0\t3\nforged");
            cluster.pushed(NOW, &channel, forged.as_bytes(), None);
        }
        assert_eq!(asked(&outputs(&mut cluster)), ["lobby"]);
        // The second one arrived after the log was asked for.
        cluster.answered(NOW, vec![Ok(sync(7, vec![]))]);
        assert_eq!(outputs(&mut cluster), [], "{number}");
    }
    cluster.pushed(NOW, &channel, b"1\tM\t8\te1\tb-0\t2\nhi", None);
    let told = outputs(&mut cluster);
    assert!(
        matches!(told[..], [Output::Deliver { seq: 8, .. }]),
        "{told:?}"
    );
}

#[test]
fn a_message_is_answered_though_its_number_went_to_one_of_no_node() {
    let (mut cluster, lobby) = in_the_lobby();
    let channel = Channel::Room(Arc::clone(&lobby));
    let terms = RoomTerms::default();
    let ticket = cluster.publish(NOW, &lobby, terms, b"hi"[..].into());
    let ticket = ticket.expect("a place in the outbox");
    outputs(&mut cluster);
    cluster.pushed(NOW, &channel, b"1\tM\t8\te1\tghost-0\t3\nforged", None);
    outputs(&mut cluster);
    // Where the answer comes first, the message is known to be in the log when it arrives.
    let answer = Answer::Append {
        epoch: "e1".into(),
        fates: vec![Appended::Numbered(8)],
    };
    cluster.answered(NOW, vec![Ok(answer)]);
    cluster.pushed(NOW, &channel, b"1\tM\t8\te1\ta-0\t1\nhi", None);
    let fate = Fate::Numbered("e1".into(), 8);
    assert_eq!(outputs(&mut cluster), [Output::Published { ticket, fate }]);
    // Again: there is nothing left to answer.
    cluster.pushed(NOW, &channel, b"1\tM\t8\te1\ta-0\t1\nhi", None);
    assert_eq!(outputs(&mut cluster), []);
}

#[test]
fn a_room_without_a_common_order_is_followed_for_a_while_too() {
    let linger = Duration::from_secs(30);
    let (mut cluster, lobby) = (connected_with_linger(linger), Arc::from("lobby"));
    let terms = RoomTerms {
        order: Order::Local,
        ..RoomTerms::default()
    };
    let start = |told: &[Output]| {
        let mut positions = told.iter().filter_map(|it| match it {
            Output::Position { epoch, seq, .. } => Some((Arc::clone(epoch), *seq)),
            _ => None,
        });
        positions.next().expect("a position")
    };
    cluster.enter(NOW, &lobby, terms);
    let (epoch, seq) = start(&outputs(&mut cluster));
    assert_eq!(seq, 0);
    cluster
        .publish(NOW, &lobby, terms, b"hi"[..].into())
        .expect("a place in the outbox");
    cluster.leave(NOW, &lobby);
    let channel = Channel::Room(Arc::clone(&lobby));
    cluster.pushed(NOW, &channel, b"1\tL\tb-0\t5\t1\nhi", None);
    let told = outputs(&mut cluster);
    let delivered = |it: &&Output| matches!(it, Output::Deliver { .. });
    assert_eq!(told.iter().filter(delivered).count(), 2, "{told:?}");
    cluster.enter(NOW, &lobby, terms);
    assert_eq!(start(&outputs(&mut cluster)), (Arc::clone(&epoch), 2));

    cluster.leave(NOW, &lobby);
    cluster.tick(NOW + linger);
    let told = outputs(&mut cluster);
    assert!(
        told.contains(&Output::Unsubscribe(vec![channel])),
        "{told:?}"
    );
    cluster.enter(NOW + linger, &lobby, terms);
    let (another, seq) = start(&outputs(&mut cluster));
    assert_eq!(seq, 0);
    assert_ne!(another, epoch);
}

#[test]
fn an_epoch_that_began_after_the_answer_is_read_too() {
    let (mut cluster, lobby) = (connected(), Arc::from("lobby"));
    cluster.enter(NOW, &lobby, RoomTerms::default());
    outputs(&mut cluster);
    let channel = Channel::Room(Arc::clone(&lobby));
    cluster.pushed(NOW, &channel, b"1\tM\t1\te2\tb-0\t3\nnew", None);
    cluster.answered(NOW, vec![Ok(sync(7, vec![]))]);
    assert_eq!(asked(&outputs(&mut cluster)), ["lobby"]);
}

/// As a node sees it that goes from one of two brokers to the other, and back.
#[test]
fn a_room_that_is_back_in_an_epoch_goes_on_where_it_was() {
    let (mut cluster, lobby) = in_the_lobby();
    let channel = Channel::Room(Arc::clone(&lobby));
    let entry = |seq: u64, own: u64| Entry {
        seq,
        node: "b-0".into(),
        own,
        body: b"hi"[..].into(),
    };
    let moved = |epoch: &str, seq| Output::Position {
        room: Arc::clone(&lobby),
        epoch: epoch.into(),
        seq,
        kind: PositionKind::NewEpoch,
    };
    cluster.pushed(NOW, &channel, b"1\tM\t1\te2\tb-0\t8\nhi", None);
    outputs(&mut cluster);
    let other = Answer::Sync {
        epoch: "e2".into(),
        seq: 1,
        own: 0,
        version: 0,
        entries: vec![entry(1, 8)],
    };
    cluster.answered(NOW, vec![Ok(other)]);
    let told = outputs(&mut cluster);
    assert_eq!(told[0], moved("e2", 0));
    assert!(
        matches!(told[1..], [Output::Deliver { seq: 1, .. }]),
        "{told:?}"
    );
    cluster.pushed(NOW, &channel, b"1\tM\t9\te1\tb-0\t10\nhi", None);
    outputs(&mut cluster);
    // The members had what was up to 7 before the node saw any of it.
    let entries = vec![entry(6, 4), entry(7, 5), entry(8, 9), entry(9, 10)];
    cluster.answered(NOW, vec![Ok(sync(9, entries))]);
    let told = outputs(&mut cluster);
    assert_eq!(told[0], moved("e1", 7));
    assert!(
        matches!(
            told[1..],
            [
                Output::Deliver { seq: 8, .. },
                Output::Deliver { seq: 9, .. }
            ]
        ),
        "{told:?}"
    );
}

#[test]
fn a_push_that_was_lost_without_a_sign_is_found_by_a_probe() {
    let (mut cluster, _) = in_the_lobby();
    let probe = ClusterConfig::new("a-0").probe;
    cluster.tick(NOW + probe);
    let told = outputs(&mut cluster);
    let [Output::Send(commands)] = &told[..] else {
        panic!("{told:?}");
    };
    assert!(
        matches!(commands[..], [Command::Position(_)]),
        "{commands:?}"
    );
    let position = RoomPosition {
        epoch: "e1".into(),
        seq: 8,
        version: 0,
        users: 0,
    };
    cluster.answered(NOW + probe, vec![Ok(Answer::Position(Some(position)))]);
    assert_eq!(asked(&outputs(&mut cluster)), ["lobby"]);
}

#[test]
fn own_numbers_go_on_where_node_and_broker_have_forgotten_them() {
    let (mut cluster, lobby) = (connected(), Arc::from("lobby"));
    for own in 1..=2 {
        cluster
            .publish(NOW, &lobby, RoomTerms::default(), b"hi"[..].into())
            .unwrap();
        outputs(&mut cluster);
        cluster.answered(NOW, vec![Ok(sync(0, vec![]))]);
        let told = outputs(&mut cluster);
        let [Output::Send(commands)] = &told[..] else {
            panic!("{told:?}");
        };
        let [Command::Append(append)] = &commands[..] else {
            panic!("{commands:?}");
        };
        assert_eq!(append.first, own);
        let answer = Answer::Append {
            epoch: format!("e{own}").into(),
            fates: vec![Appended::Numbered(1)],
        };
        cluster.answered(NOW, vec![Ok(answer)]);
        outputs(&mut cluster);
    }
}
