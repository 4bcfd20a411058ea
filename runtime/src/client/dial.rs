//! Resolves a URL into a connection target, and defines the trait that a runtime implements to dial it.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::future::Future;

use futures_core::Stream;
use futures_sink::Sink;
use switchboard_core::client::token_subprotocol;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Request;
use tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tungstenite::http::{HeaderValue, Uri};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message};

use super::options::Options;
use crate::runtime::Runtime;

/// A runtime that can open WebSocket connections.
pub trait Dial: Runtime {
    /// The WebSocket type.
    type WebSocket: Stream<Item = Result<Message, Error>>
        + Sink<Message, Error = Error>
        + Unpin
        + Send
        + 'static;

    /// Opens a connection and performs the WebSocket handshake.
    fn dial(target: Target) -> impl Future<Output = Result<Self::WebSocket, Error>> + Send;
}

/// The server to connect to, and the request to send.
#[non_exhaustive]
pub struct Target {
    /// A host name or IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The upgrade request.
    pub request: Request,
    /// The WebSocket's size limits.
    pub config: WebSocketConfig,
    /// The TLS configuration and server name; `None` for plain TCP.
    #[cfg(feature = "client-tls")]
    pub tls: Option<(
        std::sync::Arc<rustls::ClientConfig>,
        rustls::pki_types::ServerName<'static>,
    )>,
}

/// Omits the request, which may carry a token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// An unusable URL.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadUrl {
    /// Not a valid `ws://` or `wss://` URL.
    Syntax,
    /// A `wss://` URL without a TLS configuration.
    NoTls,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the URL must begin with ws:// or wss:// and be valid",
            Self::NoTls => "wss:// needs the feature `client-tls` and `Options::tls`",
        })
    }
}

impl std::error::Error for BadUrl {}

/// The subprotocol to offer.
const SUBPROTOCOL: &str = "switchboard.v1.json";

/// Read buffer size. tungstenite zeroes the buffer before each read, so keep it small.
const READ_BUFFER: usize = 8 << 10;

/// The data of a connection attempt in addition to the URL.
#[derive(Clone, Copy, Default)]
pub(super) struct Dialed<'a> {
    pub(super) token: Option<&'a str>,
    /// Empty for none.
    pub(super) session: &'a str,
    pub(super) since: Option<&'a str>,
}

/// Builds the connection target for a URL.
pub(super) fn target(url: &str, dialed: Dialed<'_>, options: &Options) -> Result<Target, BadUrl> {
    let token = dialed.token;
    let query = [
        ("session", Some(dialed.session).filter(|it| !it.is_empty())),
        ("since", dialed.since),
        ("token", token.filter(|_| options.token_in_query)),
    ];
    let uri = with_query(url, &query).ok_or(BadUrl::Syntax)?;
    let mut request = uri.into_client_request().map_err(|_| BadUrl::Syntax)?;
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
    let secure = match uri.scheme_str() {
        Some("ws") => false,
        Some("wss") => true,
        _ => return Err(BadUrl::Syntax),
    };
    let (host, port) = host_and_port(uri).ok_or(BadUrl::Syntax)?;
    let port = port.unwrap_or(if secure { 443 } else { 80 });
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

/// Returns the host, without brackets, and the explicit port, if any.
fn host_and_port(uri: &Uri) -> Option<(String, Option<u16>)> {
    let host = uri.host().filter(|host| !host.is_empty())?;
    // `Uri::port` returns `None` for an invalid port, too.
    let (_, told) = uri.authority()?.as_str().rsplit_once(host)?;
    let port = match told.trim_start_matches(':') {
        "" => None,
        port => Some(port.parse().ok()?),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port))
}

