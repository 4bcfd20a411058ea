//! Predicts who is admitted (invariants 2, 9, 10, 29).

use switchboard_core::protocol::RequestId;
use switchboard_core::{Identity, Refused, Request, UserPolicy};

use super::counters::Probe;
use super::link::{Answer, Claim, Phase};
use super::oracle::{Verdict, room_number};
use super::plan::SECOND;
use super::world::World;

impl World {
    fn predict(&mut self, l: u32, verdict: Verdict) {
        self.oracle.predicted = Some((l, verdict));
    }

    /// Returns why a stream is dropped on arrival, if it is.
    pub(super) fn predict_connect(&mut self, l: u32) -> Option<Refused> {
        let limit = self.plan.config.limits.handshakes;
        let handshakes = self.oracle.handshakes();
        if handshakes >= 2 * limit {
            return Some(Refused::RefusalsFull);
        }
        if self.has_its_share(l, handshakes) {
            return Some(Refused::IpLimit);
        }
        self.charge_connect(l);
        if handshakes >= limit {
            self.predict(l, Verdict::Refused("handshakes_full"));
        }
        None
    }

    /// Returns whether this link's address holds its share when `taken` seats of a kind are taken.
    fn has_its_share(&self, l: u32, taken: usize) -> bool {
        let limit = self.plan.config.limits.handshakes;
        let address = self.links[l as usize].address;
        let links = self.oracle.live.iter().map(|&l| &self.links[l as usize]);
        let entering = links.filter(|link| {
            link.address == address && !matches!(link.shadow.phase, Phase::Open | Phase::Closing)
        });
        let others = entering.count() - usize::from(self.oracle.live.contains(&l));
        let share = 20.max(limit / 10);
        taken * 2 >= limit && others >= share
    }

    /// Charges the connect to its address on arrival; a refusal for its rate follows later.
    fn charge_connect(&mut self, l: u32) {
        let now = self.core_time();
        let address = self.links[l as usize].address;
        let entry = self.oracle.addresses.entry(address).or_default();
        if let Some(rate) = self.plan.config.rates.connects {
            let each = SECOND / rate.per_second;
            let full = entry.full.max(now) + each;
            if full > now + each * rate.burst {
                self.links[l as usize].shadow.too_fast = true;
            } else {
                entry.full = full;
            }
        }
    }

    pub(super) fn settle_accepted(&mut self, l: u32) {
        self.predicted_admission(l);
        self.heed(l);
    }

    /// Compares the status of a malformed request with the one its client intended.
    pub(super) fn predict_malformed(&mut self, l: u32, status: u16) {
        let asked = self.links[l as usize].shadow.asked;
        self.check(29, asked == Some(status), || {
            format!("link {l}: malformed with {status}, expected {asked:?}")
        });
        self.predict(l, Verdict::Refused("malformed"));
    }

    /// Checks draining, origin and address, before the application is asked.
    pub(super) fn predict_request(&mut self, l: u32, request: &Request) {
        let asked = self.links[l as usize].shadow.asked;
        self.check(29, asked.is_none(), || {
            format!("link {l}: accepted, expected {asked:?}")
        });
        if !request.is_upgrade() {
            return self.predict_page_request(l);
        }
        self.links[l as usize].shadow.lobby = request.lobby().and_then(room_number);
        self.move_to(l, Phase::Authenticating);
        let foreign = request
            .header("origin")
            .is_some_and(|origin| origin.contains("evil"));
        if self.drain_due.is_some() {
            self.predict(l, Verdict::Refused("restart"));
        } else if foreign {
            self.predict(l, Verdict::Refused("origin"));
        } else if !self.seat_address(l) {
            self.predict(l, Verdict::Refused("ip_limit"));
        }
    }

    /// Checks the address and the seats for pages, before the page is made.
    fn predict_page_request(&mut self, l: u32) {
        let pages = self.oracle.pages();
        if self.links[l as usize].shadow.too_fast {
            self.probe(Probe::IpRate);
            self.predict(l, Verdict::Refused("ip_limit"));
        } else if self.has_its_share(l, pages) {
            self.predict(l, Verdict::Refused("ip_limit"));
        } else if pages >= self.plan.config.limits.handshakes {
            self.predict(l, Verdict::Refused("handshakes_full"));
        } else {
            self.move_to(l, Phase::Page);
        }
    }

    /// Takes a seat of the address, within its limit and rate.
    fn seat_address(&mut self, l: u32) -> bool {
        let limit = self.plan.config.limits.per_ip;
        let address = self.links[l as usize].address;
        let entry = self.oracle.addresses.entry(address).or_default();
        if self.links[l as usize].shadow.too_fast {
            self.probe(Probe::IpRate);
            return false;
        }
        if entry.seats >= limit {
            self.probe(Probe::IpCount);
            return false;
        }
        entry.seats += 1;
        self.links[l as usize].shadow.ip_seat = true;
        true
    }

