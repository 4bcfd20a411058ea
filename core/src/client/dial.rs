//! What a dial needs to know: why a token is requested, how it is offered, what a refusal means.

use crate::protocol::BEARER_PROTOCOL;

/// Why a token is requested.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenReason {
    /// There is none yet.
    Connect,
    /// The server refused the last one (4001).
    Unauthorized,
    /// The last one has expired (4202).
    Expired,
    /// The last one expires soon. The connection continues with the new one.
    Expiring,
}

/// Returns the close code and reason that correspond to the HTTP status of a refusal
/// (`docs/protocol.md`, section 4).
pub fn status_code(status: u16) -> (u16, &'static str) {
    match status {
        401 => (4001, "unauthorized"),
        403 => (4003, "forbidden"),
        409 => (4005, "already_connected"),
        429 => (4100, "ip_limit"),
        500 => (1011, "internal"),
        503 => (4002, "server_full"),
        _ => (1006, ""),
    }
}

/// Returns the subprotocol that carries a token, to be offered beside `switchboard.v1.json`.
pub fn token_subprotocol(token: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let token = URL_SAFE_NO_PAD.encode(token);
    format!("{BEARER_PROTOCOL}{token}")
}
