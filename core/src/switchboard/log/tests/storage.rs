//! The storage against the plain collections that it stands for.

use std::collections::VecDeque;

use super::super::ring::Ring;

#[test]
fn a_ring_in_segments_is_a_queue() {
    let mut rng = fastrand::Rng::with_seed(2);
    let (mut queue, mut plain) = (Ring::default(), VecDeque::new());
    for step in 0..20_000 {
        if rng.u8(..8) < if step < 12_000 { 5 } else { 3 } {
            queue.push_back(step);
            plain.push_back(step);
        } else {
            assert_eq!(queue.pop_front(), plain.pop_front());
        }
        let at = rng.usize(..plain.len() + 2);
        assert_eq!(queue.get(at), plain.get(at));
        assert_eq!(queue.front(), plain.front());
        assert_eq!(
            (queue.len(), queue.is_empty()),
            (plain.len(), plain.is_empty())
        );
    }
    assert!(queue.iter().eq(&plain));
}

#[test]
fn a_ring_that_is_swept_is_a_queue_without_what_the_sweep_has_taken_out() {
    let mut rng = fastrand::Rng::with_seed(4);
    let (mut queue, mut plain) = (Ring::default(), VecDeque::new());
    let mut sweeps = 0;
    for step in 0..40_000 {
        match rng.u8(..16) {
            0..8 => {
                queue.push_back(step);
                plain.push_back(step);
            }
            8..10 => assert_eq!(queue.pop_front(), plain.pop_front()),
            10 if !queue.is_swept() => {
                queue.begin_sweep();
                sweeps += usize::from(queue.is_swept());
            }
            _ if queue.is_swept() => {
                for _ in 0..rng.usize(..12) {
                    let at = queue.swept();
                    let stays = rng.u8(..8) > 0;
                    let next = plain.get(at).copied().filter(|_| queue.is_swept());
                    assert!(!queue.is_swept() || queue.get(at) == next.as_ref());
                    let taken = next.filter(|_| !stays).and_then(|_| plain.remove(at));
                    assert_eq!(queue.sweep(stays), taken);
                }
            }
            _ => {}
        }
        let at = rng.usize(..plain.len() + 2);
        assert_eq!(queue.get(at), plain.get(at));
        assert_eq!(queue.get_mut(at), plain.get_mut(at));
        assert_eq!(queue.front(), plain.front());
        assert_eq!(
            (queue.len(), queue.is_empty()),
            (plain.len(), plain.is_empty())
        );
    }
    assert!(sweeps > 10 && plain.len() > 2_000, "{sweeps} sweeps");
    assert!(queue.iter().eq(&plain));
    assert!(queue.into_iter().eq(plain));
}
