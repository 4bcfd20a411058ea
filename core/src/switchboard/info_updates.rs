//! Changes of the presence info of users with many connections, announced to their rooms in parts.

use std::collections::VecDeque;
use std::sync::Arc;

/// A walk over the connections that a user had when their presence info changed. A place is a
/// connection's position in the order of admission.
#[derive(Debug)]
pub(super) struct InfoUpdate {
    pub(super) user: Arc<str>,
    /// The place of the last connection that was visited.
    pub(super) after: u64,
    /// The place of the last connection to visit.
    pub(super) last: u64,
}

impl InfoUpdate {
    pub(super) const fn new(user: Arc<str>, last: u64) -> Self {
        Self {
            user,
            after: 0,
            last,
        }
    }
}

/// Unfinished updates, in the order in which they continue.
#[derive(Debug, Default)]
pub(super) struct InfoUpdates(VecDeque<InfoUpdate>);

impl InfoUpdates {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an update. It replaces one of the same user that has not begun.
    pub(super) fn add(&mut self, update: InfoUpdate) {
        let mut others = self.0.iter_mut();
        match others.find(|other| other.after == 0 && other.user == update.user) {
            Some(other) => other.last = update.last,
            None => self.0.push_back(update),
        }
    }

    /// Takes the update that continues next.
    pub(super) fn next(&mut self) -> Option<InfoUpdate> {
        self.0.pop_front()
    }

    /// Gives back an unfinished update, which stays the first one.
    pub(super) fn put_back(&mut self, update: InfoUpdate) {
        self.0.push_front(update);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_that_has_not_begun_serves_for_later_changes_of_the_same_user() {
        let (ann, ben): (Arc<str>, Arc<str>) = ("ann".into(), "ben".into());
        let mut info_updates = InfoUpdates::default();
        for (user, last) in [(&ann, 10), (&ben, 20), (&ann, 30)] {
            info_updates.add(InfoUpdate::new(user.clone(), last));
        }
        let mut first = info_updates.next().unwrap();
        assert_eq!((first.user.clone(), first.last), (ann.clone(), 30));
        first.after = 5;
        info_updates.put_back(first);
        info_updates.add(InfoUpdate::new(ann.clone(), 40));
        let rest = std::iter::from_fn(|| info_updates.next());
        let rest = rest.map(|it| (it.user, it.after, it.last));
        assert!(rest.eq([(ann.clone(), 5, 30), (ben, 0, 20), (ann, 0, 40)]));
        assert!(info_updates.is_empty());
    }
}
