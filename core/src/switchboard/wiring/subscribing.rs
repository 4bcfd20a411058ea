//! Requests of clients to enter and to leave rooms.

use super::questions::Question;
use super::rooms::Entering;
use super::switchboard::Switchboard;
use crate::protocol::{RequestId, ServerMessage};
use crate::switchboard::action::Notice;
use crate::switchboard::rooms::Via;
use crate::{ConnectionId, JoinFrom, Reach, Rooms, check_name};

impl Switchboard {
    pub(super) fn subscribe(
        &mut self,
        id: ConnectionId,
        channel: &str,
        from: JoinFrom,
        request: Option<RequestId<'_>>,
    ) -> Option<Question> {
        let room = match self.may_enter(id, channel, Via::Request) {
            Ok(room) => room,
            Err(error) => {
                self.join_failed(id, channel, error, request.as_ref());
                return None;
            }
        };
        if self.config.rooms == Rooms::Open {
            let entering = Entering {
                via: Via::Request,
                from: &from,
                reach: Reach::All,
                request: request.as_ref(),
                older: None,
            };
            let _ = self.enter_room(id, channel, room, &entering);
            return None;
        }
        let request = request.map(RequestId::into_owned);
        let lobby = self
            .connections
            .get(id)
            .is_ok_and(|found| found.comes_back_to(channel));
        Some(Question::Join {
            room: channel.into(),
            lobby,
            from,
            reach: Reach::All,
            request,
        })
    }

    pub(super) fn enter_asked(&mut self, id: ConnectionId, room: &str, entering: &Entering<'_>) {
        match self.may_enter(id, room, Via::Request) {
            Ok(place) => {
                let _ = self.enter_room(id, room, place, entering);
            }
            Err(error) => {
                // The application may have recorded a membership when it granted this.
                self.notify(Notice::JoinFailed {
                    id,
                    room: room.into(),
                    error,
                });
                self.join_failed(id, room, error, entering.request);
            }
        }
    }

    pub(super) fn unsubscribe(
        &mut self,
        id: ConnectionId,
        channel: &str,
        request: Option<&RequestId<'_>>,
    ) {
        if let Err(bad) = check_name(channel, self.config.limits.name_bytes) {
            return self.bad_name(id, bad, request);
        }
        match self.rooms.find(channel) {
            Some(key) if self.leave_voluntarily(id, key) => {
                self.send_message(
                    id,
                    &ServerMessage::Unsubscribed {
                        channel,
                        id: request,
                    },
                );
            }
            _ => self.not_in_channel(id, channel, request),
        }
    }
}
