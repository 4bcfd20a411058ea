//! What the switchboard wants of the cluster.

use super::{Clustered, word_of};
use crate::cluster::PublishError;
use crate::switchboard::ClusterRequest;
use crate::{SendError, Switchboard, Time, UserReport};

impl Clustered {
    pub(super) fn ask(&mut self, now: Time, board: &mut Switchboard, request: ClusterRequest) {
        let cluster = &mut self.cluster;
        match request {
            ClusterRequest::Enter { room, terms } => cluster.enter(now, &room, terms),
            ClusterRequest::CatchUp { room, number } => cluster.catch_up(now, &room, number),
            ClusterRequest::Recall {
                room,
                number,
                epoch,
                after,
                before,
            } => {
                let ticket = cluster.recall(now, &room, &epoch, after, before);
                let reads = self
                    .reads
                    .entry(ticket)
                    .or_insert_with(|| (room, Vec::new()));
                reads.1.push(number);
            }
            ClusterRequest::Leave { room } => {
                cluster.leave(now, &room);
                if !cluster.follows(&room) {
                    board.room_forgotten(&room);
                }
            }
            ClusterRequest::Publish {
                post,
                room,
                terms,
                body,
            } => match cluster.publish(now, &room, terms, body) {
                Ok(ticket) => {
                    self.posts.insert(ticket, post);
                }
                Err(error) => {
                    let error = match error {
                        PublishError::OutboxFull => SendError::Busy,
                        PublishError::Unavailable => SendError::Unavailable,
                    };
                    self.outcome = Some((post, Err(error)));
                    board.post_refused(now, post, error);
                }
            },
            ClusterRequest::Volatile { room, body } => {
                cluster.publish_volatile(now, &room, &body);
            }
            ClusterRequest::Appeared { room, user, info } => {
                cluster.appeared(now, &room, &user, info);
            }
            ClusterRequest::Disappeared { room, user } => cluster.disappeared(now, &room, &user),
            ClusterRequest::LoggedIn { user, id } => cluster.logged_in(now, &user, id),
            ClusterRequest::LoggedOut { user, id } => cluster.logged_out(now, &user, id),
            ClusterRequest::Direct { ask, user, body } => match cluster.direct(now, &user, &body) {
                Ok(question) => {
                    self.questions.insert(question, ask);
                }
                Err(_) => board.user_reached(now, ask, UserReport::default()),
            },
            ClusterRequest::Taken {
                node,
                question,
                queues,
            } => cluster.taken(now, &node, question, queues),
            ClusterRequest::Kick { ask, user, reason } => {
                match cluster.kick(now, &user, &word_of(reason)) {
                    Ok(question) => {
                        self.questions.insert(question, ask);
                    }
                    Err(_) => board.user_reached(now, ask, UserReport::default()),
                }
            }
            ClusterRequest::Everyone { body } => {
                cluster.tell_everyone(now, &body);
            }
            ClusterRequest::TakeSeat { seat, room, total } => {
                let ticket = cluster.take_seat(now, &room, total);
                self.seats.insert(ticket, seat);
            }
            ClusterRequest::GiveSeat { room } => cluster.give_seat(now, &room),
        }
    }
}
