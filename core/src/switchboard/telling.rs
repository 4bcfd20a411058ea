//! Users with many connections, in whose rooms something else is to be told of them.

use std::collections::VecDeque;
use std::sync::Arc;

/// A walk through the connections that a user had when it began. Places are those in the order of
/// admission.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) user: Arc<str>,
    /// The place after which connections are still to be looked at.
    pub(super) after: u64,
    /// The last place of them.
    pub(super) last: u64,
}

impl Telling {
    pub(super) const fn new(user: Arc<str>, last: u64) -> Self {
        Self {
            user,
            after: 0,
            last,
        }
    }
}

/// Walks that are not through, the first one to go on first.
#[derive(Debug, Default)]
pub(super) struct Tellings(VecDeque<Telling>);

impl Tellings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a walk, which takes the place of one through the same connections that has not begun.
    pub(super) fn add(&mut self, telling: Telling) {
        let mut others = self.0.iter_mut();
        match others.find(|other| other.after == 0 && other.user == telling.user) {
            Some(other) => other.last = telling.last,
            None => self.0.push_back(telling),
        }
    }

    /// Takes the walk that is to go on.
    pub(super) fn next(&mut self) -> Option<Telling> {
        self.0.pop_front()
    }

    /// Gives back a walk that is not through.
    pub(super) fn go_on(&mut self, telling: Telling) {
        self.0.push_front(telling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_that_has_not_begun_serves_for_later_changes_of_the_same_user() {
        let (ann, ben): (Arc<str>, Arc<str>) = ("ann".into(), "ben".into());
        let mut tellings = Tellings::default();
        for (user, last) in [(&ann, 10), (&ben, 20), (&ann, 30)] {
            tellings.add(Telling::new(user.clone(), last));
        }
        let mut first = tellings.next().unwrap();
        assert_eq!((first.user.clone(), first.last), (ann.clone(), 30));
        first.after = 5;
        tellings.go_on(first);
        tellings.add(Telling::new(ann.clone(), 40));
        let rest = std::iter::from_fn(|| tellings.next());
        let rest = rest.map(|it| (it.user, it.after, it.last));
        assert!(rest.eq([(ann.clone(), 5, 30), (ben, 0, 20), (ann, 0, 40)]));
        assert!(tellings.is_empty());
    }
}
