//! Growth of long lists by a quarter instead of doubling, so that at most a fifth of a list is
//! unused.
//!
//! An entry is moved four times on average instead of once, unless the allocator can remap large
//! blocks.

/// Shorter lists grow by the default.
const LONG: usize = 1_024;

/// Adds an element to a list.
pub(super) fn push<T>(list: &mut Vec<T>, element: T) {
    if list.len() == list.capacity() && list.len() >= LONG {
        list.reserve_exact(list.len() / 4);
    }
    list.push(element);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under miri")]
    fn of_a_long_list_a_fifth_at_most_stands_empty() {
        let mut list = Vec::new();
        let mut moved = 0;
        for number in 0..100_000_u64 {
            let before = list.capacity();
            push(&mut list, number);
            if list.capacity() != before {
                moved += before;
            }
            let full = list.len() * 5 >= list.capacity() * 4 - 5;
            assert!(full || list.capacity() <= 2 * LONG, "{}", list.capacity());
        }
        assert!(moved <= 5 * list.len(), "{moved}");
    }
}
