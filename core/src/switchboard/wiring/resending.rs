//! Messages that clients send again.
//!
//! In a room that the nodes of a cluster share, the log of this node may lack messages that the broker
//! has. A message that it does not have is therefore looked up once the node has caught up.

use std::sync::Arc;

use super::publishing::Sent;
use super::switchboard::Switchboard;
use crate::protocol::{ErrorCode, RequestId, ServerMessage};
use crate::switchboard::log::Resent as Found;
use crate::switchboard::relay::{ClusterRequest, Resent};
use crate::{ConnectionId, Time};

impl Switchboard {
    /// Answers a message that is sent again, if it was published before, or if that cannot be known.
    /// Returns whether it did.
    pub(super) fn is_answered(
        &mut self,
        id: ConnectionId,
        key: u32,
        again: Option<u64>,
        request: Option<&RequestId<'_>>,
    ) -> bool {
        let (Some(again), Some(request)) = (again, request) else {
            return false;
        };
        match self.find_resent(key, id, request, again) {
            Found::New => false,
            Found::Duplicate(seq) => {
                let ack = ServerMessage::Ack {
                    id: request,
                    seq,
                    duplicate: true,
                    local: false,
                };
                self.send_message(id, &ack);
                true
            }
            Found::Unrecoverable => {
                self.cannot_tell(id, request, &self.room_name(key));
                true
            }
        }
    }

    /// Does the same before the application is asked, unless it may turn out otherwise.
    pub(super) fn is_answered_at_once(
        &mut self,
        id: ConnectionId,
        key: u32,
        again: Option<u64>,
        request: Option<&RequestId<'_>>,
    ) -> bool {
        let (Some(number), Some(resent)) = (again, request) else {
            return false;
        };
        if self.may_be_behind(key)
            && !matches!(
                self.find_resent(key, id, resent, number),
                Found::Duplicate(_)
            )
        {
            return false;
        }
        self.is_answered(id, key, again, request)
    }

    /// Makes a message that is sent again wait until this node has caught up with the broker, unless it is
    /// found here. Returns whether it does.
    pub(super) fn waits_to_be_looked_for(
        &mut self,
        id: ConnectionId,
        key: u32,
        sent: Sent<'_>,
        request: Option<&RequestId<'_>>,
    ) -> bool {
        let (Some(again), Some(request)) = (sent.again, request) else {
            return false;
        };
        if !self.may_be_behind(key) {
            return false;
        }
        if let Found::Duplicate(_) = self.find_resent(key, id, request, again) {
            return false;
        }
        let (name, epoch) = (self.room_name(key), self.rooms.at(key).shared.clone());
        let (Some(relay), Some(epoch)) = (&mut self.relay, epoch) else {
            return false;
        };
        let number = relay.number();
        relay.room(&name).resent.push(Resent {
            number,
            id,
            epoch,
            content: sent.content.to_kept(),
            echo: sent.echo,
            again,
            request: request.clone().into_owned(),
        });
        self.waits(id);
        self.ask_cluster(ClusterRequest::CatchUp { room: name, number });
        true
    }

    /// Returns whether the broker may have messages of a room that its log here does not have yet.
    fn may_be_behind(&self, key: u32) -> bool {
        let room = self.rooms.at(key);
        let known = self.relay.as_ref().and_then(|it| it.rooms.get(&room.name));
        room.keeps && known.is_some_and(|known| !known.alone) && self.has_log_elsewhere(&room.name)
    }

    /// This node has caught up with the broker in a room, or is alone, for all requests up to this
    /// number: waiting clients enter, and messages that were not published before are published.
    pub(crate) fn caught_up(&mut self, now: Time, name: &Arc<str>, upto: u64) {
        self.advance_clock(now);
        self.overtakes(name, upto);
        self.let_in_those_ahead(name, upto);
        self.look_for_resent(name, upto);
        self.settle();
    }

    /// The broker is unavailable, and a room neither continues alone nor can be entered.
    pub(crate) fn room_unavailable(&mut self, now: Time, name: &Arc<str>) {
        self.advance_clock(now);
        self.refuse_resent(name);
        self.refuse_joining(name);
        self.settle();
    }

    fn look_for_resent(&mut self, name: &Arc<str>, upto: u64) {
        let Some(room) = self.relay.as_mut().and_then(|it| it.rooms.get_mut(name)) else {
            return;
        };
        let resent = std::mem::take(&mut room.resent);
        let (ready, later) = resent.into_iter().partition(|it| it.number <= upto);
        room.resent = later;
        let ready: Vec<Resent> = ready;
        for resent in ready {
            self.waits_no_more(resent.id);
            self.resend(name, &resent);
        }
    }

    fn resend(&mut self, name: &Arc<str>, resent: &Resent) {
        let (id, request) = (resent.id, &resent.request);
        let key = match self.rooms.find(name) {
            Some(key) if self.is_member(id, key) => key,
            _ => return self.not_in_channel(id, name, Some(request)),
        };
        let is_there = self.may_be_behind(key);
        if !is_there || self.rooms.at(key).shared.as_ref() != Some(&resent.epoch) {
            // The broker is away, or the log of that epoch is gone.
            return self.cannot_tell(id, request, name);
        }
        let sent = Sent {
            content: resent.content.as_content(),
            key: None,
            echo: resent.echo,
            volatile: false,
            again: Some(resent.again),
            twin: None,
        };
        if !self.is_answered(id, key, sent.again, Some(request)) {
            self.relay_from(id, key, sent, Some(request));
        }
    }

    /// It cannot be known what was published.
    fn refuse_resent(&mut self, name: &Arc<str>) {
        let Some(room) = self.relay.as_mut().and_then(|it| it.rooms.get_mut(name)) else {
            return;
        };
        for resent in std::mem::take(&mut room.resent) {
            self.waits_no_more(resent.id);
            self.cannot_tell(resent.id, &resent.request, name);
        }
    }

    fn cannot_tell(&mut self, id: ConnectionId, request: &RequestId<'_>, room: &str) {
        let message = "it cannot be told any more whether this message was published";
        let code = ErrorCode::Unrecoverable;
        self.fail(id, code, message, Some(request), Some(room));
    }
}
