//! Users and connections on other nodes: presence, direct messages, kicks, messages for everybody.

use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::cluster::{Body, Form, Info, Question};
use crate::protocol::{Content, ErrorCode, Json, RequestId, ServerMessage};
use crate::recorder::{Cause, Input};
use crate::switchboard::action::{Notice, UserReport};
use crate::switchboard::errors::SendError;
use crate::switchboard::log::{Kind, Origin};
use crate::switchboard::recipients::Exclude;
use crate::switchboard::relay::{Ask, ClusterRequest};
use crate::switchboard::to_user::{Sender, ToUser};
use crate::{CloseReason, ConnectionId, Frame, PresenceInfo, Time, Wire};

/// The opcode of a binary frame.
const BINARY: u8 = 2;

impl Switchboard {
    /// Users came to a room on other nodes, or something else is told of them there, or they left.
    pub(crate) fn occupants_elsewhere(
        &mut self,
        now: Time,
        name: &Arc<str>,
        joined: &[(Arc<str>, Info)],
        left: &[Arc<str>],
    ) {
        self.advance_clock(now);
        let Some(relay) = &mut self.relay else {
            return;
        };
        let update_at = self.clock.now() + self.config.room_presence(name).interval;
        let joined = joined.iter().map(|(user, info)| (user.clone(), read(info)));
        match self.rooms.find(name) {
            Some(key) if self.rooms.at(key).is_active() => {
                let users = &self.users;
                self.rooms
                    .moved_elsewhere(users, key, (joined.collect(), left), update_at);
            }
            _ => {
                let elsewhere = &mut relay.room(name).elsewhere;
                elsewhere.extend(joined);
                for user in left {
                    elsewhere.remove(user);
                }
            }
        }
    }

    /// The broker is away, or back: clients are told.
    pub(crate) fn cluster_changed(&mut self, now: Time, up: bool) {
        self.advance_clock(now);
        self.notify(Notice::Cluster { up });
        let tells = self
            .config
            .cluster
            .as_ref()
            .is_some_and(|it| it.tell_clients);
        if tells && self.config.wire == Wire::Json {
            let frame = self.encoder.encode(&ServerMessage::Cluster { up }, 0);
            self.send_to_everybody(frame, &[]);
        }
    }

    /// The cluster closes a connection of a user.
    pub(crate) fn put_out(&mut self, now: Time, user: &str, id: ConnectionId, reason: &str) {
        self.advance_clock(now);
        if self.user_of(id).is_some_and(|found| *found == *user) {
            self.because(id, |_| Cause::rule("cluster").detail(reason.to_owned()));
            self.end(id, reason_of(reason));
            // The user comes back elsewhere, if at all.
            self.release_seats(user);
        }
    }

    /// Sends a client's message to a user, wherever the user is.
    pub(super) fn direct_everywhere(
        &mut self,
        id: ConnectionId,
        to: &str,
        frame: &Frame,
        request: Option<&RequestId<'_>>,
    ) {
        let here = self.send_to_devices(to, frame.clone()).accepted as u64;
        self.ask_user(
            to,
            frame,
            Some(Ask::Direct {
                sender: id,
                request: request.cloned().map(RequestId::into_owned),
                here,
            }),
        );
    }

    /// Hands a frame for a user to the cluster. Returns the number of the question.
    pub(super) fn ask_user(&mut self, user: &str, frame: &Frame, asks: Option<Ask>) -> u64 {
        let body = body_of(frame, &[]);
        let Some(relay) = &mut self.relay else {
            return 0;
        };
        let ask = relay.number();
        if let Some(asks) = asks {
            relay.asks.insert(ask, asks);
        }
        let user = user.into();
        self.ask_cluster(ClusterRequest::Direct { ask, user, body });
        ask
    }

    /// Sends a frame to all connections of a user, on all nodes, unchanged. Returns a ticket:
    /// [`Notice::Reached`] says later how many there are. Without a cluster, it comes at once.
    ///
    /// # Errors
    ///
    /// As for [`send_to_user`](Self::send_to_user).
    pub fn send_to_user_everywhere(
        &mut self,
        now: Time,
        user: &str,
        frame: &Frame,
    ) -> Result<u64, SendError> {
        let mut to = ToUser::new(user, frame.clone());
        loop {
            if let Some(ticket) = self.send_to_user_everywhere_part(now, &mut to)? {
                return Ok(ticket);
            }
        }
    }

