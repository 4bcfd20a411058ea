//! The hashes by which histories know sessions, users and requests.

use std::hash::BuildHasher;

use crate::base::hash::Keyed;

/// Keyed hashes of names. 0 stands for none, and is the hash of nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fingerprints(Keyed);

/// What a hash is of, so that equal texts of two kinds have different hashes.
#[derive(Hash)]
enum Kind {
    Session,
    User,
    Request,
    Application,
}

impl Fingerprints {
    pub(super) const fn new(keyed: Keyed) -> Self {
        Self(keyed)
    }

    /// Returns the hash of a session. The same name under another user is another session; anonymous
    /// clients, of which no two are one user, share the empty name.
    pub(super) fn session(self, user: Option<&str>, session: &str) -> u64 {
        self.hash((Kind::Session, user.unwrap_or_default(), session))
    }

    pub(super) fn user(self, name: &str) -> u64 {
        self.hash((Kind::User, name))
    }

    /// Returns the hash of a request, given that of its session and the text of its id.
    pub(super) fn request(self, session: u64, id: &str) -> u64 {
        self.hash((Kind::Request, session, id))
    }

    /// Returns the hash of a message of the application, given its id.
    pub(super) fn of_application(self, id: &str) -> u64 {
        self.hash((Kind::Application, id))
    }

    fn hash(self, what: impl std::hash::Hash) -> u64 {
        self.0.hash_one(what).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::Secrets;

    #[test]
    fn no_two_names_of_different_kinds_or_split_differently_are_the_same() {
        let prints = Fingerprints::new(Secrets::expand(1).keyed);
        let hashes = [
            prints.session(Some("ab"), "c"),
            prints.session(Some("a"), "bc"),
            prints.session(None, "abc"),
            prints.session(None, "c"),
            prints.user("abc"),
            prints.user("ab"),
            prints.request(1, "c"),
            prints.request(2, "c"),
            prints.request(1, "\"c\""),
            prints.of_application("c"),
        ];
        for (at, hash) in hashes.iter().enumerate() {
            assert!(*hash != 0 && !hashes[..at].contains(hash), "{at}");
        }
    }
}
