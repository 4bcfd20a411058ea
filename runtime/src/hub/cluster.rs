//! Methods of [`Hub`] whose answers come from other nodes of a cluster.

use futures_channel::oneshot;
use switchboard_core::protocol::Content;
use switchboard_core::{
    CloseReason, ClusterStats, Exclude, Frame, Position, Publishing, RoomMessage, SendError,
    ToUser, UserReport,
};

use super::handle::Hub;
use super::sending::BroadcastError;

/// # Several nodes
impl Hub {
    /// Sends `content`, a JSON text, to a room, and returns the epoch and the number of the message. In
    /// a cluster this takes a round trip to the broker. The number is 0 if it is unknown, which is the
    /// case in a room with local order that has no members on this node.
    ///
    /// ```
    /// # use switchboard_core::Config;
    /// # use switchboard_runtime::{Application, BroadcastError, Hub};
    /// # struct Chat;
    /// # impl Application for Chat {}
    /// async fn announce(hub: &Hub) -> Result<(), BroadcastError> {
    ///     let position = hub.publish("news", r#"{"headline":"It works"}"#).await?;
    ///     println!("number {} in {}", position.seq, position.epoch);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`broadcast`](Self::broadcast); also [`SendError::Unavailable`] if the broker is
    /// unavailable, and the room has no members on this node or its rule is to refuse messages.
    pub async fn publish(&self, room: &str, content: &str) -> Result<Position, BroadcastError> {
        self.publish_from(room, content, None, Exclude::NOBODY)
            .await
    }

    /// Like [`publish`](Self::publish), with a sender and with connections to exclude.
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub async fn publish_from(
        &self,
        room: &str,
        content: &str,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Position, BroadcastError> {
        let content = Content::parse(content).map_err(BroadcastError::Content)?;
        let mut message = RoomMessage::new(room, content).from_user(sender);
        self.shared().deflate(&mut message);
        let asked = self.shared().with(|locked, now| {
            let published = locked.switchboard.publish(now, &message, exclude)?;
            Ok(match published {
                Publishing::Asked(ticket) => Err(locked.awaited.expect_published(ticket)),
                Publishing::Done(position) => Ok(position),
                _ => Ok(Position {
                    epoch: "".into(),
                    seq: 0,
                }),
            })
        });
        match asked.map_err(BroadcastError::Send)? {
            Ok(position) => Ok(position),
            // The sender is dropped with the hub.
            Err(receiver) => {
                let answer = receiver.await.unwrap_or(Err(SendError::Unavailable));
                answer.map_err(BroadcastError::Send)
            }
        }
    }

    /// Sends a frame to all connections of a user on all nodes, unchanged, and returns how many took it
    /// into their queues. Other nodes have a second to answer.
    ///
    /// # Errors
    ///
    /// As for [`send_to_user`](Self::send_to_user).
    pub async fn send_to_user_everywhere(
        &self,
        user: &str,
        frame: Frame,
    ) -> Result<UserReport, SendError> {
        let mut to = ToUser::new(user, frame);
        let receiver = loop {
            let part = self.shared().with(|locked, now| {
                let board = &mut locked.switchboard;
                let ticket = board.send_to_user_everywhere_part(now, &mut to)?;
                Ok::<_, SendError>(ticket.map(|ticket| locked.awaited.expect_reached(ticket)))
            })?;
            if let Some(receiver) = part {
                break receiver;
            }
        };
        Ok(reached(receiver).await)
    }

    /// Closes all connections of a user on all nodes, and returns how many there were. Other nodes have a
    /// second to answer.
    pub async fn disconnect_user_everywhere(&self, user: &str, reason: CloseReason) -> UserReport {
        let receiver = self.shared().with(|locked, now| {
            let board = &mut locked.switchboard;
            let ticket = board.disconnect_user_everywhere(now, user, reason);
            locked.awaited.expect_reached(ticket)
        });
        reached(receiver).await
    }

    /// Returns the figures of the cluster, as last reported by the other nodes; `None` without a
    /// cluster. Costs time linear in the number of nodes.
    pub fn cluster_stats(&self) -> Option<ClusterStats> {
        let shared = self.shared();
        let now = shared.now();
        shared.look(|locked| Some(locked.joined.as_ref()?.clustered.stats(now)))
    }
}

async fn reached(receiver: oneshot::Receiver<UserReport>) -> UserReport {
    receiver.await.unwrap_or_default()
}