    /// Predicts the outcome of the application's verdict.
    pub(super) fn predict_admission(
        &mut self,
        l: u32,
        verdict: &Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) {
        let phase = self.links[l as usize].shadow.phase;
        if phase == Phase::Open {
            return self.predict_refresh(l, verdict, request);
        }
        if !matches!(phase, Phase::Authenticating | Phase::AwaitingAuth) {
            return;
        }
        let first = phase == Phase::AwaitingAuth;
        let expected = match verdict {
            _ if self.drain_due.is_some() => Verdict::Refused("restart"),
            Ok(Identity::FirstMessage) if first || !self.plan.json => {
                Verdict::Refused("unauthorized")
            }
            Ok(Identity::FirstMessage) => return self.move_to(l, Phase::AwaitingAuth),
            Ok(Identity::User { name, expires_in }) => {
                let expires = expires_in.map(|after| self.core_time() + after.as_nanos() as u64);
                let rejects = self.plan.config.users == UserPolicy::Reject;
                let rejects = rejects && self.in_session(l, name).is_none();
                if rejects && self.oracle.users.contains_key(&**name) {
                    return self.claim(l, name, expires);
                }
                self.expect_open(l, Some(name), expires)
            }
            Ok(_) => self.expect_open(l, None, None),
            Err(Refused::Forbidden) => Verdict::Refused("forbidden"),
            Err(_) => Verdict::Refused("unauthorized"),
        };
        if first && matches!(expected, Verdict::Open { .. }) {
            self.probe(Probe::FirstMessageAuth);
        }
        self.predict(l, expected);
    }

    /// Checks the user policy, the node's seats and the lobby's seats, all or nothing.
    fn expect_open(&mut self, l: u32, name: Option<&str>, expires: Option<u64>) -> Verdict {
        let limits = self.plan.config.limits;
        let again = name.and_then(|name| self.in_session(l, name));
        if again.is_some() {
            self.probe(Probe::SessionReplaced);
        }
        let devices = name
            .and_then(|name| self.oracle.users.get(name))
            .map_or(&[][..], Vec::as_slice);
        let replaced = match self.plan.config.users {
            _ if again.is_some() => again,
            UserPolicy::Reject => None,
            UserPolicy::Replace => devices.first().copied(),
            UserPolicy::Allow(most) if devices.len() < most => None,
            UserPolicy::Allow(_) => {
                let leaving = |l: &&u32| self.links[**l as usize].shadow.leaving;
                devices.iter().find(leaving).or(devices.first()).copied()
            }
            other => unreachable!("{other:?} is unknown to the oracle"),
        };
        if self.oracle.open >= limits.connections + usize::from(replaced.is_some()) {
            self.probe(Probe::ServerFull);
            return Verdict::Refused("server_full");
        }
        let mut takes_seat = false;
        if let Some(lobby) = self.links[l as usize].shadow.lobby {
            let room = &self.oracle.rooms[lobby as usize];
            let inside = replaced.is_some_and(|other| room.members.contains(&other));
            let none_left = room.members.is_empty() && {
                let mut rooms = self.oracle.rooms.iter();
                let given = rooms.any(|room| replaced.is_some_and(|other| room.members == [other]));
                self.oracle.active_rooms() >= limits.rooms + usize::from(given)
            };
            let seats = room.seats_for(name);
            let full = none_left || room.members.len() >= seats + usize::from(inside);
            takes_seat = inside && room.members.len() >= seats;
            if full {
                self.probe(Probe::LobbyFull);
                return Verdict::Refused("lobby_full");
            }
        }
        if let Some(other) = replaced {
            if takes_seat {
                self.probe(Probe::ReplacedAtLobbyLimit);
            }
            if self.oracle.open >= limits.connections {
                self.probe(Probe::ReplacedAtServerLimit);
            }
            self.probe_replacement(other);
        }
        Verdict::Open { replaced, expires }
    }

    /// The user has a connection and may not have another. If that is leaving, it is replaced; if it
    /// was heard a moment ago, it stays. Otherwise the outcome depends on when its pings left, so it is checked rather than
    /// predicted.
    fn claim(&mut self, l: u32, user: &str, expires: Option<u64>) {
        let (now, frozen_then) = (self.core_time(), self.frozen);
        let shadow = &mut self.links[l as usize].shadow;
        shadow.claim = Some(Claim {
            user: user.to_owned(),
            since: now,
            frozen_then,
            expires,
        });
        shadow.since = now;
        shadow.frozen_then = frozen_then;
    }

