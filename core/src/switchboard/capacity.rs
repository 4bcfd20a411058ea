//! Growth of long lists by a quarter instead of doubling, so that at most a fifth of a list is
//! unused.
//!
//! An entry is moved four times on average instead of once, unless the allocator can remap large
//! blocks.

use std::collections::{BinaryHeap, VecDeque};

use slab::Slab;

/// Shorter lists grow by the default.
const LONG: usize = 1_024;

/// A list that reserves memory before an element is added.
pub(super) trait ReserveOne {
    fn usage(&self) -> (usize, usize);
    fn reserve(&mut self, additional: usize);

    /// Reserves memory for further elements, if the list is long and full.
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
    #[cfg_attr(miri, ignore = "takes minutes under miri")]
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
