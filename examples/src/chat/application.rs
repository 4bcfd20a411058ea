//! The chat's authentication.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation, decode};
use serde::Deserialize;
use switchboard_core::{CloseReason, Denied, Identity, Limits, Request, check_user};
use switchboard_runtime::{Application, Connection, Message};

use super::Options;
use super::debug::PanicList;

/// Tolerated clock skew, in seconds.
const LEEWAY: u64 = 5;

/// The chat application.
#[derive(Clone)]
pub struct Chat {
    key: Option<Arc<DecodingKey>>,
    pub(super) panics: PanicList,
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Seconds, possibly with a fraction (RFC 7519, section 2).
    exp: f64,
}

impl Chat {
    /// Creates the application from the flags.
    pub fn new(options: &Options) -> Self {
        let secret = options.secret.as_ref();
        let key = secret.map(|secret| Arc::new(DecodingKey::from_secret(secret.as_bytes())));
        Self {
            key,
            panics: PanicList::default(),
        }
    }

    fn identify(&self, request: &Request) -> Result<Identity, Denied> {
        let Some(token) = request.token() else {
            return Ok(Identity::FirstMessage);
        };
        let Some(key) = &self.key else {
            return checked(token.reveal(), None);
        };
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = LEEWAY;
        rules.validate_aud = false;
        rules.validate_nbf = true;
        rules.set_required_spec_claims(&["sub", "exp"]);
        let decoded = decode::<Claims>(token.reveal(), key, &rules);
        let TokenData { header, claims, .. } = decoded.map_err(|_| Denied::Unauthorized)?;
        // Whoever understands none of the extensions that must be understood has to refuse the token (RFC 7515,
        // section 4.1.11); an empty list is not allowed either.
        if header.crit.is_some() {
            return Err(Denied::Unauthorized);
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |time| time.as_secs_f64());
        // A token that is accepted by the leeway is valid for the rest of it.
        let left = if claims.exp > now {
            claims.exp - now
        } else {
            claims.exp + LEEWAY as f64 - now
        };
        // A time that is too long for a `Duration` never expires.
        let expires_in = Duration::try_from_secs_f64(left.max(0.0)).ok();
        checked(&claims.sub, expires_in)
    }
}

/// A bad name is the mistake of whoever made the token, and not of this program.
fn checked(name: &str, expires_in: Option<Duration>) -> Result<Identity, Denied> {
    check_user(name, Limits::default().name_bytes).map_err(|_| Denied::Unauthorized)?;
    Ok(Identity::User {
        name: name.to_owned(),
        expires_in,
    })
}

impl Application for Chat {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        self.identify(request)
    }

    async fn on_connect(&self, client: &Connection) {
        self.panics.check(client.user());
    }

    async fn on_message(&self, client: &Connection, _: Message) -> Result<(), Denied> {
        self.panics.check(client.user());
        Ok(())
    }

    async fn on_disconnect(&self, client: &Connection, _: &[Arc<str>], _: CloseReason) {
        self.panics.check(client.user());
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use clap::Parser;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};
    use switchboard_core::Token;

    use super::*;

    fn identify(claims: &Value) -> Result<Identity, Denied> {
        identify_with(&Header::default(), claims)
    }

    fn identify_with(header: &Header, claims: &Value) -> Result<Identity, Denied> {
        let chat = Chat::new(&Options::parse_from(["chat", "--secret", "key"]));
        let key = EncodingKey::from_secret(b"key");
        let token = encode(header, claims, &key).expect("a token");
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        chat.identify(&Request::for_refresh(peer, Token::new(token)))
    }

    fn now() -> f64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.expect("a time").as_secs_f64()
    }

    #[test]
    fn a_name_that_no_user_may_have_is_not_let_in() {
        let chat = Chat::new(&Options::parse_from(["chat"]));
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identify = |name: &str| chat.identify(&Request::for_refresh(peer, Token::new(name)));
        assert_eq!(identify("ann"), Ok(Identity::user("ann")));
        for name in ["", "anon-5", "a\nb", &"x".repeat(200)] {
            assert_eq!(identify(name), Err(Denied::Unauthorized), "{name:?}");
        }
    }

    #[test]
    fn a_token_with_an_extension_that_must_be_understood_is_refused() {
        let claims = json!({ "sub": "ann", "exp": now() + 60.0 });
        for crit in [vec!["b64".to_owned()], Vec::new()] {
            let header = Header {
                crit: Some(crit),
                ..Header::default()
            };
            assert_eq!(identify_with(&header, &claims), Err(Denied::Unauthorized));
        }
    }

    #[test]
    fn a_time_need_not_be_whole_seconds() {
        let Ok(Identity::User { name, expires_in }) =
            identify(&json!({ "sub": "ann", "exp": now().floor() + 60.5 }))
        else {
            panic!("a user")
        };
        let left = expires_in.expect("an end").as_secs_f64();
        assert!(name == "ann" && (55.0..=60.5).contains(&left), "{left}");
    }

    #[test]
    fn a_token_counts_from_its_beginning_to_its_end_with_a_leeway() {
        for (begin, end, good) in [
            (0.0, 60.0, true),
            (2.0, 60.0, true),
            (60.0, 90.0, false),
            (0.0, -2.0, true),
            (0.0, -60.0, false),
        ] {
            let claims = json!({ "sub": "ann", "nbf": now() + begin, "exp": now() + end });
            assert_eq!(identify(&claims).is_ok(), good, "{begin} {end}");
        }
    }
}
