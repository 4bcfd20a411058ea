//! The application of most tests: it identifies users by their token, allows what the token says,
//! and logs its hook calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::server::until;
use crate::rt::{Application, CloseReason, Connection, Denied, Entry, Identity, Message, Request};

/// The hook calls of an application, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.lock().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    pub(crate) fn count(&self, start: &str) -> usize {
        let lines = self.lock();
        lines.iter().filter(|line| line.starts_with(start)).count()
    }

    pub(crate) fn until(&self, expected: &[&str]) {
        let what = format!("the log says {expected:?}");
        until(&what, || self.lines() == expected, || self.lines());
    }

    pub(crate) fn until_has(&self, line: &str) {
        until(line, || self.count(line) > 0, || self.lines());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The application of most tests. The token `s3cr3t-ann` is ann's; `s3cr3t-ann,300` is ann's for
/// 300 ms; `s3cr3t-unauthorized` and `s3cr3t-forbidden` are refused.
#[derive(Clone, Default)]
pub(crate) struct Plain {
    pub(crate) log: Log,
    /// Whether clients without a token log in by the first message; otherwise they are anonymous.
    pub(crate) first_message: bool,
}

impl Plain {
    pub(crate) fn first_message() -> Self {
        Self {
            first_message: true,
            ..Self::default()
        }
    }
}

/// Returns the identity for the request's token.
pub(crate) fn identify(request: &Request) -> Option<Result<Identity, Denied>> {
    let token = request.token()?.reveal();
    let Some(name) = token.strip_prefix("s3cr3t-") else {
        return Some(Err(Denied::Unauthorized));
    };
    let (name, expires_in) = match name.split_once(',') {
        Some((name, millis)) => (
            name,
            Some(Duration::from_millis(millis.parse().expect("a time"))),
        ),
        None => (name, None),
    };
    Some(match name {
        "unauthorized" => Err(Denied::Unauthorized),
        "forbidden" => Err(Denied::Forbidden),
        _ => Ok(Identity::User {
            name: name.to_owned(),
            expires_in,
        }),
    })
}

impl Application for Plain {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Ok(if self.first_message {
            Identity::FirstMessage
        } else {
            Identity::Anonymous
        }))
    }

    async fn authorize_join(&self, _: &Connection, room: &str, _: Entry) -> Result<(), Denied> {
        if room.starts_with("private") {
            return Err(Denied::Forbidden);
        }
        Ok(())
    }

    async fn authorize_direct(&self, _: &Connection, _: &str) -> Result<(), Denied> {
        Ok(())
    }

    async fn on_connect(&self, client: &Connection) {
        self.log.add(format!("connect {}", client.user()));
    }

    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        let user = client.user();
        match message {
            Message::Text(text) => {
                self.log.add(format!("text {user} {}", text.len()));
                let _ = client.send_text(&text);
            }
            Message::Binary(bytes) => {
                self.log.add(format!("binary {user} {}", bytes.len()));
                let _ = client.send_binary(&bytes);
            }
            Message::Room { room, content, .. } => {
                self.log
                    .add(format!("message {user} {room} {}", content.len()));
            }
            other => panic!("unknown to this test: {other:?}"),
        }
        Ok(())
    }

    async fn on_disconnect(&self, client: &Connection, rooms: &[Arc<str>], reason: CloseReason) {
        let rooms = rooms.join(",");
        let line = format!("disconnect {} [{rooms}] {reason}", client.user());
        self.log.add(line);
    }
}
