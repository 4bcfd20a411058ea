//! Predicts how clients are told that they are refused (invariant 29).

use switchboard_core::Refusal;

use super::counters::Probe;
use super::link::Phase;
use super::oracle::Verdict;
use super::world::World;

/// The HTTP status of each refusal, and its close code where a Close frame may carry it
/// (docs/protocol.md, section 4).
const REFUSALS: &[(&str, u16, Option<u16>)] = &[
    ("server_full", 503, Some(4002)),
    ("lobby_full", 503, Some(4002)),
    ("ip_limit", 429, Some(4100)),
    ("unauthorized", 401, Some(4001)),
    ("forbidden", 403, Some(4003)),
    ("already_connected", 409, Some(4005)),
    ("restart", 503, Some(1012)),
    ("internal", 500, Some(1011)),
    ("origin", 403, None),
    ("handshakes_full", 503, None),
    ("refusals_full", 503, None),
    ("malformed", 400, None),
];

impl World {
    /// The node reports a refusal.
    pub(super) fn was_refused(&mut self, l: u32, what: &'static str) {
        match self.oracle.predicted.take() {
            Some((of, Verdict::Refused(expected))) if of == l => {
                let expected = self.told_instead(l, expected);
                self.check(29, expected == what, || {
                    format!("link {l}: refused {what}, expected {expected}")
                });
            }
            other => {
                self.oracle.predicted = other;
                let hook = self.links[l as usize].hook.is_some();
                let told = |reason| what == self.told_instead(l, reason);
                let pending = told("restart") && self.drain_due.is_some();
                let failed = told("internal") && (hook || self.may_end(l, "internal"));
                let claimed = self.claim_refused(l, what);
                self.check(29, pending || failed || claimed, || {
                    format!("link {l}: refused {what} without a cause")
                });
                if failed && hook {
                    self.probe(Probe::HookTimedOut);
                }
            }
        }
        self.expect_refusal(l, what);
    }

    /// Returns the refusal sent instead if too many connections linger already.
    pub(super) fn told_instead(&self, l: u32, what: &'static str) -> &'static str {
        let lingering = self.oracle.count(Phase::Refused);
        let crowded = 2 * lingering >= self.plan.config.limits.handshakes.max(2);
        let by_close = self.plan.config.refusal == Refusal::Close
            && self.links[l as usize].shadow.phase == Phase::Authenticating
            && REFUSALS
                .iter()
                .any(|&(name, _, code)| name == what && code.is_some());
        if crowded && by_close {
            "refusals_full"
        } else {
            what
        }
    }

    /// Records how a refusal must be told: the status, or the code after an upgrade.
    fn expect_refusal(&mut self, l: u32, what: &'static str) {
        let Some(&(_, status, code)) = REFUSALS.iter().find(|(name, ..)| *name == what) else {
            return self.fail(29, format!("link {l}: an unknown refusal {what}"));
        };
        let by_close = self.plan.config.refusal == Refusal::Close;
        let shadow = &mut self.links[l as usize].shadow;
        let asked = shadow.asked;
        shadow.closed = Some(what);
        match shadow.phase {
            Phase::AwaitingAuth => shadow.close_code = Some(code.or(Some(1008))),
            Phase::Authenticating if code.is_some() && by_close => shadow.close_code = Some(code),
            _ => shadow.http = Some(asked.filter(|_| what == "malformed").unwrap_or(status)),
        }
        if what == "refusals_full" {
            self.probe(Probe::RefusalByHttp);
        }
        if what == "handshakes_full" {
            self.probe(Probe::HandshakesFull);
        }
        let refused = match self.links[l as usize].shadow.phase {
            Phase::Page => Phase::PageRefused,
            _ => Phase::Refused,
        };
        self.move_to(l, refused);
    }
}
