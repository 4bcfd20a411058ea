//! What must hold of what is kept by key.

use std::collections::BTreeSet;

use super::super::Log;
use super::super::history::OVERHEAD;

impl Log {
    /// K2: what a room keeps by key is what its log has, and no more of that is dead than may be.
    pub(in super::super) fn check_latest(&self, key: u32) {
        let room = &self.rooms[key];
        let Some(latest) = &room.latest else {
            return;
        };
        let stays = room.ring.iter().filter(|entry| entry.stays());
        assert_eq!(stays.count(), latest.len(), "K2: room {key}");
        let mut bytes = 0;
        for (name, kept) in &latest.keys {
            let entry = &room.ring[room.locate(kept.position)];
            assert!(entry.stays() && entry.is_removal() == kept.removal, "K2");
            assert_eq!(room.position(room.locate(kept.position)), kept.position);
            assert_eq!(kept.cost, entry.frame.footprint() + OVERHEAD + name.len());
            bytes += kept.cost;
        }
        assert_eq!(latest.bytes, bytes, "K2: room {key}");
        let values = latest.keys.values().filter(|it| !it.removal);
        assert_eq!(latest.values, values.count(), "K2: room {key}");
        assert!(latest.values <= latest.keep.keys, "K2: room {key}");
        let removals: Vec<_> = latest.removals.iter().map(|(_, name)| name).collect();
        assert!(removals.iter().all(|&name| latest.keys[name].removal));
        assert_eq!(latest.values + removals.len(), latest.len());
        let passed = room.position(room.passed);
        let late = 2 * room.rule.messages as usize + 1;
        assert!(removals.len() <= latest.keep.keys + late, "K2");
        for (at, entry) in room.ring.iter().enumerate() {
            let unkept = entry.seq().is_some() && !entry.is_kept();
            let position = room.position(at);
            let raw = entry.comes_to().is_none() && !entry.is_presence() && !entry.is_volatile();
            let counts = !entry.is_dead() && (unkept || raw || entry.is_removal());
            let found = latest.counted.iter().any(|it| it.position == position);
            let counts = counts && position >= passed;
            // A removal that all had passed does not count for those who come later.
            assert!(
                found == counts || (counts && entry.is_removal()),
                "what counts as lag"
            );
        }
        let overwritten = room.ring.iter().enumerate();
        let overwritten = overwritten.filter(|(_, entry)| entry.is_kept() && !entry.stays());
        let saved = overwritten.filter(|(_, entry)| !entry.is_dead());
        let saved: BTreeSet<u64> = saved.map(|(at, _)| room.position(at)).collect();
        assert_eq!(latest.saved, saved, "what is saved");
        assert!(saved.len() <= latest.keep.keys, "K2: what is saved");
        assert!(saved.first().is_none_or(|&first| first >= passed));
        assert_eq!(latest.taken_to.len(), room.members.len());
        let recoveries = self.recoveries.iter().filter(|&(&(_, of), _)| of == key);
        let newcomers = recoveries.filter(|(_, it)| it.snapshot.is_some());
        let newcomers: BTreeSet<u32> = newcomers.map(|(&(slot, _), _)| slot).collect();
        assert_eq!(latest.newcomers, newcomers, "who gets all values");
    }

    pub(in super::super) fn check_kept(&self) {
        let rooms = self
            .rooms
            .iter()
            .filter_map(|(_, room)| room.latest.as_ref());
        let kept = rooms.fold((0, 0), |sum, it| (sum.0 + it.len(), sum.1 + it.bytes()));
        assert_eq!(self.latest, kept, "K2: the sums");
        assert!(self.latest.1 <= self.limits.history_bytes || self.latest.0 > 0);
    }
}
