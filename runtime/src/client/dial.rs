//! What a runtime has to bring for a client, and where it is to connect to.

use std::fmt::{self, Write};
use std::future::Future;

use futures_core::Stream;
use futures_sink::Sink;
use switchboard_core::client::token_subprotocol;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Request;
use tungstenite::http::HeaderValue;
use tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message};

use super::options::Options;
use crate::runtime::Runtime;

/// What a runtime has to bring for a client.
pub trait Dial: Runtime {
    /// Its WebSocket.
    type WebSocket: Stream<Item = Result<Message, Error>>
        + Sink<Message, Error = Error>
        + Unpin
        + Send
        + 'static;

    /// Opens one.
    fn dial(target: Target) -> impl Future<Output = Result<Self::WebSocket, Error>> + Send;
}

/// Where to connect to, and what to ask for there.
#[derive(Debug)]
pub struct Target {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The request of the upgrade.
    pub request: Request,
    /// The bounds of the WebSocket.
    pub config: WebSocketConfig,
    /// How to speak TLS to it; `None`: it is not spoken.
    #[cfg(feature = "client-tls")]
    pub tls: Option<(
        std::sync::Arc<rustls::ClientConfig>,
        rustls::pki_types::ServerName<'static>,
    )>,
}

/// What is wrong with an address.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadUrl {
    /// It is none, or not one of `ws://` and `wss://`.
    Syntax,
    /// It begins with `wss://`, but nobody said how to speak TLS.
    NoTls,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the address must be one of ws:// or wss://",
            Self::NoTls => "wss:// needs the feature `client-tls`, and `Options::tls`",
        })
    }
}

impl std::error::Error for BadUrl {}

/// What a client speaks.
const SUBPROTOCOL: &str = "switchboard.v1.json";

/// Bytes that are read at once. tungstenite has them zeroed before each read.
const READ_BUFFER: usize = 8 << 10;

/// Where to connect to. It may carry a token, so it has no `Debug` output.
pub(super) fn target(url: &str, token: Option<&str>, options: &Options) -> Result<Target, BadUrl> {
    let url = match token.filter(|_| options.token_in_query) {
        Some(token) => with_query(url, token),
        None => url.to_owned(),
    };
    let mut request = url.into_client_request().map_err(|_| BadUrl::Syntax)?;
    let mut offered = SUBPROTOCOL.to_owned();
    if let Some(token) = token.filter(|_| !options.token_in_query) {
        offered.push_str(", ");
        offered.push_str(&token_subprotocol(token));
    }
    let mut offered = HeaderValue::from_str(&offered).map_err(|_| BadUrl::Syntax)?;
    offered.set_sensitive(true);
    request
        .headers_mut()
        .insert(SEC_WEBSOCKET_PROTOCOL, offered);
    let uri = request.uri();
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or(BadUrl::Syntax)?;
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let secure = match uri.scheme_str() {
        Some("ws") => false,
        Some("wss") => true,
        _ => return Err(BadUrl::Syntax),
    };
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    #[cfg(feature = "client-tls")]
    let tls = if secure {
        let name = rustls::pki_types::ServerName::try_from(host.clone());
        let name = name.map_err(|_| BadUrl::Syntax)?;
        Some((options.tls.clone().ok_or(BadUrl::NoTls)?, name))
    } else {
        None
    };
    #[cfg(not(feature = "client-tls"))]
    if secure {
        return Err(BadUrl::NoTls);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(READ_BUFFER)
        .max_message_size(Some(options.max_message_bytes))
        .max_frame_size(Some(options.max_message_bytes));
    Ok(Target {
        host,
        port,
        request,
        config,
        #[cfg(feature = "client-tls")]
        tls,
    })
}

fn with_query(url: &str, token: &str) -> String {
    let mut url = url.to_owned();
    url.push(if url.contains('?') { '&' } else { '?' });
    url.push_str("token=");
    for byte in token.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}