    /// Goes on with sending a frame to all connections of a user, on all nodes, like
    /// [`send_to_user_part`](Self::send_to_user_part). Returns `None` if this is to be called again, and the
    /// ticket when it is through on this node.
    ///
    /// # Errors
    ///
    /// As for [`send_to_user`](Self::send_to_user). Nothing was sent then.
    pub fn send_to_user_everywhere_part(
        &mut self,
        now: Time,
        to: &mut ToUser,
    ) -> Result<Option<u64>, SendError> {
        self.record_to_user(now, to, true);
        self.enter_to_send(now);
        self.check_begun(to)?;
        if self.may_send(to)?.is_none() || !self.send_some(to) {
            return Ok(None);
        }
        let here = to.accepted();
        if self.relay.is_some() {
            let asks = Some(Ask::Application { here });
            return Ok(Some(self.ask_user(to.user(), &to.frame, asks)));
        }
        Ok(Some(self.report_here(here)))
    }

    /// Closes all connections of a user, on all nodes. Returns a ticket: [`Notice::Reached`] says later
    /// how many there were. Without a cluster, it comes at once.
    pub fn disconnect_user_everywhere(
        &mut self,
        now: Time,
        user: &str,
        reason: CloseReason,
    ) -> u64 {
        self.record(now, |it| Input::DisconnectUser {
            user: it.name(user),
            reason,
            everywhere: true,
        });
        self.advance_clock(now);
        let here = self.disconnect_here(user, reason) as u64;
        match self.kick(user, reason, Some(Ask::Application { here })) {
            Some(ask) => ask,
            None => self.report_here(here),
        }
    }

    /// Tells the cluster to close the connections of a user. Returns the number of the question.
    pub(super) fn kick(
        &mut self,
        user: &str,
        reason: CloseReason,
        asks: Option<Ask>,
    ) -> Option<u64> {
        let relay = self.relay.as_mut()?;
        let ask = relay.number();
        if let Some(asks) = asks {
            relay.asks.insert(ask, asks);
        }
        let user = user.into();
        self.ask_cluster(ClusterRequest::Kick { ask, user, reason });
        Some(ask)
    }

    fn report_here(&mut self, connections: u64) -> u64 {
        let ticket = self.pings.number();
        let report = UserReport {
            connections,
            nodes: 0,
            complete: true,
        };
        self.notify(Notice::Reached { ticket, report });
        ticket
    }

    /// Other nodes have answered a question about a user.
    pub(crate) fn user_reached(&mut self, now: Time, ask: u64, report: UserReport) {
        self.advance_clock(now);
        let asks = self.relay.as_mut().and_then(|it| it.asks.remove(&ask));
        match asks {
            None => {}
            Some(Ask::Application { here }) => {
                let report = UserReport {
                    connections: report.connections + here,
                    ..report
                };
                let ticket = ask;
                self.notify(Notice::Reached { ticket, report });
            }
            Some(Ask::Direct {
                sender,
                request,
                here,
            }) => {
                let delivered = report.connections + here;
                if delivered == 0 && !report.complete {
                    // The user may be on a node that could not be asked, or has not answered.
                    self.unavailable(sender, request.as_ref(), None);
                } else if delivered == 0 {
                    let (code, message) = (ErrorCode::NotConnected, "the user is not connected");
                    self.fail(sender, code, message, request.as_ref(), None);
                } else if let Some(id) = &request {
                    self.send_message(sender, &ServerMessage::DirectAck { id, delivered });
                }
            }
        }
    }

    /// A message of another node for a user's connections here. The node is told how many took it, once
    /// all have it.
    pub(crate) fn direct_arrived(
        &mut self,
        now: Time,
        user: &str,
        body: &[u8],
        (node, question): (&Arc<str>, Question),
    ) {
        self.enter_to_send(now);
        let node = node.clone();
        let queues = match frame_of(body) {
            Some((frame, _)) if self.check_size(&frame).is_ok() => {
                if self.goes_in_parts(user) {
                    let from = Sender::Node { node, question };
                    // Without an answer, that node says that it cannot be told who has got it.
                    let _ = self.begin_direct(self.to_all_devices(user, frame), from);
                    return;
                }
                self.send_to_devices(user, frame).accepted as u64
            }
            _ => 0,
        };
        self.ask_cluster(ClusterRequest::Taken {
            node,
            question,
            queues,
        });
    }

    /// A message of another node for every connection here.
    pub(crate) fn everyone_arrived(&mut self, now: Time, body: &[u8]) {
        self.enter_to_send(now);
        let Some((frame, users)) = frame_of(body) else {
            return;
        };
        if self.check_size(&frame).is_err() {
            return;
        }
        self.send_to_everybody(frame, &users);
    }

