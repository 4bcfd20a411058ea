//! A test application: the token is the user's name, hooks take a random time and call the hub, and a
//! message can make a hook panic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use switchboard_core::{CloseReason, Denied, Identity, Request};

use super::explore::probe;
use super::machine::draw;
use crate::application::Application;
use crate::hub::{Connection, Message};

/// Counts the calls of `on_connect` and `on_disconnect`, per connection.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<BTreeMap<String, (usize, usize)>>>);

impl Log {
    fn note(&self, client: &Connection, act: impl FnOnce(&mut (usize, usize))) {
        let mut log = self.0.lock().expect("no panic");
        act(log.entry(client.id().to_string()).or_default());
    }

    /// Whether `come` connections have come, and each of them has gone.
    pub(super) fn all_gone(&self, come: usize) -> bool {
        let log = self.0.lock().expect("no panic");
        log.len() == come && log.values().all(|told| *told == (1, 1))
    }

    /// Checks that every connection has come once and gone once.
    pub(super) fn check(&self) {
        let log = self.0.lock().expect("no panic");
        let sound = log.values().all(|told| *told == (1, 1));
        assert!(sound, "{log:?}");
    }
}

pub(super) struct App(pub(super) Log);

/// Yields a random number of times.
async fn hesitate() {
    for _ in 0..draw(3) {
        shuttle::future::yield_now().await;
    }
}

/// Is pending once, without giving another thread its turn.
async fn once() {
    let mut polled = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Application for App {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        let name = request
            .token()
            .ok_or(Denied::Unauthorized)?
            .reveal()
            .to_owned();
        hesitate().await;
        Ok(Identity::User {
            name,
            expires_in: None,
        })
    }

    async fn on_connect(&self, client: &Connection) {
        self.0.note(client, |(come, _)| *come += 1);
        hesitate().await;
        let _ = client.hub().join(client.id(), "everybody");
    }

    async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
        hesitate().await;
        if client.hub().shared().backlog.is_full() {
            probe("too much waits for hooks");
        }
        match message {
            // Without the panic hook, whose report would count as the failure of the schedule.
            Message::Room { content, .. } if content == r#""panic""# => {
                std::panic::resume_unwind(Box::new("asked to"));
            }
            // Runs until its connection is closed, and longer.
            Message::Room { content, .. } if content == r#""linger""# => {
                while client.hub().user_of(client.id()).is_some() {
                    shuttle::future::yield_now().await;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn on_disconnect(&self, client: &Connection, _: &[Arc<str>], _: CloseReason) {
        if client.user() == "clinging" {
            // Holds on until the socket is gone; the first poll gives no other thread its turn.
            once().await;
            while client.hub().stats().closing > 0 {
                shuttle::future::yield_now().await;
            }
        }
        hesitate().await;
        let _ = client.hub().broadcast("everybody", "0");
        self.0.note(client, |(_, gone)| *gone += 1);
    }
}
