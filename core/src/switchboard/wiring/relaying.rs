//! Messages of shared rooms: they go to the cluster, and are delivered when they come back with their
//! numbers.

use std::borrow::Cow;
use std::sync::Arc;

use super::draft::Draft;
use super::publishing::Sent;
use super::switchboard::Switchboard;
use crate::cluster::{Body, RoomBody};
use crate::protocol::{RequestId, ServerMessage};
use crate::switchboard::action::Notice;
use crate::switchboard::errors::SendError;
use crate::switchboard::log::{Excluded, Kind, Origin};
use crate::switchboard::recipients::{Exclude, Receipt, excluded};
use crate::switchboard::relay::{ClusterRequest, Post};
use crate::{ConnectionId, Frame, Position, Time, check_name};

/// Bytes of a message to a room beside its content, its sender and the room's name.
const ENVELOPE: usize = 128;

/// A message as it stands in the cluster's log.
#[derive(Debug)]
pub(super) struct Numbered<'a> {
    /// What members get.
    pub(super) frame: Frame,
    /// The key whose value it is.
    pub(super) key: Option<&'a str>,
    pub(super) kind: Kind,
    /// Users who do not get it.
    pub(super) users: Vec<&'a str>,
    /// A node has set it again: whom it is not for says the origin only.
    pub(super) restored: bool,
    /// What the history is to know.
    pub(super) origin: Origin,
    /// The connection that sent it and does not get it, as the node says it where that was.
    pub(super) connection: Option<&'a str>,
}

/// A message of the cluster's log whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived<'a> {
    pub(crate) seq: u64,
    pub(crate) body: &'a RoomBody,
    /// This node has sent it.
    pub(crate) is_own: bool,
    /// Its number as a post, if it was sent here and its sender waits.
    pub(crate) post: Option<u64>,
}

impl Switchboard {
    /// Returns whether the messages of a room go through the cluster.
    pub(super) fn is_relayed(&self, key: u32) -> bool {
        self.rooms.at(key).shared.is_some()
    }

    /// Sends a client's message to the cluster.
    pub(super) fn relay_from(
        &mut self,
        id: ConnectionId,
        key: u32,
        sent: Sent<'_>,
        request: Option<&RequestId<'_>>,
    ) {
        let Some(sender) = self.user_of(id) else {
            return;
        };
        let origin = self.origin_of_message(key, id, sent.echo, request);
        let room = self.room_name(key);
        if sent.again.is_some()
            && let Some(relay) = &mut self.relay
            && let Some(post) = relay.find_request(&room, origin.request)
        {
            // The first one is still on its way, so this connection gets the answer to it.
            post.sender = Some(id);
            post.request = request.cloned().map(RequestId::into_owned);
            if !sent.echo {
                post.exclude.push(id);
            }
            return;
        }
        let post = Post {
            room: room.clone(),
            sender: Some(id),
            request: request.cloned().map(RequestId::into_owned),
            hash: origin.request,
            exclude: if sent.echo { Vec::new() } else { vec![id] },
            awaited: false,
        };
        let draft = (sent.draft(&sender), sent.key);
        let posted = self.relay(post, draft, &[], &origin);
        if let Err(error) = posted {
            self.send_failed(id, error, request, Some(&room));
        }
    }

