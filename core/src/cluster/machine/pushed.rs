//! What arrives through the channels of rooms.
use super::cluster::Cluster;
use super::room::Stage;
use crate::Time;
use crate::cluster::answer::Entry;
use crate::cluster::command::Channel;
use crate::cluster::push::Push;

impl Cluster {
    /// A payload arrived through a channel.
    pub fn pushed(&mut self, now: Time, channel: &Channel, payload: &[u8]) {
        let Channel::Room(name) = channel else {
            return;
        };
        match Push::parse(payload) {
            Ok(Push::Message {
                seq,
                epoch,
                node,
                own,
                body,
            }) => {
                let entry = Entry {
                    seq,
                    node: node.into(),
                    own,
                    body: body.into(),
                };
                self.with_room(name, |room, cx| {
                    let was_live = room.stage == Stage::Live;
                    if room.arrived(epoch, entry, cx) && was_live {
                        cx.figures.repairs += 1;
                    }
                });
                self.send(now);
            }
            Ok(_) => {}
            Err(_) => self.figures.bad_pushes += 1,
        }
    }
}
