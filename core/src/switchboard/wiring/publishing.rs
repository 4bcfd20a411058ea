//! Messages of clients: to rooms, and to users.

use std::sync::Arc;

use super::draft::Draft;
use super::questions::Question;
use super::switchboard::Switchboard;
use crate::protocol::{Content, ErrorCode, RequestId, ServerMessage};
use crate::switchboard::recipients::{Exclude, Receipt};
use crate::switchboard::to_user::{Sender, ToUser};
use crate::{ConnectionId, Direct, Frame, Twin, check_name};

/// What a client sends to a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    pub(super) content: Content<'a>,
    /// The key whose value it is.
    pub(super) key: Option<&'a str>,
    /// Whether the sender receives it too.
    pub(super) echo: bool,
    pub(super) volatile: bool,
    /// The number that the room had come to when it was first sent, if this is not the first time.
    pub(super) again: Option<u64>,
    /// Its compressed form.
    pub(super) twin: Option<&'a Twin>,
}

impl<'a> Sent<'a> {
    pub(super) const fn draft(self, sender: &'a str) -> Draft<'a> {
        Draft {
            content: self.content,
            sender: Some(sender),
            uncompressed: false,
            twin: self.twin,
            request: 0,
        }
    }
}

impl Switchboard {
    /// Finds the room of a message, and checks that its sender is a member, and that it has not been
    /// published before if it is sent again.
    pub(super) fn route(
        &mut self,
        id: ConnectionId,
        channel: Option<&str>,
        sent: Sent<'_>,
        request: Option<RequestId<'_>>,
    ) -> Option<Question> {
        let Ok(connection) = self.connections.get(id) else {
            return None;
        };
        let key = match (channel, &*connection.rooms) {
            (None, [only]) => only.room,
            (None, _) => {
                let message = "`channel` is required unless you are in exactly one channel";
                self.bad_request(id, message, request.as_ref(), None);
                return None;
            }
            (Some(channel), _) => {
                if let Err(bad) = check_name(channel, self.config.limits.name_bytes) {
                    self.bad_name(id, bad, request.as_ref());
                    return None;
                }
                match self.rooms.find(channel) {
                    Some(key) if self.is_member(id, key) => key,
                    _ => {
                        self.not_in_channel(id, channel, request.as_ref());
                        return None;
                    }
                }
            }
        };
        let room = self.room_name(key);
        if let Some(name) = sent.key
            && let Err(error) = self.check_key(&room, name)
        {
            self.send_failed(id, error, request.as_ref(), Some(&room));
            return None;
        }
        if self.is_answered_at_once(id, key, sent.again, request.as_ref()) {
            return None;
        }
        Some(Question::Message {
            room,
            content: sent.content.to_kept(),
            handled: false,
            key: sent.key.map(Arc::from),
            echo: sent.echo,
            volatile: sent.volatile,
            again: sent.again,
            twin: None,
            request: request.map(RequestId::into_owned),
        })
    }

    pub(super) fn publish_from(
        &mut self,
        id: ConnectionId,
        room: &str,
        sent: Sent<'_>,
        request: Option<&RequestId<'_>>,
    ) {
        let key = match self.rooms.find(room) {
            Some(key) if self.is_member(id, key) => key,
            _ => return self.not_in_channel(id, room, request),
        };
        let Some(sender) = self.user_of(id) else {
            return;
        };
        // The history may have moved on while the application was asked.
        if self.waits_to_be_looked_for(id, key, sent, request)
            || self.is_answered(id, key, sent.again, request)
        {
            return;
        }
        if self.is_relayed(key) && !sent.volatile {
            return self.relay_from(id, key, sent, request);
        }
        let own = [id];
        let connections: &[ConnectionId] = if sent.echo { &[] } else { &own };
        let exclude = Exclude {
            connections,
            users: &[],
        };
        let origin = self.origin_of_message(key, id, sent.echo, request);
        let draft = sent.draft(&sender);
        let published = match sent.key {
            None if sent.volatile => {
                self.publish_volatile(key, draft.content, draft.sender, exclude)
            }
            None => self.publish_draft(key, draft, exclude, origin),
            Some(name) => self.publish_value(key, name, draft, (exclude, origin)),
        };
        match published {
            Ok(Receipt { seq: Some(seq), .. }) => {
                if let Some(request) = request {
                    let ack = ServerMessage::Ack {
                        id: request,
                        seq,
                        duplicate: false,
                        local: false,
                    };
                    self.send_message(id, &ack);
                }
            }
            Ok(_) => {
                if let Some(id_of_request) = request {
                    let ack = ServerMessage::UnnumberedAck { id: id_of_request };
                    self.send_message(id, &ack);
                }
            }
            Err(error) => self.send_failed(id, error, request, Some(room)),
        }
    }

    /// Answers a message that the application has handled.
    pub(super) fn acknowledge_handled(
        &mut self,
        id: ConnectionId,
        request: Option<&RequestId<'_>>,
    ) {
        if let Some(request) = request {
            self.send_message(id, &ServerMessage::UnnumberedAck { id: request });
        }
    }

    pub(super) fn direct_from(
        &mut self,
        id: ConnectionId,
        to: &str,
        content: Content<'_>,
        request: Option<RequestId<'_>>,
    ) -> Option<Question> {
        if let Err(bad) = check_name(to, self.config.limits.name_bytes) {
            self.bad_name(id, bad, request.as_ref());
            return None;
        }
        let sender = self.user_of(id)?;
        let message = ServerMessage::Direct {
            content,
            sender: Some(&sender),
        };
        let frame = self.encoder.encode(&message, content.as_json().len());
        if let Err(error) = self.check_size(&frame) {
            self.send_failed(id, error, request.as_ref(), None);
            return None;
        }
        if self.config.direct == Direct::Open {
            self.send_direct(id, to, frame, request.as_ref());
            return None;
        }
        Some(Question::Direct {
            to: to.into(),
            frame,
            request: request.map(RequestId::into_owned),
        })
    }

    pub(super) fn send_direct(
        &mut self,
        id: ConnectionId,
        to: &str,
        frame: Frame,
        request: Option<&RequestId<'_>>,
    ) {
        if self.goes_in_parts(to) {
            let from = Sender::Client {
                id,
                request: request.cloned().map(RequestId::into_owned),
            };
            if let Err(busy) = self.begin_direct(ToUser::new(to, frame), from) {
                self.send_failed(id, busy, request, None);
            }
            return;
        }
        if let Err(busy) = self.check_busy_user(to, frame.len()) {
            return self.send_failed(id, busy, request, None);
        }
        if self.relay.is_some() {
            return self.direct_everywhere(id, to, &frame, request);
        }
        if !self.is_connected(to) {
            let message = "the user is not connected";
            return self.fail(id, ErrorCode::NotConnected, message, request, None);
        }
        let delivered = self.send_to_devices(to, frame).accepted as u64;
        if let Some(request) = request {
            self.send_message(
                id,
                &ServerMessage::DirectAck {
                    id: request,
                    delivered,
                },
            );
        }
    }
}
