//! Where the token of a request is looked for.

use serde::{Deserialize, Deserializer, de::Error};

/// Where a request may carry its token.
///
/// Where one carries several, the first in the order of these fields counts, and nothing is asked of
/// the others. A first message with a token is not among them: that is for the application to ask for
/// ([`Identity::FirstMessage`](crate::Identity::FirstMessage)).
///
/// In serialised form, `false` stands for no name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// The subprotocol `base64url.bearer.switchboard.<token>`, offered beside that of the JSON
    /// messages (yes).
    pub subprotocol: bool,
    /// `Authorization: Bearer` (yes).
    pub header: bool,
    /// The parameter of this name in the query (`token`).
    #[serde(deserialize_with = "name_or_false")]
    pub query: Option<String>,
    /// The cookie of this name (none). Cookies are shared by all programs of a host, and browsers send
    /// them with the requests of any page: take a name of your own, and do not allow all origins.
    #[serde(deserialize_with = "name_or_false")]
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
        Form::Flag(true) => Err(D::Error::custom("a name is needed, or false")),
    }
}
