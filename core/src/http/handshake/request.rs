//! The request of a client, as the application sees it.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::authority::Authority;
use super::extension::PerMessageDeflate;
use super::headers::{Headers, Known};
use super::query::Query;
use super::upgrade::AcceptKey;
use crate::Token;

/// A client's request, as passed to `authenticate` and to page functions.
///
/// `Debug` omits everything that may be secret: the token, values of headers and of the query, and
/// offered subprotocols. The accessors return these unredacted; do not log them.
///
/// Clones share the parsed parts.
///
/// # Example
///
/// ```
/// # use switchboard_core::{Denied, Identity, Request};
/// fn identify(request: &Request) -> Result<Identity, Denied> {
///     let token = request.token().ok_or(Denied::Unauthorized)?;
///     match token.reveal() {
///         "s3cret" => Ok(Identity::user("ann")),
///         _ => Err(Denied::Forbidden),
///     }
/// }
///
/// // In a test. A server gets its requests from clients.
/// let target = "/ws/blue?token=s3cret&theme=dark";
/// let request = Request::upgraded(target, Some("blue".into()), [("host", "example.org")])?;
/// assert_eq!(identify(&request), Ok(Identity::user("ann")));
/// assert_eq!(request.path(), "/ws/blue");
/// assert_eq!(request.query("theme"), Some("dark"));
/// assert_eq!(request.header("Host"), Some("example.org"));
/// # Ok::<(), switchboard_core::BadRequest>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    parts: Arc<Parts>,
    peer: IpAddr,
    behind_proxy: bool,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A page of the application.
    #[default]
    Page,
    /// A WebSocket.
    Upgrade,
    /// An event stream, in place of a WebSocket.
    EventStream,
    /// To send messages to the server, on behalf of an event stream. The body has so many bytes.
    Post { length: u64 },
    /// To ask, on behalf of a page, whether it may open an event stream or post (WHATWG Fetch, section 3.3.2).
    Preflight,
}

/// The shared parts of a [`Request`].
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) method: Cow<'static, str>,
    pub(crate) path: String,
    pub(crate) query: Query,
    pub(crate) headers: Headers,
    pub(crate) protocols: Vec<String>,
    pub(crate) json: bool,
    pub(crate) token: Option<Token>,
    pub(crate) lobby: Option<Arc<str>>,
    pub(crate) purpose: Purpose,
    pub(crate) accept_key: Option<AcceptKey>,
    pub(crate) deflate: Option<PerMessageDeflate>,
}

impl From<Parts> for Request {
    fn from(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            peer: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            behind_proxy: false,
        }
    }
}

impl Request {
    /// Creates a stand-in for a request when a connection presents a new token: it has only that
    /// token and the address.
    pub fn for_refresh(peer: IpAddr, token: Token) -> Self {
        let mut request = Self::from(Parts {
            token: Some(token),
            purpose: Purpose::Upgrade,
            ..Parts::default()
        });
        request.set_peer(peer);
        request
    }