    /// Hands a frame for everybody to the cluster.
    pub(super) fn tell_everyone(&mut self, frame: &Frame, exclude: Exclude<'_>) {
        if self.relay.is_some() {
            let body = body_of(frame, exclude.users);
            self.ask_cluster(ClusterRequest::Everyone { body });
        }
    }

    /// Hands a frame for the members of a room, without a number, to the cluster.
    pub(super) fn tell_room(&mut self, room: &str, frame: &Frame, exclude: Exclude<'_>) {
        if self.relay.is_some() && self.shared_settings(room).is_some() {
            let (room, body) = (room.into(), body_of(frame, exclude.users));
            self.ask_cluster(ClusterRequest::Volatile { room, body });
        }
    }

    /// Hands a message that nobody misses, for the members of a room, to the cluster.
    pub(super) fn tell_room_volatile(
        &mut self,
        room: &str,
        content: Content<'_>,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) {
        if self.shared_settings(room).is_some() {
            let body = Body {
                sender: sender.map(Into::into),
                excluded_users: exclude.users.to_vec(),
                content: content.as_json().as_bytes(),
                ..Body::default()
            };
            let (room, body) = (room.into(), body.to_bytes());
            self.ask_cluster(ClusterRequest::Volatile { room, body });
        }
    }

    /// A message without a number, of another node, for the members of a room here.
    pub(crate) fn volatile_arrived(&mut self, now: Time, room: &str, body: &[u8]) {
        self.enter_to_send(now);
        let (Some(key), Ok(parsed)) = (self.rooms.find(room), Body::parse(body)) else {
            return;
        };
        let (frame, kind) = match frame_of(body) {
            Some((frame, _)) => (frame, Kind::Raw),
            None => match self.volatile_frame(room, &parsed) {
                Some(frame) => (frame, Kind::Volatile),
                None => return,
            },
        };
        if self.check_size(&frame).is_ok() {
            let exclude = Exclude {
                connections: &[],
                users: &parsed.excluded_users,
            };
            let kind = (kind, Origin::default());
            // At most once, so a room that is full does not get it.
            let _ = self.send_to_members(key, frame, kind, exclude);
        }
    }

    fn volatile_frame(&mut self, channel: &str, body: &Body<'_>) -> Option<Frame> {
        let content = Content::parse(str::from_utf8(body.content).ok()?).ok()?;
        let message = ServerMessage::Volatile {
            channel,
            content,
            sender: body.sender.as_deref(),
        };
        Some(self.encoder.encode(&message, body.content.len()))
    }
}

/// Reads what another node tells of a user; nothing, where this node would not tell it.
pub(super) fn read(info: &Info) -> Option<PresenceInfo> {
    PresenceInfo::new(Json::parse(info.as_ref()?).ok()?).ok()
}

fn body_of(frame: &Frame, users: &[&str]) -> Arc<[u8]> {
    let opcode = frame.as_bytes().first().map_or(0, |first| first & 0x0f);
    Body {
        excluded_users: users.to_vec(),
        form: if opcode == BINARY {
            Form::Binary
        } else {
            Form::Text
        },
        content: frame.payload(),
        ..Body::default()
    }
    .to_bytes()
}

/// Returns the frame of a message that is sent as it is, and the users who do not get it.
fn frame_of(body: &[u8]) -> Option<(Frame, Vec<&str>)> {
    let body = Body::parse(body).ok()?;
    let frame = match body.form {
        Form::Text => Frame::text(str::from_utf8(body.content).ok()?),
        Form::Binary => Frame::binary(body.content),
        Form::Json => return None,
    };
    Some((frame, body.excluded_users))
}

/// Returns the reason that a word stands for between nodes.
fn reason_of(word: &str) -> CloseReason {
    let known = [
        CloseReason::Replaced,
        CloseReason::Kicked,
        CloseReason::Unauthorized,
        CloseReason::Forbidden,
        CloseReason::TokenExpired,
        CloseReason::Internal,
        CloseReason::Policy,
    ];
    let found = known.into_iter().find(|reason| reason.as_str() == word);
    let code = word.strip_prefix("application-");
    let code = code.and_then(|code| code.parse().ok());
    let code = code.and_then(|code| CloseReason::application(code).ok());
    found.or(code).unwrap_or(CloseReason::Kicked)
}

/// Returns the word for a reason between nodes.
pub(crate) fn word_of(reason: CloseReason) -> Arc<str> {
    match reason {
        CloseReason::Application(_) => {
            let code = reason.code().unwrap_or_default();
            format!("application-{code}").into()
        }
        _ => reason.as_str().into(),
    }
}
