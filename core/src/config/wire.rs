//! The protocol on the wire, and how refusals are sent.

use serde::{Deserialize, Serialize};

/// The protocol on the wire.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// The JSON protocol.
    #[default]
    Json,
    /// Only what the application sends; verdicts are close codes.
    Raw,
}

/// How a refusal is sent to a client, where there is a choice.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Completes the upgrade, then closes with a code, because browsers hide the HTTP status.
    #[default]
    Close,
    /// Answers with the HTTP status, without an upgrade.
    Http,
}
