//! What members are sent of their rooms: in order, all that is for them, and only while they are in
//! (invariants 11 to 13, 31).

use super::delivery::Checked;
use super::link::Stay;
use super::oracle::hash_text;
use super::output::Message;
use super::world::World;

impl World {
    fn stay(&mut self, l: u32, r: u32) -> Option<&mut Stay> {
        let stays = self.links[l as usize].shadow.stays.get_mut(&r)?;
        stays.front_mut()
    }

    pub(super) fn entered(&mut self, l: u32, r: u32, message: &Message<'_>) -> Checked {
        let Some(stay) = self.stay(l, r).filter(|stay| !stay.told) else {
            return Err((13, format!("subscribed to r{r} without having joined")));
        };
        stay.told = true;
        let (from, life) = (stay.from, stay.life as usize);
        if message.seq != Some(from) {
            return Err((
                12,
                format!("subscribed to r{r} at {:?}, expected {from}", message.seq),
            ));
        }
        let epoch = message.epoch.unwrap_or_default();
        let known = &mut self.oracle.rooms[r as usize].epochs[life];
        match known {
            Some(known) if known != epoch => Err((12, format!("epoch {epoch}, expected {known}"))),
            Some(_) => Ok(()),
            None => {
                *known = Some(epoch.to_owned());
                if self.oracle.epochs.insert(epoch.to_owned()) {
                    Ok(())
                } else {
                    Err((12, format!("epoch {epoch} is used twice")))
                }
            }
        }
    }

    pub(super) fn left_room(&mut self, l: u32, r: u32) -> Checked {
        let gone = |stay: &Stay| stay.told && stay.until.is_some();
        let Some(stay) = self.stay(l, r).filter(|stay| gone(stay)).cloned() else {
            return Err((13, format!("unsubscribed from r{r} while it is a member")));
        };
        if let Some(stays) = self.links[l as usize].shadow.stays.get_mut(&r) {
            stays.pop_front();
        }
        if stay.purged {
            return Ok(());
        }
        self.check_gap(l, r, &stay, stay.until.unwrap_or(stay.seen) + 1)
    }

    /// Numbers missing before `next` were not meant for this client, or were dropped in a dropping
    /// room.
    pub(super) fn check_gap(&mut self, l: u32, r: u32, stay: &Stay, next: u64) -> Checked {
        let room = &self.oracle.rooms[r as usize];
        let log = &room.lives[stay.life as usize];
        let missed = (stay.seen + 1..next)
            .filter(|&seq| !log[seq as usize - 1].excluded.contains(&l))
            .count() as u64;
        if missed > 0 && !room.drops {
            return Err((
                12,
                format!("r{r}: {missed} lost between {} and {next}", stay.seen),
            ));
        }
        self.oracle.gaps += missed;
        Ok(())
    }

    pub(super) fn room_message(&mut self, l: u32, r: u32, message: &Message<'_>) -> Checked {
        let Some(stay) = self.stay(l, r).filter(|stay| stay.told).cloned() else {
            return Err((
                13,
                format!("a message of r{r}, which it is not in: {message:?}"),
            ));
        };
        let seq = message.seq.unwrap_or(0);
        if seq <= stay.seen || stay.until.is_some_and(|until| seq > until) {
            return Err((12, format!("r{r}: number {seq} in {stay:?}")));
        }
        let log = &self.oracle.rooms[r as usize].lives[stay.life as usize];
        let Some(entry) = log.get(seq as usize - 1) else {
            return Err((12, format!("r{r}: number {seq} was never assigned")));
        };
        let content = message.content.map_or("", serde_json::value::RawValue::get);
        if entry.content != hash_text(content) || entry.sender.as_deref() != message.sender {
            return Err((
                31,
                format!("r{r}: {content} of {:?} is not {entry:?}", message.sender),
            ));
        }
        if entry.excluded.contains(&l) {
            return Err((11, format!("r{r}: {seq} excluded this client")));
        }
        self.check_gap(l, r, &stay, seq)?;
        if let Some(stay) = self.stay(l, r) {
            stay.seen = seq;
        }
        Ok(())
    }
}