    /// Hands a message for a room that the nodes share, and the key whose value it is, to the cluster.
    pub(super) fn broadcast_shared(
        &mut self,
        room: &str,
        draft: (Draft<'_>, Option<&str>),
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        if check_name(room, self.config.limits.name_bytes).is_err() {
            return Ok(Receipt::default());
        }
        self.check_busy()?;
        self.relay_broadcast(room, draft, exclude, false)?;
        Ok(Receipt {
            forwarded: true,
            ..Receipt::default()
        })
    }

    /// Sends a message of the application to the cluster. Returns its number as a post.
    pub(super) fn relay_broadcast(
        &mut self,
        room: &str,
        draft: (Draft<'_>, Option<&str>),
        exclude: Exclude<'_>,
        awaited: bool,
    ) -> Result<u64, SendError> {
        let sessions = exclude.connections.iter();
        let sessions = sessions.filter_map(|&id| Some(self.connections.get(id).ok()?.session));
        let sessions: Excluded = sessions.filter(|&session| session != 0).collect();
        let origin = Origin {
            not_for: (!sessions.is_empty()).then(|| Box::new(sessions)),
            request: draft.0.request,
            ..Origin::default()
        };
        let post = Post {
            room: room.into(),
            hash: origin.request,
            exclude: exclude.connections.to_vec(),
            awaited,
            ..Post::default()
        };
        self.relay(post, draft, exclude.users, &origin)
    }

    fn relay(
        &mut self,
        post: Post,
        (draft, key): (Draft<'_>, Option<&str>),
        excluded_users: &[&str],
        origin: &Origin,
    ) -> Result<u64, SendError> {
        if let Some(key) = key {
            self.check_place(&post.room, key, draft.content)?;
        }
        let json = draft.content.as_json();
        let sender = draft.sender.map_or(0, str::len);
        let bytes = json.len() + post.room.len() + sender + ENVELOPE;
        let limit = self.config.limits.queue_bytes;
        if bytes > limit {
            return Err(SendError::TooLarge { bytes, limit });
        }
        let hex = |hash: u64| (hash != 0).then(|| format!("{hash:x}"));
        let (session, request) = (hex(origin.session), hex(origin.request));
        let sessions = origin.not_for.iter().flat_map(|list| list.iter());
        let sessions: Vec<String> = sessions.copied().filter_map(hex).collect();
        // Whoever has no session is known here only, and only as long as the connection lasts.
        let connection = post
            .sender
            .filter(|id| origin.session == 0 && post.exclude.contains(id));
        let connection = connection.map(|id| id.to_string());
        let body = Body {
            sender: draft.sender.map(Into::into),
            session: session.as_deref(),
            request: request.as_deref(),
            connection: connection.as_deref(),
            excluded_users: excluded_users.to_vec(),
            excluded_sessions: sessions.iter().map(String::as_str).collect(),
            key,
            uncompressed: draft.uncompressed,
            content: json.as_bytes(),
            ..Body::default()
        };
        let body = RoomBody::from(body.to_bytes()).with_twin(draft.twin.cloned());
        let room = post.room.clone();
        let terms = self.config.room(&room).terms();
        let Some(relay) = &mut self.relay else {
            return Err(SendError::Busy);
        };
        let number = relay.number();
        relay.posts.insert(number, post);
        self.ask_cluster(ClusterRequest::Publish {
            post: number,
            room,
            terms,
            body,
        });
        Ok(number)
    }

    /// Delivers a message to the members of a room, under its number. Returns what became of it.
    pub(crate) fn deliver(&mut self, now: Time, name: &Arc<str>, arrived: Arrived<'_>) -> Receipt {
        self.enter_to_send(now);
        let seq = arrived.seq;
        let Some(relay) = &mut self.relay else {
            return Receipt::default();
        };
        let post = arrived.post;
        let post = post.and_then(|number| Some((number, relay.posts.remove(&number)?)));
        let mut at = Position::nowhere();
        if let Some(room) = relay.rooms.get_mut(name)
            && let Some(position) = &mut room.position
        {
            position.seq = seq;
            at = position.clone();
        }
        let mut receipt = Receipt::default();
        if let Some(key) = self.rooms.find(name) {
            let exclude = post.iter().flat_map(|(_, post)| post.exclude.iter());
            let exclude = exclude.copied().collect();
            receipt = self.deliver_to_members(key, arrived, exclude);
        }
        receipt.seq = Some(seq);
        if let Some((number, post)) = post {
            self.answer_post(number, &post, at);
        }
        self.bound_dormant_rooms();
        receipt
    }

    /// Delivers a message to the members of a room here. Those in `exclude` know why they do not get it.
    fn deliver_to_members(
        &mut self,
        key: u32,
        Arrived {
            seq, body, is_own, ..
        }: Arrived<'_>,
        mut exclude: Vec<ConnectionId>,
    ) -> Receipt {
        let name = self.room_name(key);
        let ahead = self.those_ahead(&name, seq, seq).into_iter();
        exclude.extend(ahead.map(|(id, _)| id));
        let Some(numbered) = self.numbered(&name, seq, body) else {
            self.numbers_lost(key, (seq, seq), true);
            return Receipt::default();
        };
        let unaware = self.those_from_before(key, &numbered, is_own);
        let unaware: Vec<ConnectionId> = unaware.filter(|id| !exclude.contains(id)).collect();
        exclude.extend(&unaware);
        let to = Exclude {
            connections: &exclude,
            users: &numbered.users,
        };
        let to = excluded(&self.connections, &self.users, to);
        let receipt = self.deliver_frame(key, seq, numbered, &to);
        if !unaware.is_empty() {
            let (channel, from, to) = (&name, seq, seq);
            let skip = ServerMessage::Skip { channel, from, to };
            let epoch = self.rooms.epoch(key).as_str().into();
            let at = Position { epoch, seq };
            self.tell_members(key, &skip, Some(&at), &unaware);
        }
        receipt
    }

    /// Returns the members of a room here who do not get a message because of what they were when it was
    /// sent: its sender has come back through another connection, or has stayed while the room returned to
    /// an earlier epoch; or they were excluded through another connection.
    fn those_from_before(
        &self,
        key: u32,
        numbered: &Numbered<'_>,
        is_own: bool,
    ) -> impl Iterator<Item = ConnectionId> {
        // A member that comes back to values gets them all, its own as well.
        let by_key = self.log.keeps_latest(self.rooms.at(key).log);
        let origin = (!by_key).then_some(&numbered.origin).into_iter();
        let sessions = origin.flat_map(|origin| {
            let not_for = origin.not_for.iter().flat_map(|list| list.iter());
            not_for.chain([&origin.session])
        });
        let slots = sessions.filter_map(|&it| self.users.in_session(&self.connections, it));
        let ids = slots.map(|slot| self.connections.id_at(slot));
        let connection = numbered.connection.filter(|_| is_own && !by_key);
        let connection = connection.and_then(ConnectionId::parse);
        ids.chain(connection)
            .filter(move |&id| self.is_member(id, key))
    }

    pub(super) fn deliver_frame(
        &mut self,
        key: u32,
        seq: u64,
        numbered: Numbered<'_>,
        excluded: &[u32],
    ) -> Receipt {
        let log = self.rooms.at(key).log;
        if self.log.next_seq(log) != seq {
            self.log.renumber(log, seq - 1);
        }
        let mut excluded = Cow::Borrowed(excluded);
        if numbered.restored && numbered.origin.not_for.is_some() {
            excluded
                .to_mut()
                .extend(self.those_excluded(key, &numbered.origin));
        }
        let Numbered {
            frame,
            origin,
            key: name,
            kind,
            ..
        } = numbered;
        let excluded = &excluded[..];
        let published = match name {
            Some(name) => self
                .log
                .publish_numbered_key(log, name, frame, kind, (excluded, origin)),
            None => self.log.publish_numbered(log, frame, excluded, origin),
        };
        self.settle_published(log, kind, &published)
    }

    /// Returns the members of a room here whom a message is not for. Costs a look at each of them.
    fn those_excluded(&self, key: u32, origin: &Origin) -> Vec<u32> {
        let room = self.rooms.at(key);
        let members = self.log.members(room.log, 0..room.members);
        let connections = members.filter_map(|id| Some((id.slot, self.connections.get(id).ok()?)));
        let excluded = connections.filter(|(_, it)| origin.excludes(&self.history_identity(it)));
        excluded.map(|(slot, _)| slot).collect()
    }

    /// Reads a message as it stands in the cluster's log. `None` if it is no message, or too large for a
    /// queue.
    pub(super) fn numbered<'a>(
        &mut self,
        name: &str,
        seq: u64,
        body: &'a RoomBody,
    ) -> Option<Numbered<'a>> {
        let twin = body.twin();
        let body = Body::parse(body).ok()?;
        let content = body.json()?;
        let key = body.key.filter(|_| self.keeps_values(name));
        let kind = match key {
            None => Kind::Numbered,
            Some(_) if content.is_null() => Kind::Removal,
            Some(_) => Kind::Value,
        };
        let draft = Draft {
            content,
            sender: body.sender.as_deref(),
            uncompressed: body.uncompressed,
            twin,
            request: 0,
        };
        let frame = draft.encode(&mut self.encoder, name, key, seq);
        self.check_size(&frame).ok()?;
        self.counters.compressed(&frame);
        let hash = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        let users = body.excluded_users.iter();
        let users = users.map(|user| self.fingerprints.user(user));
        let sessions = body.excluded_sessions.iter().map(|text| hash(text));
        let not_for: Excluded = sessions.chain(users).filter(|&hash| hash != 0).collect();
        let origin = Origin {
            session: body.session.map_or(0, hash),
            request: body.request.map_or(0, hash),
            not_for: (!not_for.is_empty()).then(|| Box::new(not_for)),
        };
        Some(Numbered {
            frame,
            key,
            kind,
            users: body.excluded_users,
            connection: body.connection,
            restored: body.only_if_absent,
            origin,
        })
    }

    /// Tells whoever sent a message under which number it is in the room.
    fn answer_post(&mut self, number: u64, post: &Post, at: Position) {
        let room = self.relay.as_ref().and_then(|it| it.rooms.get(&post.room));
        let local = room.is_some_and(|room| room.alone);
        // Members have been told that the room goes on elsewhere, and would take it for a number there.
        let here = room.and_then(|room| room.position.as_ref());
        let is_past = here.is_some_and(|here| here.epoch != at.epoch);
        if let (Some(id), Some(request)) = (post.sender, &post.request) {
            let ack = ServerMessage::Ack {
                id: request,
                seq: if is_past { 0 } else { at.seq },
                duplicate: false,
                local,
            };
            self.send_message(id, &ack);
        }
        if post.awaited {
            let (ticket, result) = (number, Ok(at));
            self.notify(Notice::Published { ticket, result });
        }
    }

    /// A message was published that is not delivered here. The number is 0 if it is not known.
    pub(crate) fn post_published(&mut self, now: Time, number: u64, at: Option<Position>) {
        self.advance_clock(now);
        let post = self.relay.as_mut().and_then(|it| it.posts.remove(&number));
        if let Some(post) = post {
            self.answer_post(number, &post, at.unwrap_or_else(Position::nowhere));
        }
    }

    /// A message was not published: too much waits for the broker, or it is away.
    pub(crate) fn post_refused(&mut self, now: Time, number: u64, error: SendError) {
        self.advance_clock(now);
        let post = self.relay.as_mut().and_then(|it| it.posts.remove(&number));
        let Some(post) = post else {
            return;
        };
        if let Some(id) = post.sender {
            self.send_failed(id, error, post.request.as_ref(), Some(&post.room));
        }
        if post.awaited {
            let (ticket, result) = (number, Err(error));
            self.notify(Notice::Published { ticket, result });
        }
    }
}
