//! L8: how often the writers look at members and connections.

use super::super::Log;
use super::super::entry::Kind;
use super::super::history::Origin;
use super::super::limits::{LagRule, Limits, Rule, Slow};
use super::super::recovery::{Identity, Markers, StartAt};
use super::super::turn::Turn;
use crate::{ConnectionId, Frame};

const LIMITS: Limits = Limits {
    own_bytes: 1_000_000,
    own_messages: 10_000,
    held: usize::MAX,
    history_bytes: 0,
    dormant_rooms: 0,
    contexts: 0,
};

struct None;

impl Markers for None {
    fn skip(&mut self, _: u32, _: u64, _: u64) -> Option<Frame> {
        Option::None
    }

    fn gap(&mut self, _: u32, _: u64, _: u64) -> Option<Frame> {
        Option::None
    }
}

#[test]
fn while_everybody_can_be_written_to_each_message_costs_one_visit_of_each_member_and_excluded_one()
{
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut log = Log::new(LIMITS);
        let ids: Vec<_> = (0..rng.u32(2..60))
            .map(|slot| ConnectionId {
                slot,
                generation: 1,
            })
            .collect();
        for &id in &ids {
            log.open(id);
        }
        let rule = Rule {
            lag: LagRule {
                slow: Slow::Disconnect,
                messages: 1_000,
                bytes: 1_000_000,
            },
            history: Option::None,
            latest: Option::None,
            contexts: false,
        };
        let rooms: Vec<(u32, Vec<u32>)> = (0..rng.usize(1..6))
            .map(|_| {
                let key = log.create_room(rule);
                let mut members = Vec::new();
                for &id in &ids {
                    if rng.bool() {
                        log.join(id, key, StartAt::End, Identity::default());
                        members.push(id.slot);
                    }
                }
                (key, members)
            })
            .collect();
        let (mut allowed, mut turns) = (0, 0);
        for _ in 0..rng.usize(1..40) {
            for _ in 0..rng.usize(1..8) {
                let (key, members) = &rooms[rng.usize(..rooms.len())];
                let excluded: Vec<u32> = members
                    .iter()
                    .copied()
                    .filter(|_| rng.u8(..8) == 0)
                    .collect();
                let frame = Frame::text("hello");
                log.publish(*key, frame, Kind::Numbered, &excluded, Origin::default())
                    .expect("it is not full");
                allowed += members.len() + excluded.len();
                if rng.bool() {
                    // An acknowledgement.
                    let id = ids[rng.usize(..ids.len())];
                    log.push_own(id, Frame::text("ack")).expect("it fits");
                    allowed += 1;
                }
            }
            let rounds = if rng.bool() {
                usize::MAX
            } else {
                rng.usize(..3)
            };
            for _ in 0..rounds {
                if !log.wants_write() {
                    break;
                }
                turns += 1;
                let mut turn = Turn::default();
                log.take(&mut turn, rng.usize(1..33), &mut None);
                for at in 0..turn.len() {
                    let bytes = turn.job(at).expect("there is a job").1.len();
                    turn.wrote(at, bytes);
                }
                log.report(&mut turn);
            }
        }
        assert!(
            log.visits <= allowed,
            "{seed}: {} visits in {turns} turns, at most {allowed}",
            log.visits
        );
    }
}
