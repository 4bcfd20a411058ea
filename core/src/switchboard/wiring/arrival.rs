//! Arrival: new streams, and their requests until the application is asked (docs/behaviour.md,
//! section 1).

use std::net::IpAddr;

use super::switchboard::Switchboard;
use crate::http::address::is_trusted;
use crate::http::handshake::{Purpose, Resume};
use crate::recorder::Input;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::counters::Level;
use crate::switchboard::pending::Pending;
use crate::switchboard::phase::Phase;
use crate::switchboard::timers::Kind;
use crate::wire::frame::Window;
use crate::{
    BadRequest, ConnectionId, Frame, IpKey, PerMessageDeflate, Reach, Refused, Request, StaleId,
    Time, Wire, check_name, client_address,
};

/// What a driver does with a complete request.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Ask the application to authenticate it, then call [`Switchboard::authenticated`].
    Authenticate,
    /// Ask the application for the page, then call [`Switchboard::answer_page`].
    Page,
    /// Nothing: the request was refused.
    Refused,
}

impl Switchboard {
    /// Registers an accepted stream, which takes a handshake seat.
    ///
    /// # Errors
    /// If no refusal can be sent, because too many are already being sent, or because seats are scarce
    /// and the address holds its share of them. Drop the stream.
    pub fn connect(&mut self, now: Time, peer: IpAddr) -> Result<ConnectionId, Refused> {
        self.record(now, |_| Input::Connect { peer });
        self.advance_clock(now);
        let limits = &self.config.limits;
        let ip = IpKey::of(peer);
        // The client behind a proxy is not known yet.
        let trusted = is_trusted(peer.to_canonical(), &self.config.trusted_proxies);
        let client = (!trusted).then_some(ip);
        if let Err(refused) = self.seats.admits(client, limits) {
            self.counters.refused(refused);
            return Err(refused);
        }
        let limit = limits.handshakes;
        let full = self.seats.handshakes() >= limit;
        let deadline = self.liveness() + self.config.timeouts.handshake;
        let connection = ConnectionState::new(ip, self.liveness(), deadline);
        self.seats.enter(&connection);
        let id = self.connections.insert(connection);
        self.log.open(id);
        if !trusted {
            self.settle_address(id, ip);
        }
        if full {
            self.refuse(id, Refused::HandshakesFull);
        } else {
            self.note_level(Level::Handshakes, self.seats.handshakes(), limit);
            self.arm(id, Kind::Handshake);
        }
        Ok(id)
    }

