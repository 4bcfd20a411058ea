//! Growth of lists by less than doubling, as there are many short lists, and the long ones are large: at
//! most a fifth is unused, and of the shortest three elements.
//!
//! An entry is moved four times on average, instead of once, unless the allocator can remap large blocks.

/// The least growth.
const LEAST: usize = 4;

/// Returns by how many elements a list grows that is full with so many.
pub(super) const fn growth(len: usize) -> usize {
    match len {
        0..8 => LEAST,
        _ => len / 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under miri")]
    fn of_a_list_a_fifth_at_most_stands_empty_but_for_the_shortest() {
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
            let most = (list.capacity() / 5).max(LEAST - 1);
            assert!(empty <= most, "{empty} of {}", list.capacity());
        }
        assert!(moved <= 5 * list.len(), "{moved}");
    }
}
