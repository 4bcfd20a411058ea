//! Random operations: messages are sent.

use super::super::entry::Kind;
use super::super::history::Origin;
use super::super::limits::Slow;
use super::super::own::NotQueued;
use super::super::recovery::Resent;
use super::model::frame;
use super::world::World;
use crate::switchboard::queue::Class;

impl World {
    pub(super) fn publish(&mut self) {
        let key = self.any_room();
        let (name, rule) = self.rooms[&key];
        let members = self.members_of(key);
        let mut excluded = Vec::new();
        let sender = (self.rng.bool() && !members.is_empty())
            .then(|| members[self.rng.usize(..members.len())]);
        excluded.extend(sender);
        if self.rng.u8(..6) == 0 {
            excluded.extend((0..12).filter(|_| self.rng.u8(..4) == 0));
        }
        let time = self.tick();
        let bytes = self.rng.usize(..self.largest);
        let kind = if self.rng.u8(..8) == 0 {
            Kind::Raw
        } else {
            Kind::Numbered
        };
        let message = frame(time, Some(name), false, bytes);
        let seq = self.log.next_seq(key);
        let before = self.log.next_seq(key);
        let size = message.len();
        let session = sender.map_or(0, |slot| u64::from(slot % 4));
        let origin = Origin {
            session,
            request: time,
            not_for: None,
        };
        let sent = self.log.publish(key, message, kind, &excluded, origin);
        let Ok(receipt) = sent else {
            self.events.busy += 1;
            assert_eq!(self.log.next_seq(key), before, "a refusal spends no number");
            return;
        };
        assert_eq!(
            self.log.next_seq(key),
            seq + u64::from(kind == Kind::Numbered)
        );
        let numbered = (kind == Kind::Numbered).then_some(seq);
        if let Some(published) = self.published.get_mut(&key)
            && (numbered.is_some() || !members.is_empty())
        {
            published.add(numbered, time, size, self.now, session);
        }
        let mut got = 0;
        for &slot in &members {
            if !excluded.contains(&slot) {
                got += 1;
                self.client(slot).owes(time, Some(name), numbered);
            }
        }
        assert_eq!(receipt.excluded, members.len() - got);
        assert_eq!(receipt.accepted + receipt.closed, got);
        self.told += receipt.dropped_oldest;
        assert!(rule.slow != Slow::Disconnect || receipt.dropped_oldest == 0);
        self.events.losses += receipt.dropped_oldest;
        let closed = self.close_condemned();
        let mut expected = closed.clone();
        expected.retain(|slot| !excluded.contains(slot));
        assert_eq!(receipt.closed, expected.len(), "who is closed is told");
        if let Some(sender) = sender
            && self.rng.bool()
            && !closed.contains(&sender)
        {
            self.send_to(sender);
        }
        self.resend(key, time, seq, kind);
    }

    /// Asks about the message that was just published, and about one that was not.
    pub(super) fn resend(&mut self, key: u32, request: u64, seq: u64, kind: Kind) {
        if kind == Kind::Numbered
            && let Some(published) = self.published.get(&key)
        {
            let (first, _) = published.range(&self.rooms[&key].1, self.now);
            let found = self.log.find_request(key, request, seq - 1);
            let kept = first <= seq;
            assert_eq!(found == Resent::Duplicate(seq), kept, "H6");
            assert_eq!(found == Resent::Unrecoverable, !kept, "H6");
            assert_eq!(self.log.find_request(key, u64::MAX, seq), Resent::New, "H6");
        }
    }

    pub(super) fn send(&mut self) {
        if let Some(id) = self.any_client() {
            self.send_to(id.slot);
        }
    }

    pub(super) fn send_to(&mut self, slot: u32) {
        let time = self.tick();
        let bytes = self.rng.usize(..self.largest);
        let message = frame(time, None, false, bytes);
        let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
        let id = *id;
        match self.log.push_own(id, message) {
            Ok(()) => self.client(slot).owes(time, None, None),
            Err(NotQueued::Full) => {
                self.events.closed += 1;
                self.drop_connection(id);
            }
            Err(NotQueued::Gone) => panic!("it is there"),
        }
    }

    pub(super) fn urgent(&mut self) {
        if let Some(id) = self.any_client() {
            let time = self.tick();
            let message = frame(time, None, true, 10);
            self.log.push_urgent(id, message, Class::CONTROL);
            self.client(id.slot).owes_urgent(time);
        }
    }
}
