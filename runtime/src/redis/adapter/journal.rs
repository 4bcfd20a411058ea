//! Logs problems of the connection: each problem once, not once per attempt.

use std::time::{Duration, Instant};

use super::introduction::Introduced;
use super::problem::Problem;
use super::target::Host;
use crate::shield::{debug, error, info, warn};

/// A problem that recurs later than this is logged again.
const AGAIN: Duration = Duration::from_secs(60);
/// Different problems that are remembered.
const REMEMBERED: usize = 16;

/// What was logged, and what is still to be logged.
#[derive(Default)]
pub(super) struct Journal {
    told: Vec<(Problem, Instant)>,
    /// What to say once the connection has proved to work.
    news: Option<String>,
    /// Whether a problem was logged since the connection last worked.
    is_away: bool,
    evicts: Option<String>,
}

impl Journal {
    /// Logs a problem, unless it was logged recently.
    pub(super) fn problem(&mut self, now: Instant, problem: &Problem) {
        self.told.retain(|(_, at)| now.duration_since(*at) < AGAIN);
        if self.told.iter().any(|(told, _)| told == problem) {
            debug!("still: {problem}");
            return;
        }
        if self.told.len() == REMEMBERED {
            self.told.remove(0);
        }
        self.told.push((problem.clone(), now));
        self.is_away = true;
        if problem.needs_operator() {
            error!("{problem}");
        } else {
            warn!("{problem}");
        }
    }

    /// Remembers to log a connection, once it has proved to work.
    pub(super) fn connected(&mut self, host: &Host, introduced: &Introduced) {
        if self.evicts != introduced.evicts {
            self.evicts.clone_from(&introduced.evicts);
            if let Some(policy) = &self.evicts {
                warn!(
                    "Redis at {host} evicts keys by the policy {policy}: rooms then lose their history and begin new epochs. Set maxmemory-policy to noeviction"
                );
            }
        }
        debug!("connected to Redis {} at {host}", introduced.version);
        if self.is_away || self.told.is_empty() {
            let version = &introduced.version;
            self.news = Some(format!("connected to Redis {version} at {host}"));
        }
    }

    /// The connection works.
    pub(super) fn works(&mut self) {
        self.is_away = false;
        if let Some(news) = self.news.take() {
            info!("{news}");
        }
    }
}
