use std::sync::Arc;

use super::{Claims, Key, Stage};
use crate::ConnectionId;
use crate::cluster::command::BrokerTime;

fn key(number: u32) -> Key {
    let user: Arc<str> = format!("u{number:05}").into();
    let id = ConnectionId {
        slot: number,
        generation: 1,
    };
    (user, id)
}

/// Returns claims that are held, made in this order.
fn held(numbers: impl Iterator<Item = u32>) -> Claims {
    let mut claims = Claims::default();
    for number in numbers {
        let key = key(number);
        claims.make(&key, Some(BrokerTime(u64::from(number))));
        claims.set(&key, Stage::Asked);
        claims.get_mut(&key).expect("it is there").was_sent = true;
        claims.set(&key, Stage::Held);
    }
    assert_eq!(claims.audit(), Ok(()));
    claims
}

/// Has the next ones asked for and answered. Returns who they were.
fn asks(claims: &mut Claims, most: usize) -> Vec<u32> {
    let mut asked = Vec::new();
    while asked.len() < most
        && let Some(key) = claims.first()
    {
        asked.push(key.1.slot);
        claims.set(&key, Stage::Asked);
        claims.set(&key, Stage::Held);
    }
    assert_eq!(claims.audit(), Ok(()));
    asked
}

#[test]
fn another_connection_to_the_broker_moves_no_claim_and_each_is_made_again_once() {
    const MANY: u32 = 10_000;
    let mut claims = held(0..MANY);
    claims.connected();
    assert_eq!((claims.queue.len(), claims.held.len()), (0, 10_000));
    assert!(!claims.is_held(&key(7)));
    let asked = asks(&mut claims, 5_000);
    assert!(asked.into_iter().eq(0..5_000), "the oldest first");
    assert!(claims.is_held(&key(7)));
    // In the middle of that there is another one.
    claims.connected();
    let mut asked = asks(&mut claims, usize::MAX);
    asked.sort_unstable();
    assert!(asked.into_iter().eq(0..MANY));
    assert!(claims.is_held(&key(7)));
}

#[test]
fn who_logs_in_while_claims_are_made_again_takes_turns_with_them() {
    let mut claims = held(0..6);
    claims.connected();
    for number in 10..13 {
        claims.make(&key(number), None);
    }
    let asked = asks(&mut claims, usize::MAX);
    assert_eq!(asked, [0, 10, 1, 11, 2, 12, 3, 4, 5]);
}

#[test]
fn what_was_asked_for_is_asked_for_again_when_the_connection_is_lost() {
    let mut claims = held(0..4);
    for number in [1, 2] {
        claims.set(&key(number), Stage::Asked);
    }
    claims.set(&key(3), Stage::Leaving);
    claims.set(&key(3), Stage::LeavingAsked);
    claims.lost();
    assert_eq!(claims.audit(), Ok(()));
    let stages = [0, 1, 2, 3].map(|it| claims.get_mut(&key(it)).expect("it is there").stage);
    let expected = [Stage::Held, Stage::Wanted, Stage::Wanted, Stage::Leaving];
    assert_eq!(stages, expected);
}

#[test]
fn under_another_registration_no_claim_was_sent_and_the_stamps_of_others_go_before() {
    for forgets in [false, true] {
        let mut claims = held(0..3);
        claims.set(&key(1), Stage::Asked);
        claims.registered_anew(forgets);
        assert_eq!(claims.audit(), Ok(()));
        claims.make(&key(9), Some(BrokerTime(9)));
        for number in [0, 1, 2] {
            let claim = claims.get_mut(&key(number)).expect("it is there");
            assert!(!claim.was_sent);
            let stamp = Some(BrokerTime(u64::from(number)));
            let expected = if forgets {
                (None, stamp)
            } else {
                (stamp, None)
            };
            assert_eq!((claim.stamp, claim.since), expected);
        }
        let claim = claims.get_mut(&key(9)).expect("it is there");
        assert_eq!((claim.stamp, claim.since), (Some(BrokerTime(9)), None));
        assert_eq!(asks(&mut claims, usize::MAX).len(), 4);
    }
}