    /// Takes a request whose head is complete.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn request(
        &mut self,
        now: Time,
        id: ConnectionId,
        request: &Request,
    ) -> Result<RequestOutcome, StaleId> {
        self.record(now, |it| Input::Request {
            conn: id,
            request: it.asked(request),
            answered: false,
        });
        self.advance_clock(now);
        let connection = self.connections.get(id)?;
        if !matches!(connection.phase, Phase::Arrived) {
            return Ok(RequestOutcome::Refused);
        }
        let response = match request.purpose() {
            Purpose::Page => return Ok(self.consider_page(id, request)),
            Purpose::Upgrade => {
                let json = self.config.wire == Wire::Json;
                self.encoder.switching_protocols(request, json)
            }
            Purpose::EventStream => self.open_event_stream(id, request),
            Purpose::Preflight => {
                self.answer_preflight(id, request);
                return Ok(RequestOutcome::Refused);
            }
            Purpose::Post { .. } => {
                // A session takes it with its body: see `post`.
                self.refuse(id, Refused::Malformed(BadRequest::NotFound));
                return Ok(RequestOutcome::Refused);
            }
        };
        Ok(self.check_request(id, request, Some(response)))
    }

    /// Takes a stream that the application upgraded itself, having sent the 101 response.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn upgraded(
        &mut self,
        now: Time,
        id: ConnectionId,
        request: &Request,
    ) -> Result<RequestOutcome, StaleId> {
        self.record(now, |it| Input::Request {
            conn: id,
            request: it.asked(request),
            answered: true,
        });
        self.advance_clock(now);
        if !matches!(self.connections.get(id)?.phase, Phase::Arrived) {
            return Ok(RequestOutcome::Refused);
        }
        Ok(self.check_request(id, request, None))
    }

    /// Leaves the body out of the response to a request that is refused, because its method is HEAD. Call it
    /// before [`request`](Self::request) or [`malformed`](Self::malformed).
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn omit_body(&mut self, id: ConnectionId) -> Result<(), StaleId> {
        self.record(self.clock.now(), |_| Input::OmitBody { conn: id });
        self.connections.get_mut(id)?.set_head_only();
        Ok(())
    }

    /// Refuses a request that breaks a rule.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn malformed(
        &mut self,
        now: Time,
        id: ConnectionId,
        bad: BadRequest,
    ) -> Result<(), StaleId> {
        self.record(now, |_| Input::Malformed {
            conn: id,
            bad: bad.to_string().into(),
        });
        self.advance_clock(now);
        self.check(id)?;
        self.refuse(id, Refused::Malformed(bad));
        Ok(())
    }

    /// Returns the client's address, from the peer's address and the request's headers.
    pub fn client_address(&self, peer: IpAddr, request: &Request) -> IpAddr {
        client_address(peer, request, &self.config.trusted_proxies)
    }

    /// Takes the application's complete response to a request for a page.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn answer_page(
        &mut self,
        now: Time,
        id: ConnectionId,
        response: Vec<u8>,
    ) -> Result<(), StaleId> {
        self.record(now, |_| Input::Page {
            conn: id,
            bytes: response.len(),
        });
        self.advance_clock(now);
        if matches!(self.connections.get(id)?.phase, Phase::Page) {
            self.finish_http(id, response, true);
        }
        Ok(())
    }

    /// Assigns a connection to the address of its client.
    fn settle_address(&mut self, id: ConnectionId, ip: IpKey) {
        if let Ok(connection) = self.connections.get_mut(id) {
            let rate = self.config.rates.connects;
            self.seats
                .settle_address(connection, ip, rate, self.clock.now());
        }
    }

    /// Settles the client's address. Returns whether it differs from the one known on arrival and
    /// already holds its share of the seats.
    pub(super) fn exceeds_share(&mut self, id: ConnectionId, ip: IpKey) -> bool {
        let arrived_as = self.connections.get(id).map(|found| found.ip);
        self.settle_address(id, ip);
        arrived_as != Ok(ip) && self.seats.exceeds_share(ip, &self.config.limits)
    }

    /// Checks address and seats, then moves on to making the page.
    fn consider_page(&mut self, id: ConnectionId, request: &Request) -> RequestOutcome {
        let ip = IpKey::of(request.peer());
        if self.exceeds_share(id, ip) {
            self.turn_away(id, Refused::IpLimit, false);
            return RequestOutcome::Refused;
        }
        let Ok(connection) = self.connections.get(id) else {
            return RequestOutcome::Refused;
        };
        if let Err(refused) = self.seats.page_seat(connection, &self.config.limits) {
            self.refuse(id, refused);
            return RequestOutcome::Refused;
        }
        self.move_to(id, Phase::Page);
        self.hook_started(id);
        RequestOutcome::Page
    }

    /// Checks draining, origin and address, then moves on to authentication.
    fn check_request(
        &mut self,
        id: ConnectionId,
        request: &Request,
        response: Option<Frame>,
    ) -> RequestOutcome {
        let ip = IpKey::of(request.peer());
        if self.exceeds_share(id, ip) {
            self.turn_away(id, Refused::IpLimit, response.is_none());
            return RequestOutcome::Refused;
        }
        let resume = match self.config.wire {
            Wire::Json => request.resume(),
            Wire::Raw => Ok(Resume::default()),
        };
        let pending = Pending {
            lobby: request.shared_lobby(),
            resume: resume.clone().unwrap_or_default(),
            reach: Reach::All,
            presence: None,
            refusal_text: None,
            window: request.deflate().map_or(Window::NONE, window_of),
            response,
            auth_deadline: Time::MAX,
            claim: None,
        };
        self.move_to(id, Phase::Authenticating(Box::new(pending)));
        self.disarm(id, Kind::Handshake, false);
        let named = |name| check_name(name, self.config.limits.name_bytes).is_ok();
        let verdict = if !request.lobby().is_none_or(named) {
            let rule = "illegal room name";
            Err(Refused::Malformed(BadRequest::Syntax(rule)))
        } else if let Err(bad) = resume {
            Err(Refused::Malformed(bad))
        } else if self.drain.has_begun() {
            Err(Refused::Restart)
        } else if let Err(bad) = self.config.origins.check_request(request) {
            Err(Refused::Origin(bad))
        } else {
            self.seat_address(id)
        };
        match verdict {
            Ok(()) => {
                self.hook_started(id);
                RequestOutcome::Authenticate
            }
            Err(refused) => {
                self.refuse(id, refused);
                RequestOutcome::Refused
            }
        }
    }

    /// Takes a seat of its address, if the connect rate allowed the connection.
    fn seat_address(&mut self, id: ConnectionId) -> Result<(), Refused> {
        let Ok(connection) = self.connections.get_mut(id) else {
            return Ok(());
        };
        let limits = &self.config.limits;
        self.seats
            .seat_address(connection, limits, self.clock.now())
    }
}

/// Returns what a client inflates, as was agreed on.
fn window_of(agreed: PerMessageDeflate) -> Window {
    let window = Window::of_bits(agreed.server_max_window_bits);
    if agreed.server_context_takeover {
        window.kept()
    } else {
        window
    }
}
