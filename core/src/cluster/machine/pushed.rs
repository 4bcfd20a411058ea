//! What arrives through the channels.
use std::sync::Arc;

use super::cluster::Cluster;
use super::output::{Output, Question};
use super::room::{Change, Stage};
use crate::cluster::answer::Entry;
use crate::cluster::command::Channel;
use crate::cluster::command::Info;
use crate::cluster::push::Push;
use crate::cluster::room_body::RoomBody;
use crate::{Time, Twin};

impl Cluster {
    /// A payload arrived through a channel. `twin` is what was compressed of the message to a room that it is.
    pub fn pushed(&mut self, now: Time, channel: &Channel, payload: &[u8], twin: Option<Twin>) {
        self.check_lease(now);
        match (channel, Push::parse(payload)) {
            (_, Err(_)) => self.figures.bad_pushes += 1,
            (Channel::Room(name), Ok(push)) => self.pushed_to_room(now, name, push, twin),
            (Channel::Everyone, Ok(push)) => self.pushed_to_everyone(now, &push),
            (Channel::Inbox(_), Ok(push)) => self.pushed_to_inbox(push),
        }
        self.send(now);
    }

    fn pushed_to_room(&mut self, now: Time, name: &Arc<str>, push: Push<'_>, twin: Option<Twin>) {
        match push {
            Push::Message {
                seq,
                epoch,
                node,
                own,
                body,
            } => {
                let entry = Entry {
                    seq,
                    node: node.into(),
                    own,
                    body: RoomBody::from(body).with_twin(twin),
                };
                self.with_room(name, |room, cx| {
                    let was_live = room.stage == Stage::Live;
                    if room.arrived(epoch, entry, cx) && was_live {
                        cx.figures.repairs += 1;
                    }
                });
            }
            Push::Local {
                node,
                stay,
                own,
                body,
            } => {
                let body = RoomBody::from(body).with_twin(twin);
                self.local_arrived(name, node, stay, own, body);
            }
            Push::Presence {
                version,
                epoch,
                registration,
                joined,
                left,
            } => {
                let change = Change {
                    version,
                    epoch: epoch.into(),
                    registration: registration.into(),
                    joined: joined.into_iter().map(row).collect(),
                    left: left.into_iter().map(Arc::from).collect(),
                };
                self.list_changed(now, name, change);
            }
            _ => {}
        }
    }

    fn pushed_to_inbox(&mut self, push: Push<'_>) {
        match push {
            Push::Close {
                registration,
                reason,
                user,
                connections,
            } => self.close_arrived(registration, reason, user, &connections),
            Push::Direct {
                node,
                question,
                user,
                body,
            } => self.outputs.push_back(Output::Direct {
                node: node.into(),
                question: Question(question),
                user: user.into(),
                body: body.into(),
            }),
            Push::Taken {
                node,
                question,
                queues,
            } => self.taken_arrived(node, Question(question), queues),
            _ => {}
        }
    }

    fn pushed_to_everyone(&mut self, now: Time, push: &Push<'_>) {
        match push {
            Push::Beat {
                registration,
                count,
                state,
                figures,
                ..
            } => self.beat_arrived(now, registration, *count, *state, figures),
            // This node has served its own connections.
            Push::Everyone { node, body } if **node != *self.config.node => {
                self.outputs.push_back(Output::Everyone {
                    node: Arc::from(*node),
                    body: Arc::from(*body),
                });
            }
            _ => {}
        }
    }
}

/// Keeps a user, and what is told of the user.
fn row((user, info): (&str, Option<&str>)) -> (Arc<str>, Info) {
    (user.into(), info.map(Arc::from))
}
