//! A queue in pieces, so that neither growing nor sweeping it takes long.

use std::collections::VecDeque;

/// Elements of a piece.
const PIECE: usize = 512;

/// A queue of which any part can be swept.
#[derive(Debug)]
pub(super) struct Lane<T> {
    /// No piece is empty.
    pieces: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self {
            pieces: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> Lane<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.pieces.front()?.front()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.pieces.back()?.back()
    }

    pub(super) fn push_back(&mut self, element: T) {
        self.len += 1;
        match self.pieces.back_mut() {
            Some(last) if last.len() < PIECE => last.push_back(element),
            _ => {
                // The first one grows with its elements: most nodes are small.
                let capacity = if self.pieces.is_empty() { 0 } else { PIECE };
                let mut piece = VecDeque::with_capacity(capacity);
                piece.push_back(element);
                self.pieces.push_back(piece);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let piece = self.pieces.front_mut()?;
        let element = piece.pop_front();
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        self.len -= usize::from(element.is_some());
        element
    }

    pub(super) fn pop_back(&mut self) -> Option<T> {
        let piece = self.pieces.back_mut()?;
        let element = piece.pop_back();
        if piece.is_empty() {
            self.pieces.pop_back();
        }
        self.len -= usize::from(element.is_some());
        element
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    /// Removes the elements of a piece for which `keep` returns `false`. Returns the number of the
    /// next piece, or `None` after the last.
    pub(super) fn sweep(&mut self, piece: usize, keep: impl FnMut(&T) -> bool) -> Option<usize> {
        let swept = self.pieces.get_mut(piece)?;
        let before = swept.len();
        swept.retain(keep);
        let left = swept.len();
        self.len -= before - left;
        if left == 0 {
            self.pieces.remove(piece);
            return (piece < self.pieces.len()).then_some(piece);
        }
        if left < PIECE / 4 {
            swept.shrink_to_fit();
        }
        (piece + 1 < self.pieces.len()).then_some(piece + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_like_a_plain_queue() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut lane, mut plain) = (Lane::default(), VecDeque::new());
        let (mut next, mut piece) = (0, 0);
        for step in 0..30_000 {
            let grows = step / 3_000 % 2 == 0;
            match rng.u8(0..16) {
                0 => assert_eq!(lane.pop_back(), plain.pop_back()),
                1 => {
                    let odd = rng.u32(2..9);
                    let before: Vec<u32> = lane.iter().copied().collect();
                    piece = lane.sweep(piece, |number| number % odd != 0).unwrap_or(0);
                    let after: Vec<u32> = lane.iter().copied().collect();
                    let gone = |number: &u32| before.contains(number) && !after.contains(number);
                    assert!(before.iter().filter(|it| gone(it)).all(|it| it % odd == 0));
                    plain.retain(|number| !gone(number));
                }
                2..=9 if grows => {
                    lane.push_back(next);
                    plain.push_back(next);
                    next += 1;
                }
                _ if !grows => assert_eq!(lane.pop_front(), plain.pop_front()),
                _ => {}
            }
            assert_eq!(lane.len(), plain.len());
            assert_eq!((lane.front(), lane.back()), (plain.front(), plain.back()));
        }
        assert!(lane.iter().eq(plain.iter()));
    }

    #[test]
    fn sweeping_piece_after_piece_comes_to_all_elements() {
        let mut lane = Lane::default();
        (0..10_000).for_each(|number| lane.push_back(number));
        let mut piece = Some(0);
        while let Some(at) = piece {
            piece = lane.sweep(at, |number| number % 7 == 0);
        }
        assert_eq!(lane.len(), lane.iter().count());
        assert!(lane.iter().copied().eq((0..10_000).step_by(7)));
    }
}