    /// Returns for how long nothing was heard of a connection: at most, and without the time of
    /// host stalls.
    fn silence(&self, l: u32) -> (u64, u64) {
        // Allows for a late timer and for calls with an earlier time.
        let slack = 3 * self.plan.tick_jitter + SECOND / 4;
        let shadow = &self.links[l as usize].shadow;
        let silence = self.core_now.saturating_sub(shadow.last_heard) + slack;
        let frozen = self.frozen - shadow.frozen_at_heard + 2 * slack;
        (silence, silence.saturating_sub(frozen))
    }

    /// Returns the verdict on a newcomer that found a connection of its user.
    pub(super) fn claimed(&mut self, l: u32) -> Option<Verdict> {
        let claim = self.links[l as usize].shadow.claim.take()?;
        let replaced = self.oracle.users.get(&*claim.user);
        let replaced = replaced.and_then(|devices| devices.first().copied());
        let again = self.in_session(l, &claim.user);
        let replaced = again.or(replaced);
        if let Some(other) = replaced {
            let (most, _) = self.silence(other);
            let leaving = self.links[other as usize].shadow.leaving;
            let may = most >= SECOND || leaving || again.is_some();
            self.check(29, may, || {
                format!("link {l}: replaced {other}, heard {most} ns ago")
            });
            self.allow(other, "replaced");
            self.probe(if leaving {
                Probe::LeavingReplaced
            } else {
                Probe::SilentReplaced
            });
        }
        let expires = claim.expires;
        Some(Verdict::Open { replaced, expires })
    }

    /// A newcomer that found a connection of its user is refused.
    pub(super) fn claim_refused(&mut self, l: u32, what: &'static str) -> bool {
        let Some(claim) = self.links[l as usize].shadow.claim.take() else {
            return false;
        };
        let holder = self.oracle.users.get(&*claim.user);
        let holder = holder.and_then(|devices| devices.first().copied());
        let limits = self.plan.config.limits;
        match (what, holder) {
            ("already_connected", Some(other)) => {
                self.probe(Probe::AlreadyConnected);
                let (_, least) = self.silence(other);
                let link = &self.links[other as usize];
                // A pause of our own is not the client's silence.
                let paused = link.shadow.paused_since
                    || link.paused
                    || limits.pause_reading.is_some()
                    || self.frozen > claim.frozen_then;
                let asked = self.core_now.saturating_sub(claim.since) >= SECOND;
                let most = if asked { 2 * SECOND } else { SECOND };
                let leaving = link.shadow.leaving;
                self.check(29, !leaving && (least < most || paused), || {
                    format!(
                        "link {l}: refused in favour of {other}, leaving: {leaving}, silent for \
                         {least} ns"
                    )
                });
                true
            }
            ("server_full", _) => self.oracle.open >= limits.connections,
            ("lobby_full", _) => true,
            ("refusals_full", _) => self.told_instead(l, "already_connected") == what,
            _ => false,
        }
    }

    fn probe_replacement(&mut self, other: u32) {
        if matches!(self.plan.config.users, UserPolicy::Allow(most) if most > 1) {
            self.probe(Probe::OldestDeviceReplaced);
        }
        self.fault(super::counters::Fault::DuplicateLogin);
        self.allow(other, "replaced");
        let user = self.shared_user(other);
        let closing = self.oracle.live.iter().any(|&l| {
            let shadow = &self.links[l as usize].shadow;
            shadow.phase == Phase::Closing
                && shadow.closed == Some("replaced")
                && shadow.user == user
        });
        if closing {
            self.probe(Probe::ReplacedWhileClosing);
        }
    }

    fn predict_refresh(
        &mut self,
        l: u32,
        verdict: &Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) {
        let now = self.core_time();
        let own = self.shared_user(l);
        match verdict {
            Ok(Identity::User { name, expires_in }) if Some(&**name) == own.as_deref() => {
                self.links[l as usize].shadow.expires =
                    expires_in.map(|after| now + after.as_nanos() as u64);
                self.probe(Probe::Refreshed);
                if let Some(id) = request.and_then(|id| id.as_json().parse().ok()) {
                    self.links[l as usize]
                        .shadow
                        .answers
                        .insert(id, Answer::Any);
                }
            }
            _ => {
                self.allow(l, "unauthorized");
                self.predict(l, Verdict::Closed("unauthorized"));
            }
        }
    }

    /// Checks that the predicted outcome of the call has happened.
    pub(super) fn predicted_admission(&mut self, l: u32) {
        if let Some((_, verdict)) = self.oracle.predicted.take() {
            self.fail(29, format!("link {l}: expected {verdict:?}"));
        }
    }

    /// A hook failed, which costs this connection.
    pub(super) fn predict_hook_failure(&mut self, l: u32) {
        self.allow(l, "internal");
    }

    pub(super) fn predict_page(&mut self, l: u32) {
        if self.links[l as usize].shadow.phase == Phase::Page {
            self.links[l as usize].shadow.http = Some(200);
            let now = self.core_now;
            self.links[l as usize].shadow.since = now;
        }
    }
}