    /// Returns this request with the token of the first message.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        Arc::make_mut(&mut self.parts).token = Some(token);
        self
    }

    /// Sets the address of the client, which the handshake does not know.
    pub const fn set_peer(&mut self, peer: IpAddr) {
        self.peer = peer;
    }

    /// Returns the client's address: that of the socket, or the one reported by a trusted proxy;
    /// `0.0.0.0` until it is set.
    pub const fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Sets whether a trusted proxy sent the request, so that [`host`](Self::host) believes its
    /// headers.
    pub const fn set_behind_proxy(&mut self, behind_proxy: bool) {
        self.behind_proxy = behind_proxy;
    }

    pub(crate) const fn is_behind_proxy(&self) -> bool {
        self.behind_proxy
    }

    /// Returns the host that the client asked for, with the port unless it is the scheme's default.
    ///
    /// From a trusted proxy it is the last entry of `X-Forwarded-Host`, if valid; earlier entries
    /// may be forged by the client. Otherwise it is `Host`, or what replaces it: the authority of a
    /// target in absolute form, or `:authority` over HTTP/2. Returns `None` if there is no `Host`,
    /// or several.
    pub fn host(&self) -> Option<&str> {
        let forwarded = self.header_values(Known::XForwardedHost).rev();
        let mut entries = forwarded
            .flat_map(|list| list.rsplit(','))
            .map(str::trim_ascii);
        let last = entries.find(|entry| self.behind_proxy && !entry.is_empty());
        last.filter(|host| Authority::parse(host).is_some())
            .or_else(|| self.parts.headers.only(Known::Host))
    }

    /// Returns the method as sent.
    pub fn method(&self) -> &str {
        &self.parts.method
    }

    /// Returns the decoded path, without the query.
    pub fn path(&self) -> &str {
        &self.parts.path
    }

    /// Returns the first query parameter of this name. `+` is decoded to a space, as in forms.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query_pairs()
            .find_map(|(given, value)| (given == name).then_some(value))
    }

    /// Iterates over the decoded query parameters in order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.query.iter()
    }

    /// Returns the first header of this name, ignoring case. Invalid UTF-8 is replaced by U+FFFD.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find_map(|(given, value)| given.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Iterates over the headers in order, with names and values as sent.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.parts.headers.iter()
    }

    /// Iterates over the values of all headers of one name.
    pub(crate) fn header_values(&self, name: Known) -> impl DoubleEndedIterator<Item = &str> {
        self.parts.headers.all(name)
    }

    /// Iterates over the offered subprotocols in order of preference, without the one that carries
    /// the token.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.parts.protocols.iter().map(String::as_str)
    }

    /// Returns whether the client offers `switchboard.v1.json` and the server speaks it.
    pub fn speaks_json(&self) -> bool {
        self.parts.json
    }

    /// Returns the token, wherever it was found. An empty token is present, not missing.
    pub fn token(&self) -> Option<&Token> {
        self.parts.token.as_ref()
    }

    /// Returns the negotiated compression: the offer that this crate accepted, or what was
    /// [stated](Self::with_deflate) for an upgrade by another library.
    pub fn deflate(&self) -> Option<PerMessageDeflate> {
        self.parts.deflate
    }

    /// Returns this request with what another library has agreed on about compression, without context
    /// takeover in either direction. It is needed where that library answered the request and leaves
    /// the frames to this crate.
    #[must_use]
    pub fn with_deflate(mut self, agreed: Option<PerMessageDeflate>) -> Self {
        Arc::make_mut(&mut self.parts).deflate = agreed;
        self
    }

    /// Returns the room named by the path.
    pub fn lobby(&self) -> Option<&str> {
        self.parts.lobby.as_deref()
    }

    /// Like [`lobby`](Self::lobby), but shared instead of copied.
    pub(crate) fn shared_lobby(&self) -> Option<Arc<str>> {
        self.parts.lobby.clone()
    }

    /// Returns whether this is a WebSocket upgrade, as opposed to a page request.
    pub fn is_upgrade(&self) -> bool {
        self.parts.purpose == Purpose::Upgrade
    }

    /// Returns whether the client wants an event stream in place of a WebSocket. Everything else about
    /// its connection is the same.
    pub fn is_event_stream(&self) -> bool {
        self.parts.purpose == Purpose::EventStream
    }

    pub(crate) fn purpose(&self) -> Purpose {
        self.parts.purpose
    }

    /// Returns the value of `Sec-WebSocket-Accept`; `None` for a page, and where the application
    /// did the upgrade.
    pub fn accept_key(&self) -> Option<&str> {
        str::from_utf8(self.parts.accept_key.as_ref()?).ok()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header_names: Vec<_> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("path", &self.path())
            .field("parameters", &self.parts.query.len())
            .field("headers", &header_names)
            .field("protocols", &self.parts.protocols.len())
            .field("speaks_json", &self.speaks_json())
            .field("token", &self.token())
            .field("lobby", &self.lobby())
            .field("purpose", &self.purpose())
            .field("deflate", &self.deflate())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
