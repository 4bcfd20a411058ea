//! Growth of lists by less than doubling, as there are many short lists, and the long ones are large: of
//! a short list at most a third is unused, of a long one a fifth.
//!
//! An entry is moved twice on average in a short list and four times in a long one, instead of once,
//! unless the allocator can remap large blocks.

/// Longer lists grow by a quarter.
const LONG: usize = 1_024;

/// The least growth.
const LEAST: usize = 4;

/// Returns by how many elements a list grows that is full with so many.
pub(super) const fn growth(len: usize) -> usize {
    match len {
        0..8 => LEAST,
        8..LONG => len / 2,
        _ => len / 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under miri")]
    fn of_a_list_a_third_at_most_stands_empty_and_of_a_long_one_a_fifth() {
        let mut list = Vec::new();
        let mut moved = 0;
        for number in 0..100_000_u64 {
            let before = list.capacity();
            if list.len() == list.capacity() {
                list.reserve_exact(growth(list.len()));
            }
            list.push(number);
            if list.capacity() != before {
                moved += before;
            }
            let empty = list.capacity() - list.len();
            let part = if list.capacity() > 2 * LONG { 5 } else { 3 };
            let most = (list.capacity() / part).max(LEAST);
            assert!(empty <= most, "{empty} of {}", list.capacity());
        }
        assert!(moved <= 5 * list.len(), "{moved}");
    }
}