/// Strips the fragment, adds a missing path, and adds parameters to the query, in place of those of the
/// same name; a `session` of the application is kept. The rest of the query stays as it was written.
fn with_query(url: &str, parameters: &[(&str, Option<&str>)]) -> Option<Uri> {
    let mut parts = url.parse::<Uri>().ok()?.into_parts();
    let asked = parts.path_and_query.take()?;
    let query = asked.query().filter(|query| !query.is_empty());
    let mut pairs: Vec<Cow<'_, str>> = query
        .into_iter()
        .flat_map(|query| query.split('&').map(Cow::from))
        .collect();
    for &(name, value) in parameters {
        let is_other = |pair: &Cow<'_, str>| pair.split('=').next() != Some(name);
        let Some(value) = value else {
            continue;
        };
        if name == "session" && !pairs.iter().all(is_other) {
            continue;
        }
        pairs.retain(is_other);
        pairs.push(format!("{name}={}", encode(value)).into());
    }
    let mut path = asked.path().to_owned();
    if !pairs.is_empty() {
        path.push('?');
        path.push_str(&pairs.join("&"));
    }
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Percent-encodes the value of a parameter.
fn encode(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(url: &str) -> String {
        let options = Options {
            token_in_query: true,
            ..Options::default()
        };
        let dialed = Dialed {
            token: Some("a b"),
            ..Dialed::default()
        };
        let target = target(url, dialed, &options).expect("an address");
        target.request.uri().to_string()
    }

    #[test]
    fn the_session_and_the_position_are_parameters_of_the_url() {
        let asked = |url| {
            let dialed = Dialed {
                session: "s_1-a",
                since: Some("e&1.5"),
                ..Dialed::default()
            };
            let target = target(url, dialed, &Options::default()).expect("an address");
            target.request.uri().to_string()
        };
        let query = "session=s_1-a&since=e%261.5";
        assert_eq!(asked("ws://h/ws/a"), format!("ws://h/ws/a?{query}"));
        let own = "ws://h/ws/a?x=1&since=e.2";
        assert_eq!(asked(own), format!("ws://h/ws/a?x=1&{query}"));
        assert_eq!(asked("ws://h/ws/a?"), format!("ws://h/ws/a?{query}"));
        let raw = "ws://h/ws/a?a+b=c%20d&&q=~'()*!&x=";
        assert_eq!(asked(raw), format!("{raw}&{query}"));
    }

    #[test]
    fn a_session_of_the_application_is_kept() {
        for own in ["?session=mine", "?x=1&session=mine&y=2", "?session="] {
            let url = format!("ws://h/ws{own}");
            let dialed = Dialed {
                session: "s_1-a",
                ..Dialed::default()
            };
            let target = target(&url, dialed, &Options::default()).expect("an address");
            assert_eq!(target.request.uri().to_string(), url);
        }
    }

    #[test]
    fn a_token_in_the_query_is_asked_for_by_a_whole_request() {
        let at = |rest| format!("ws://h{rest}");
        assert_eq!(requested("ws://h/ws"), at("/ws?token=a%20b"));
        assert_eq!(requested("ws://h/ws?x=1"), at("/ws?x=1&token=a%20b"));
        assert_eq!(requested("ws://h/ws#top"), at("/ws?token=a%20b"));
        assert_eq!(requested("ws://h"), at("/?token=a%20b"));
        assert_eq!(requested("ws://h?x=1"), at("/?x=1&token=a%20b"));
    }

    #[test]
    fn what_is_sent_begins_with_the_path() {
        let target =
            target("ws://h?x=1", Dialed::default(), &Options::default()).expect("an address");
        let path = target.request.uri().path_and_query().expect("a path");
        assert_eq!(path.as_str(), "/?x=1");
    }

    #[test]
    fn an_address_that_can_never_work_is_an_error() {
        for url in [
            "",
            "ws:",
            "ws://",
            "ws:///a",
            "ws://:80/",
            "h:80/ws",
            "/ws",
            "http://h/",
            "ws://h:70000/",
            "ws://u@/",
            "ws://h h/",
            "ws://[::1/",
        ] {
            let bad = target(url, Dialed::default(), &Options::default()).err();
            assert_eq!(bad, Some(BadUrl::Syntax), "{url}");
        }
    }

    #[test]
    fn debug_output_has_no_token() {
        let options = Options::default();
        for (url, token) in [
            ("ws://h/ws?token=s3cr3t", None),
            ("ws://u:s3cr3t@h/ws", None),
            ("ws://h/ws", Some("s3cr3t")),
        ] {
            let dialed = Dialed {
                token,
                ..Dialed::default()
            };
            let target = target(url, dialed, &options).expect("an address");
            let shown = format!("{target:?}");
            assert!(
                !shown.contains("s3cr3t") && !shown.contains("czNjcjN0"),
                "{shown}"
            );
        }
    }
}
