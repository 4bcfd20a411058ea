//! Logins in a cluster: the policy for several connections of a user holds over all nodes.

use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::protocol::RequestId;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::pending::{Claim, Newcomer};
use crate::switchboard::relay::ClusterRequest;
use crate::{ConnectionId, Refused, Time, UserPolicy};

impl Switchboard {
    /// Admits a connection for which there is a place on this node. If older connections take
    /// precedence, it first waits for the verdict of the other nodes.
    pub(super) fn admit_everywhere(
        &mut self,
        id: ConnectionId,
        who: Newcomer,
        replaced: Option<ConnectionId>,
        request: Option<&RequestId<'_>>,
    ) -> Result<(), Refused> {
        if !self.asks_first(&who) {
            return self.admit(id, &who, replaced, request);
        }
        let asked = self.liveness();
        let user: Arc<str> = who.name.as_str().into();
        let claim = Claim {
            who,
            from: id,
            asked,
            deadline: Time::MAX,
            has_place: true,
            replaced,
            request: request.map(|request| request.clone().into_owned()),
        };
        let pending = self.connections.get_mut(id).map(ConnectionState::pending);
        if let Ok(Some(pending)) = pending {
            pending.claim = Some(Box::new(claim));
            self.ask_cluster(ClusterRequest::LoggedIn { user, id });
        }
        Ok(())
    }

    /// Returns whether the other nodes have a say before a newcomer is admitted.
    pub(super) fn asks_first(&self, who: &Newcomer) -> bool {
        self.relay.is_some() && !who.anonymous && self.config.users == UserPolicy::Reject
    }

    /// The other nodes have decided about a newcomer.
    pub(crate) fn login_decided(
        &mut self,
        now: Time,
        user: &Arc<str>,
        id: ConnectionId,
        admitted: bool,
    ) {
        self.advance_clock(now);
        let pending = self.connections.get_mut(id).map(ConnectionState::pending);
        let claim = pending.ok().flatten().and_then(|it| it.claim.take());
        let Some(claim) = claim.filter(|it| it.has_place && *it.who.name == **user) else {
            // It is gone.
            return self.logged_out(user.clone(), id);
        };
        let verdict = if admitted {
            self.admit(id, &claim.who, claim.replaced, claim.request.as_ref())
        } else {
            Err(Refused::AlreadyConnected)
        };
        if let Err(refused) = verdict {
            self.logged_out(user.clone(), id);
            self.refuse(id, refused);
        }
        self.settle();
    }

    fn logged_out(&mut self, user: Arc<str>, id: ConnectionId) {
        self.ask_cluster(ClusterRequest::LoggedOut { user, id });
    }
}
