use std::net::IpAddr;

use super::*;
use crate::IpKey;
use crate::switchboard::action::Action;

const INTERVAL: Duration = Duration::from_secs(20);

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn connected(number: usize) -> (Table, Vec<ConnectionId>) {
    let mut table = Table::default();
    let ip = IpKey::of(IpAddr::from([127, 0, 0, 1]));
    let insert = |_| table.insert(ConnectionState::new(ip, Time::ZERO, Time::MAX));
    let ids = (0..number).map(insert).collect();
    (table, ids)
}

#[test]
fn the_next_ping_waits_for_the_answer_to_the_previous_one() {
    let (mut table, ids) = connected(1);
    let mut liveness = Liveness::default();
    let mut effects = Effects::default();
    let mut rng = fastrand::Rng::with_seed(1);
    start(table.get_mut(ids[0]).unwrap(), &mut rng, INTERVAL, at(0));
    let first = table.get_mut(ids[0]).unwrap().next_ping;
    assert!(first > at(0) && first <= at(0) + INTERVAL);
    let connection = table.get_mut(ids[0]).unwrap();
    assert!(due(connection, INTERVAL, first));
    assert_eq!(connection.next_ping, first + INTERVAL);
    let payload = liveness.number();
    sent(connection, payload, false, first);
    // While it is queued it serves for further intervals, and once written it is waited for.
    assert!(!due(connection, INTERVAL, first + INTERVAL));
    connection.ping.as_mut().unwrap().deadline = Time::MAX.before(INTERVAL);
    assert!(!due(connection, INTERVAL, first + INTERVAL * 2));
    let late = first + Duration::from_millis(7);
    let answer = liveness.answered(&mut table, &mut effects, ids[0], payload, late);
    let expected = Answer {
        rtt: Duration::from_millis(7),
        of_interval: true,
    };
    assert_eq!(answer, Some(expected));
    let again = liveness.answered(&mut table, &mut effects, ids[0], payload, late);
    assert_eq!(again, None);
    assert!(due(
        table.get_mut(ids[0]).unwrap(),
        INTERVAL,
        first + INTERVAL * 3
    ));
}

/// Asks all these connections. Returns the ticket and the payloads.
fn ask_all(
    liveness: &mut Liveness,
    (table, effects): (&mut Table, &mut Effects),
    ids: &[ConnectionId],
) -> (u64, Vec<u64>) {
    let asking = liveness.begin("ann", (ids.len(), 0), INTERVAL);
    let payloads = ids
        .iter()
        .map(|&id| liveness.ask(table, &asking, id, at(0)))
        .map(|payload| payload.expect("it is there"))
        .collect();
    liveness.all_asked(effects, &asking, at(0));
    (asking.ticket, payloads)
}

#[test]
fn a_question_is_concluded_when_all_have_answered_or_ended() {
    let (mut table, ids) = connected(2);
    let mut liveness = Liveness::default();
    let mut effects = Effects::default();
    let (ticket, payloads) = ask_all(&mut liveness, (&mut table, &mut effects), &ids);
    let rtt = Duration::from_millis(5);
    let answer = liveness.answered(&mut table, &mut effects, ids[0], payloads[0], at(5));
    assert_eq!(answer.map(|answer| answer.rtt), Some(rtt));
    assert!(effects.is_empty());
    liveness.forget(&mut table, &mut effects, ids[1]);
    let results = vec![
        PingResult {
            id: ids[0],
            rtt: Some(rtt),
        },
        PingResult {
            id: ids[1],
            rtt: None,
        },
    ];
    let notice = Notice::Pinged { ticket, results };
    assert_eq!(effects.next_action(), Some(Action::Notify(notice)));
    assert_eq!(liveness.next(), None);
    liveness.audit().unwrap();
}

#[test]
fn a_question_is_concluded_at_its_timeout_and_a_later_answer_is_none_of_ours() {
    let (mut table, ids) = connected(1);
    let mut liveness = Liveness::default();
    let mut effects = Effects::default();
    let (_, payloads) = ask_all(&mut liveness, (&mut table, &mut effects), &ids);
    assert_eq!(liveness.next(), Some(at(20_000)));
    liveness.tick(&mut effects, at(19_999));
    assert!(effects.is_empty());
    liveness.tick(&mut effects, at(20_000));
    assert!(!effects.is_empty());
    let late = liveness.answered(&mut table, &mut effects, ids[0], payloads[0], at(20_001));
    assert_eq!(late, None);
}

#[test]
fn a_question_waits_until_all_are_asked_and_its_time_begins_then() {
    let (mut table, ids) = connected(2);
    let mut liveness = Liveness::default();
    let mut effects = Effects::default();
    let asking = liveness.begin("ann", (2, 0), INTERVAL);
    let first = liveness.ask(&mut table, &asking, ids[0], at(0)).unwrap();
    liveness.answered(&mut table, &mut effects, ids[0], first, at(5));
    assert!(effects.is_empty() && liveness.next().is_none());
    let second = liveness.ask(&mut table, &asking, ids[1], at(10)).unwrap();
    liveness.all_asked(&mut effects, &asking, at(10));
    assert_eq!(liveness.next(), Some(at(10) + INTERVAL));
    liveness.answered(&mut table, &mut effects, ids[1], second, at(13));
    let result = |id, millis| PingResult {
        id,
        rtt: Some(Duration::from_millis(millis)),
    };
    let notice = Notice::Pinged {
        ticket: asking.ticket,
        results: vec![result(ids[0], 5), result(ids[1], 3)],
    };
    assert_eq!(effects.next_action(), Some(Action::Notify(notice)));
    assert_eq!(liveness.next(), None);
}

#[test]
fn probes_that_nobody_answers_are_dropped_with_the_next_one() {
    let (mut table, ids) = connected(1);
    let mut liveness = Liveness::default();
    let mut effects = Effects::default();
    for _ in 0..3 {
        ask_all(&mut liveness, (&mut table, &mut effects), &ids);
        liveness.tick(&mut effects, at(20_000));
        let probes = table.get_mut(ids[0]).unwrap().probes();
        assert_eq!(probes.len(), 1);
    }
}
