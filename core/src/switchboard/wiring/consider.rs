//! Requests that the application's HTTP library has read and not answered yet.

use super::switchboard::Switchboard;
use crate::http::address::set_client;
use crate::recorder::{Input, Who};
use crate::{BadRequest, Identity, Refused, Request, Time, check_name};

impl Switchboard {
    /// Checks an upgrade request before the application's HTTP library answers it with 101, and counts
    /// a refusal. Takes no seat: a client that passes may still be refused by a Close frame.
    ///
    /// Checks only what needs no login: the name of the lobby, the URL parameters for recovery, drain,
    /// origin, handshake seats, and seats of the node unless the client could take over another
    /// connection's seat. `identity` is given if it is already known.
    ///
    /// # Errors
    ///
    /// The refusal to send as the HTTP response.
    pub fn consider(
        &mut self,
        now: Time,
        request: &Request,
        identity: Option<&Identity>,
    ) -> Result<(), Refused> {
        self.record(now, |it| Input::Consider {
            request: it.asked(request),
            identity: identity.map(Who::from),
        });
        self.advance_clock(now);
        let mut request = request.clone();
        let peer = request.peer();
        set_client(&mut request, peer, &self.config.trusted_proxies);
        let verdict = self.first_objection(&request, identity);
        if let Err(refused) = verdict {
            self.counters.refused(refused);
        }
        verdict
    }

    fn first_objection(
        &self,
        request: &Request,
        identity: Option<&Identity>,
    ) -> Result<(), Refused> {
        let limits = &self.config.limits;
        let named = |name| check_name(name, limits.name_bytes).is_ok();
        if !request.lobby().is_none_or(named) {
            let rule = "illegal room name";
            return Err(Refused::Malformed(BadRequest::Syntax(rule)));
        }
        request.resume().map_err(Refused::Malformed)?;
        if self.drain.has_begun() {
            return Err(Refused::Restart);
        }
        if let Err(bad) = self.config.origins.check_request(request) {
            return Err(Refused::Origin(bad));
        }
        if self.seats.handshakes() >= limits.handshakes {
            return Err(Refused::HandshakesFull);
        }
        if self.seats.open() >= limits.connections && !self.may_take_over(identity) {
            return Err(Refused::ServerFull);
        }
        Ok(())
    }

    /// Returns whether the client may turn out to be a user that is connected.
    fn may_take_over(&self, identity: Option<&Identity>) -> bool {
        match identity {
            Some(Identity::User { name, .. }) => self.is_connected(name),
            Some(Identity::Anonymous) => false,
            Some(Identity::FirstMessage) | None => self.users.any_named(),
        }
    }
}
