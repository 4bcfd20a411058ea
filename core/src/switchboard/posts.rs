//! What clients of event streams have posted, until the sessions of their streams take it; and how they
//! prove that a stream is theirs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::audit::{Inconsistency, same};
use super::table::Table;
use crate::{ConnectionId, Limits, Token};

/// Messages that wait for one stream, and so the most in one post.
pub(super) const MESSAGES: usize = 64;

/// A message that was posted.
#[derive(Clone, PartialEq, Eq)]
pub enum Posted {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Posted {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// Prints the kind and the length.
impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// The messages of a post do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The messages that wait for the sessions of streams.
pub(super) struct Posts {
    key: (u64, u64),
    queues: BTreeMap<u32, Queue>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Posted>,
    bytes: usize,
}

/// Omits the key.
impl fmt::Debug for Posts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posts")
            .field("queues", &self.queues)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Posts {
    pub(super) const fn new(key: (u64, u64)) -> Self {
        Self {
            key,
            queues: BTreeMap::new(),
            bytes: 0,
        }
    }

    pub(super) const fn set_key(&mut self, key: (u64, u64)) {
        self.key = key;
    }

    /// Returns what only the client of a stream knows: the id of the connection, which is never reused,
    /// and a keyed hash of it of 128 bits. It is not stored.
    pub(super) fn secret(&self, id: ConnectionId) -> String {
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        std::hash::Hasher::write_u32(&mut hasher, id.slot);
        std::hash::Hasher::write_u32(&mut hasher, id.generation);
        let hash = hasher.finish128();
        format!("{id}-{:016x}{:016x}", hash.h1, hash.h2)
    }

    /// Returns the connection whose secret this is. It may be gone.
    pub(super) fn find(&self, secret: &str) -> Option<ConnectionId> {
        let (id, _) = secret.rsplit_once('-')?;
        let id = id.parse().ok()?;
        // Tokens are compared in constant time.
        (Token::new(self.secret(id)) == Token::new(secret)).then_some(id)
    }

    /// Adds all messages of a post, or none if they do not fit: into what may wait for this stream, or
    /// for all of them.
    pub(super) fn add(
        &mut self,
        slot: u32,
        messages: Vec<Posted>,
        limits: &Limits,
    ) -> Result<(), Full> {
        let bytes = messages.iter().map(Posted::bytes).sum::<usize>();
        let (waiting, held) = self
            .queues
            .get(&slot)
            .map_or((0, 0), |queue| (queue.messages.len(), queue.bytes));
        if waiting + messages.len() > MESSAGES
            || held + bytes > limits.message_bytes.saturating_mul(2)
            || self.bytes + bytes > limits.unfinished_bytes
        {
            return Err(Full);
        }
        if messages.is_empty() {
            return Ok(());
        }
        let queue = self.queues.entry(slot).or_default();
        queue.messages.extend(messages);
        queue.bytes += bytes;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes the next message for a stream.
    pub(super) fn take(&mut self, slot: u32) -> Option<Posted> {
        let queue = self.queues.get_mut(&slot)?;
        let message = queue.messages.pop_front()?;
        queue.bytes -= message.bytes();
        self.bytes -= message.bytes();
        if queue.messages.is_empty() {
            self.queues.remove(&slot);
        }
        Some(message)
    }

    /// Drops the queued messages of a stream.
    pub(super) fn forget(&mut self, slot: u32) {
        if let Some(queue) = self.queues.remove(&slot) {
            self.bytes -= queue.bytes;
        }
    }

    /// Recounts the bytes, and checks that the streams of queued messages exist.
    pub(super) fn audit(&self, connections: &Table) -> Result<(), Inconsistency> {
        let counted = self.queues.values().map(|queue| {
            let bytes = queue.messages.iter().map(Posted::bytes);
            bytes.sum::<usize>()
        });
        same("posted bytes", self.bytes, counted.sum())?;
        let slots = connections.iter().map(|(id, _)| id.slot);
        let there = slots.filter(|slot| self.queues.contains_key(slot)).count();
        same("streams with posts", self.queues.len(), there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(slot: u32, generation: u32) -> ConnectionId {
        ConnectionId::from_parts(slot, generation)
    }

    fn text(bytes: usize) -> Posted {
        Posted::Text("x".repeat(bytes))
    }

    #[test]
    fn a_secret_names_its_connection_and_no_other_text_does() {
        let posts = Posts::new((1, 2));
        let secret = posts.secret(id(0x1f, 2));
        assert_eq!(posts.find(&secret), Some(id(0x1f, 2)));
        let hash = secret.strip_prefix("1f-2-").expect("the id comes first");
        assert_eq!(hash.len(), 32);
        for other in [
            String::new(),
            "1f-2".into(),
            format!("1f-2-{}", &hash[..31]),
            format!("1f-3-{hash}"),
            format!("1f-2-{}", hash.to_uppercase() + " "),
            Posts::new((1, 3)).secret(id(0x1f, 2)),
        ] {
            assert_eq!(posts.find(&other), None, "{other}");
        }
    }

    #[test]
    fn a_post_is_taken_whole_and_in_order_or_not_at_all() {
        let mut posts = Posts::new((1, 2));
        let limits = Limits {
            message_bytes: 50,
            unfinished_bytes: 120,
            ..Limits::default()
        };
        assert_eq!(posts.add(1, vec![text(10), text(20)], &limits), Ok(()));
        assert_eq!(posts.add(1, vec![text(50), text(21)], &limits), Err(Full));
        assert_eq!(posts.add(1, vec![text(70)], &limits), Ok(()));
        assert_eq!(posts.add(2, vec![text(21)], &limits), Err(Full));
        let many = vec![text(0); MESSAGES + 1];
        assert_eq!(posts.add(3, many, &limits), Err(Full));
        assert_eq!(posts.take(1), Some(text(10)));
        assert_eq!(posts.add(2, vec![text(21)], &limits), Ok(()));
        assert_eq!(posts.take(1), Some(text(20)));
        posts.forget(1);
        assert_eq!((posts.take(1), posts.take(2)), (None, Some(text(21))));
        assert_eq!((posts.bytes, posts.queues.len()), (0, 0));
    }
}
