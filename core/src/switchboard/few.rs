//! Lists that mostly have one element.

use std::ops::{Deref, DerefMut};

use smallvec::{SmallVec, smallvec};

/// A list, mostly of one element, which takes no memory of its own then. It is smaller than a `SmallVec` of one.
#[derive(Clone, Debug, Default)]
pub(super) enum Few<T> {
    #[default]
    None,
    One(T),
    /// Until the list is empty.
    More(Box<SmallVec<[T; 3]>>),
}

impl<T> Few<T> {
    pub(super) fn push(&mut self, element: T) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(element),
            Self::One(first) => Self::More(Box::new(smallvec![first, element])),
            Self::More(mut elements) => {
                elements.push(element);
                Self::More(elements)
            }
        };
    }

    /// Removes an element, and moves the last one to its place.
    ///
    /// # Panics
    /// If there is no such element.
    pub(super) fn swap_remove(&mut self, at: usize) -> T {
        let removed = match std::mem::take(self) {
            Self::None => None,
            Self::One(only) => Some(only).filter(|_| at == 0),
            Self::More(mut elements) => {
                let removed = elements.swap_remove(at);
                if !elements.is_empty() {
                    *self = Self::More(elements);
                }
                Some(removed)
            }
        };
        removed.expect("the element is there")
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::More(elements) => elements,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(only) => std::slice::from_mut(only),
            Self::More(elements) => elements,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_like_a_vector() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut few, mut plain) = (Few::default(), Vec::new());
        for step in 0..2_000_u32 {
            if plain.is_empty() || rng.u8(..8) < 4 {
                few.push(step);
                plain.push(step);
            } else {
                let at = rng.usize(..plain.len());
                assert_eq!(few.swap_remove(at), plain.swap_remove(at));
            }
            if let Some(last) = few.last_mut() {
                *last += 1;
                *plain.last_mut().expect("there are as many") += 1;
            }
            assert_eq!(*few, *plain);
        }
    }
}
