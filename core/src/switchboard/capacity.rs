//! Long lists grow by a quarter: what stands empty in them is a fifth at most, and not half.
//!
//! An entry is moved four times on average instead of once, where the allocator moves it at all;
//! large blocks it only maps anew.

use std::collections::{BinaryHeap, VecDeque};

use slab::Slab;

/// Shorter lists grow as they like.
const LONG: usize = 1_024;

/// A list that reserves one place before something is added.
pub(super) trait ReserveOne {
    fn usage(&self) -> (usize, usize);
    fn reserve(&mut self, additional: usize);

    /// Makes room for one more, if the list is long and full.
    fn reserve_one(&mut self) {
        let (len, capacity) = self.usage();
        if len == capacity && len >= LONG {
            self.reserve(len / 4);
        }
    }
}

macro_rules! grow {
    ($list:ident, $($bound:ident)?) => {
        impl<T $(: $bound)?> ReserveOne for $list<T> {
            fn usage(&self) -> (usize, usize) {
                (self.len(), self.capacity())
            }

            fn reserve(&mut self, additional: usize) {
                self.reserve_exact(additional);
            }
        }
    };
}

grow!(Vec,);
grow!(VecDeque,);
grow!(Slab,);
grow!(BinaryHeap, Ord);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "minutes there")]
    fn of_a_long_list_a_fifth_at_most_stands_empty() {
        let mut list: Slab<u64> = Slab::new();
        let mut moved = 0;
        for number in 0..100_000 {
            let before = list.capacity();
            list.reserve_one();
            list.insert(number);
            if list.capacity() != before {
                moved += before;
            }
            let full = list.len() * 5 >= list.capacity() * 4 - 5;
            assert!(full || list.capacity() <= 2 * LONG, "{}", list.capacity());
        }
        assert!(moved <= 5 * list.len(), "{moved}");
    }
}
