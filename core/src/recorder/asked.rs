//! The request of a client, in the form in which it is recorded.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::payload::Redactor;
use crate::http::handshake::{self, Parts, Query, is_session};
use crate::{PerMessageDeflate, Request, Token};

/// The headers on which the decisions of a node depend. None of them has a secret.
const HEADERS: [&str; 5] = [
    "host",
    "last-event-id",
    "origin",
    "x-forwarded-for",
    "x-forwarded-host",
];
/// The same of the parameters in the query.
const PARAMETERS: [&str; 3] = ["session", "since", "last"];

/// The parts of a request on which decisions depend. It does not even record whether there is a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub purpose: Purpose,
    /// The client's address, as far as it was known.
    pub peer: IpAddr,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind_proxy: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lobby: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub json: bool,
    /// Whether it has the key of a WebSocket.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key: bool,
    /// What was agreed on about compression: 0, or the bits of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deflate: Option<u8>,
    /// Whether the client keeps that window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_window: bool,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Page,
    Upgrade,
    EventStream,
    Post,
    Preflight,
}

impl Redactor {
    pub(crate) fn asked(&self, request: &Request) -> Asked {
        let token = request.token().map(Token::reveal);
        let headers = request.headers().map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            (name, value.to_owned())
        });
        let query = request.query_pairs();
        let query = query.filter(|(name, value)| {
            // The token may have any of these names.
            PARAMETERS.contains(name) && token != Some(value)
        });
        let query = query.map(|(name, value)| {
            let value = if name == "session" && is_session(value) {
                self.session(value)
            } else {
                self.name(value).into_owned()
            };
            (name.to_owned(), value)
        });
        Asked {
            purpose: Purpose::from(request.purpose()),
            peer: request.peer(),
            behind_proxy: request.is_behind_proxy(),
            lobby: request.lobby().map(|it| self.name(it).into_owned()),
            query: query.collect(),
            headers: headers
                .filter(|(name, _)| HEADERS.contains(&name.as_str()))
                .collect(),
            json: request.speaks_json(),
            key: request.accept_key().is_some(),
            deflate: request
                .deflate()
                .map(|it| it.server_max_window_bits.unwrap_or(0)),
            keeps_window: request
                .deflate()
                .is_some_and(|it| it.server_context_takeover),
        }
    }
}

impl Asked {
    /// Returns the request, without the parts that were not recorded. A post has this path.
    pub(crate) fn request(&self, path: &str) -> Request {
        let query = self.query.iter();
        let mut parts = Parts {
            method: "GET".into(),
            path: path.to_owned(),
            query: Query::of(query.map(|(name, value)| (name.as_str(), value.as_str()))),
            json: self.json,
            lobby: self.lobby.as_deref().map(Arc::from),
            purpose: self.purpose.into(),
            accept_key: self.key.then_some([b'x'; 28]),
            deflate: self.deflate.map(|bits| PerMessageDeflate {
                server_max_window_bits: (bits > 0).then_some(bits),
                server_context_takeover: self.keeps_window,
            }),
            ..Parts::default()
        };
        for (name, value) in &self.headers {
            parts.headers.push(name, value.as_bytes());
        }
        let mut request = Request::from(parts);
        request.set_peer(self.peer);
        request.set_behind_proxy(self.behind_proxy);
        request
    }
}

impl From<handshake::Purpose> for Purpose {
    fn from(purpose: handshake::Purpose) -> Self {
        match purpose {
            handshake::Purpose::Page => Self::Page,
            handshake::Purpose::Upgrade => Self::Upgrade,
            handshake::Purpose::EventStream => Self::EventStream,
            handshake::Purpose::Post { .. } => Self::Post,
            handshake::Purpose::Preflight => Self::Preflight,
        }
    }
}

impl From<Purpose> for handshake::Purpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Page => Self::Page,
            Purpose::Upgrade => Self::Upgrade,
            Purpose::EventStream => Self::EventStream,
            Purpose::Post => Self::Post { length: 0 },
            Purpose::Preflight => Self::Preflight,
        }
    }
}
