//! A queue in segments, so that neither growing nor sweeping it takes long.

use std::collections::VecDeque;

/// Elements of a segment.
const SEGMENT: usize = 128;

/// A queue of which any part can be swept.
#[derive(Debug)]
pub(super) struct SegmentedQueue<T> {
    /// No segment is empty.
    segments: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T> Default for SegmentedQueue<T> {
    fn default() -> Self {
        Self {
            segments: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> SegmentedQueue<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.segments.front()?.front()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.segments.back()?.back()
    }

    pub(super) fn push_back(&mut self, element: T) {
        self.len += 1;
        match self.segments.back_mut() {
            Some(last) if last.len() < SEGMENT => last.push_back(element),
            _ => {
                // The first one grows with its elements: most nodes are small.
                let capacity = if self.segments.is_empty() { 0 } else { SEGMENT };
                let mut segment = VecDeque::with_capacity(capacity);
                segment.push_back(element);
                self.segments.push_back(segment);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let segment = self.segments.front_mut()?;
        let element = segment.pop_front();
        if segment.is_empty() {
            self.segments.pop_front();
        }
        self.len -= usize::from(element.is_some());
        element
    }

    pub(super) fn pop_back(&mut self) -> Option<T> {
        let segment = self.segments.back_mut()?;
        let element = segment.pop_back();
        if segment.is_empty() {
            self.segments.pop_back();
        }
        self.len -= usize::from(element.is_some());
        element
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments.iter().flatten()
    }

    /// Removes the elements of a segment for which `keep` returns `false`. Returns the number of the
    /// next segment, or `None` after the last.
    pub(super) fn sweep(&mut self, segment: usize, keep: impl FnMut(&T) -> bool) -> Option<usize> {
        let swept = self.segments.get_mut(segment)?;
        let before = swept.len();
        swept.retain(keep);
        let left = swept.len();
        self.len -= before - left;
        if left == 0 {
            self.segments.remove(segment);
            return (segment < self.segments.len()).then_some(segment);
        }
        if left < SEGMENT / 4 {
            swept.shrink_to_fit();
        }
        (segment + 1 < self.segments.len()).then_some(segment + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_like_a_plain_queue() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut queue, mut plain) = (SegmentedQueue::default(), VecDeque::new());
        let (mut next, mut segment) = (0, 0);
        for step in 0..30_000 {
            let grows = step / 3_000 % 2 == 0;
            match rng.u8(0..16) {
                0 => assert_eq!(queue.pop_back(), plain.pop_back()),
                1 => {
                    let odd = rng.u32(2..9);
                    let before: Vec<u32> = queue.iter().copied().collect();
                    segment = queue
                        .sweep(segment, |number| number % odd != 0)
                        .unwrap_or(0);
                    let after: Vec<u32> = queue.iter().copied().collect();
                    let gone = |number: &u32| before.contains(number) && !after.contains(number);
                    assert!(before.iter().filter(|it| gone(it)).all(|it| it % odd == 0));
                    plain.retain(|number| !gone(number));
                }
                2..=9 if grows => {
                    queue.push_back(next);
                    plain.push_back(next);
                    next += 1;
                }
                _ if !grows => assert_eq!(queue.pop_front(), plain.pop_front()),
                _ => {}
            }
            assert_eq!(queue.len(), plain.len());
            assert_eq!((queue.front(), queue.back()), (plain.front(), plain.back()));
        }
        assert!(queue.iter().eq(plain.iter()));
    }

    #[test]
    fn sweeping_segment_after_segment_comes_to_all_elements() {
        let mut queue = SegmentedQueue::default();
        (0..10_000).for_each(|number| queue.push_back(number));
        let mut segment = Some(0);
        while let Some(at) = segment {
            segment = queue.sweep(at, |number| number % 7 == 0);
        }
        assert_eq!(queue.len(), queue.iter().count());
        assert!(queue.iter().copied().eq((0..10_000).step_by(7)));
    }
}
