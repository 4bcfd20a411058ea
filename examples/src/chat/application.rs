//! Who may log in, and under which name.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use switchboard_core::{CloseReason, Denied, Identity, Request};
use switchboard_runtime::{Application, Client, Message};

use super::Options;
use super::debug::PanicList;

/// Seconds by which clocks may differ.
const LEEWAY: u64 = 5;

/// The chat's side of the hub.
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
    exp: u64,
}

impl Chat {
    /// An application that knows its key from the flags.
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
            return Ok(Identity::User {
                name: token.reveal().to_owned(),
                expires_in: None,
            });
        };
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = LEEWAY;
        rules.validate_aud = false;
        rules.set_required_spec_claims(&["sub", "exp"]);
        let claims = decode::<Claims>(token.reveal(), key, &rules)
            .map_err(|_| Denied::Unauthorized)?
            .claims;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        // Who was let in by the leeway stays for the rest of it.
        let until = if claims.exp > now {
            claims.exp
        } else {
            claims.exp.saturating_add(LEEWAY)
        };
        let expires_in = Some(Duration::from_secs(until.saturating_sub(now)));
        Ok(Identity::User {
            name: claims.sub,
            expires_in,
        })
    }
}

impl Application for Chat {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        self.identify(request)
    }

    async fn on_connect(&self, client: &Client) {
        self.panics.check(client.user());
    }

    async fn on_message(&self, client: &Client, _: Message) -> Result<(), Denied> {
        self.panics.check(client.user());
        Ok(())
    }

    async fn on_disconnect(&self, client: &Client, _: &[Arc<str>], _: CloseReason) {
        self.panics.check(client.user());
    }
}
