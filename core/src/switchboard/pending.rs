//! What is known of a connection before it is admitted.

use std::sync::Arc;

use crate::http::handshake::Resume;
use crate::protocol::RequestId;
use crate::wire::frame::Window;
use crate::{ConnectionId, Frame, PresenceInfo, Reach, Time};

/// The state of a connection that is not admitted yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    pub(super) lobby: Option<Arc<str>>,
    /// The session and the position in the lobby that the client names.
    pub(super) resume: Resume,
    /// How far back it may reach in the lobby.
    pub(super) reach: Reach,
    /// The presence info of the user.
    pub(super) presence: Option<PresenceInfo>,
    /// The text for a client that is refused with a code of the application.
    pub(super) refusal_text: Option<Arc<str>>,
    /// What it can inflate, once it is admitted.
    pub(super) window: Window,
    /// The 101 response, until it is sent; `None` if the application has sent it.
    pub(super) response: Option<Frame>,
    /// When the first message is due, in liveness time.
    pub(super) auth_deadline: Time,
    /// Set while an authenticated client waits for the fate of another connection of its user.
    pub(super) claim: Option<Box<Claim>>,
}

/// A connection that is about to be admitted.
#[derive(Clone, Debug)]
pub(super) struct Newcomer {
    pub(super) name: String,
    pub(super) anonymous: bool,
    /// The hash of its session; 0 for none.
    pub(super) session: u64,
    /// In the driver's time.
    pub(super) expires: Option<Time>,
}

/// A newcomer that waits for the fate of the connection in its place.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) who: Newcomer,
    /// The connection that was asked.
    pub(super) from: ConnectionId,
    /// In liveness time.
    pub(super) asked: Time,
    /// In liveness time.
    pub(super) deadline: Time,
    /// Whether there is a place for it here, so that it waits for the other nodes of the cluster.
    pub(super) has_place: bool,
    /// The connection that it replaces there, if any.
    pub(super) replaced: Option<ConnectionId>,
    /// The id of the `auth` message.
    pub(super) request: Option<RequestId<'static>>,
}
