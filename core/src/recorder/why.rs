//! Why a connection has ended: the rule, the measured value, and the limit.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ConnectionId;

/// What a rule counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Bytes,
    Connections,
    Fragments,
    /// The code of a Close frame.
    Code,
    Members,
    Messages,
    Milliseconds,
    Rooms,
    Strikes,
}

/// The rule by which a connection was ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The field of the configuration, or the party that decided.
    pub rule: Cow<'static, str>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// What the rule allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Additional information, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
}

impl Why {
    /// A rule that measures nothing.
    pub(crate) const fn rule(rule: &'static str) -> Self {
        Self {
            rule: Cow::Borrowed(rule),
            value: None,
            limit: None,
            unit: None,
            detail: None,
        }
    }

    /// A rule that allows `limit` where `value` was measured.
    pub(crate) fn measured(rule: &'static str, value: usize, limit: usize, unit: Unit) -> Self {
        Self {
            value: Some(value as u64),
            limit: Some(limit as u64),
            unit: Some(unit),
            ..Self::rule(rule)
        }
    }

    /// A rule that allows a time.
    pub(crate) fn took(rule: &'static str, value: Duration, limit: Duration) -> Self {
        let millis = |it: Duration| it.as_millis() as usize;
        Self::measured(rule, millis(value), millis(limit), Unit::Milliseconds)
    }

    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// The end of a connection, or its refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub conn: ConnectionId,
    /// The client's address, of an IPv6 address the network.
    pub ip: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The reason, as in the statistics.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// Whether it was refused instead of admitted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    #[serde(flatten)]
    pub why: Why,
}
