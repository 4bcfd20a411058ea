//! The places where a request may carry its token.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Where a request may carry its token.
///
/// Of several tokens the first in the order of these fields counts, and the others are ignored. A
/// token in the first message is not configured here; the application asks for it with
/// [`Identity::FirstMessage`](crate::Identity::FirstMessage).
///
/// In serialised form, `false` stands for `None`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// The subprotocol `base64url.bearer.switchboard.<token>`, offered beside `switchboard.v1.json`
    /// (yes).
    pub subprotocol: bool,
    /// `Authorization: Bearer` (yes).
    pub header: bool,
    /// The query parameter of this name (`token`).
    #[serde(deserialize_with = "name_or_false", serialize_with = "or_false")]
    pub query: Option<String>,
    /// The cookie of this name (none). Cookies are shared by all programs on a host, and browsers
    /// send them with requests from any page: choose a name of your own, and do not allow all
    /// origins.
    #[serde(deserialize_with = "name_or_false", serialize_with = "or_false")]
    pub cookie: Option<String>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            subprotocol: true,
            header: true,
            query: Some("token".into()),
            cookie: None,
        }
    }
}

fn name_or_false<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a name or false")]
    enum Form {
        Name(String),
        Flag(bool),
        Nothing(()),
    }
    match Form::deserialize(from)? {
        Form::Name(name) => Ok(Some(name)),
        Form::Flag(false) | Form::Nothing(()) => Ok(None),
        Form::Flag(true) => Err(D::Error::custom("expected a name or false")),
    }
}

// The signature is that of serde.
#[allow(clippy::ref_option)]
fn or_false<S: Serializer>(name: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => to.serialize_str(name),
        None => to.serialize_bool(false),
    }
}
