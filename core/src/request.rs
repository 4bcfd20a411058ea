//! What an application is told of a client that wants in.

use std::borrow::Cow;
use std::fmt;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::handshake::{self, AcceptKey, Authority, Headers, Known, Query};
use crate::{BadRequest, Tokens};

/// A secret that never shows: `Debug` prints its length only.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself. Whoever calls this must not print it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Looks at every byte, wherever the first difference is: how long it takes tells the length of a
/// secret, and nothing of what is in it.
impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.bytes().zip(other.0.bytes());
        let difference = pairs.fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
        self.0.len() == other.0.len() && difference == 0
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
}

/// What a client asked for: what `authenticate` sees, and what a page is made from.
///
/// `Debug` prints nothing that may be secret: no token, no value of a header or of the query, no
/// offered subprotocol. The accessors do not hide: what they give out is not to be logged.
///
/// A clone shares what was parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    parts: Arc<Parts>,
    peer: IpAddr,
    behind_proxy: bool,
}

/// What a request is made of.
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
    pub(crate) upgrade: bool,
    pub(crate) accept_key: Option<AcceptKey>,
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
    /// The request behind a socket that the application upgraded itself, with another library.
    ///
    /// `target` is the path and query as they came (`/chat?token=x`). The subprotocols and the
    /// token are found as in a request of our own; nothing else is checked, for that upgrade has
    /// been answered already. Over HTTP/2 there is no `Host`: either the header `:authority` stands for it,
    /// or the authority of a target in absolute form (`https://example.org/chat?token=x`). Whether the subprotocol was echoed is the application's affair.
    ///
    /// The token is looked for where [`Tokens::default`] says; for other places see
    /// [`upgraded_with`](Self::upgraded_with).
    pub fn upgraded<N, V>(
        target: &str,
        lobby: Option<String>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, BadRequest>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        Self::upgraded_with(&Tokens::default(), target, lobby, headers)
    }

    /// The same as [`upgraded`](Self::upgraded), with a token from these places.
    pub fn upgraded_with<N, V>(
        tokens: &Tokens,
        target: &str,
        lobby: Option<String>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, BadRequest>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut collected = Headers::default();
        for (name, value) in headers {
            collected.push(name.as_ref(), value.as_ref());
        }
        handshake::upgraded(tokens, target, lobby, collected)
    }

    /// What stands for a request when a connection shows a new token: it has that and the address
    /// only.
    pub fn for_refresh(peer: IpAddr, token: Token) -> Self {
        let mut request = Self::from(Parts {
            token: Some(token),
            upgrade: true,
            ..Parts::default()
        });
        request.set_peer(peer);
        request
    }

    /// The same request with this token, which came in the first message.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        Arc::make_mut(&mut self.parts).token = Some(token);
        self
    }

    /// Sets the address of the client, which a handshake cannot know.
    pub const fn set_peer(&mut self, peer: IpAddr) {
        self.peer = peer;
    }

    /// The address of the client: that of the socket, or what a trusted proxy told; `0.0.0.0`
    /// until it is set.
    pub const fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Sets whether a trusted proxy has sent this, so that its word counts for [`host`](Self::host).
    pub const fn set_behind_proxy(&mut self, behind_proxy: bool) {
        self.behind_proxy = behind_proxy;
    }

    /// The host that the client asked for, and its port if that is not the scheme's own.
    ///
    /// From a trusted proxy it is the last entry of `X-Forwarded-Host`, if that is a host: what stands
    /// before it may be the client's own. Otherwise it is `Host`, for which the authority of a target in
    /// absolute form stands, or `:authority` over HTTP/2. `None`: there is none, or there are several.
    pub fn host(&self) -> Option<&str> {
        let forwarded = self.header_values(Known::XForwardedHost).rev();
        let mut entries = forwarded
            .flat_map(|list| list.rsplit(','))
            .map(str::trim_ascii);
        let last = entries.find(|entry| self.behind_proxy && !entry.is_empty());
        last.filter(|host| Authority::parse(host).is_some())
            .or_else(|| self.parts.headers.only(Known::Host))
    }

    /// The method, as it was written.
    pub fn method(&self) -> &str {
        &self.parts.method
    }

    /// The path, decoded once, without the query.
    pub fn path(&self) -> &str {
        &self.parts.path
    }

    /// The first parameter of this name in the query. `+` was decoded to a space, as browsers
    /// mean it.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query_pairs()
            .find_map(|(given, value)| (given == name).then_some(value))
    }

    /// The parameters of the query in their order, decoded once.
    pub fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.query.iter()
    }

    /// The first header of this name, whatever its case. Bytes that are not UTF-8 show as U+FFFD.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find_map(|(given, value)| given.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The headers in their order, names and values as they were written.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.parts.headers.iter()
    }

    /// The values of all headers of one name.
    pub(crate) fn header_values(&self, name: Known) -> impl DoubleEndedIterator<Item = &str> {
        self.parts.headers.all(name)
    }

    /// The subprotocols that the client offers, most wanted first; never the one with its token.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.parts.protocols.iter().map(String::as_str)
    }

    /// Whether the client offers the subprotocol `switchboard.v1.json` to a server that speaks it.
    pub fn speaks_json(&self) -> bool {
        self.parts.json
    }

    /// The token, wherever it came from. It may be empty: then it is not one that is missing.
    pub fn token(&self) -> Option<&Token> {
        self.parts.token.as_ref()
    }

    /// The room that the path names.
    pub fn lobby(&self) -> Option<&str> {
        self.parts.lobby.as_deref()
    }

    /// The same to keep, without a copy.
    pub(crate) fn shared_lobby(&self) -> Option<Arc<str>> {
        self.parts.lobby.clone()
    }

    /// Whether this asks for a WebSocket, and not for a page.
    pub fn is_upgrade(&self) -> bool {
        self.parts.upgrade
    }

    /// The value of `Sec-WebSocket-Accept`; `None` for a page, and where somebody else upgraded.
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
            .field("is_upgrade", &self.is_upgrade())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
