//! An application that knows everybody by their token, and panics when it is asked to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use switchboard_core::{CloseReason, Denied, Identity, Request};

use crate::application::{Application, Client, Message};

/// How often each connection was told to have come and gone.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<BTreeMap<String, (usize, usize)>>>);

impl Log {
    fn note(&self, client: &Client, act: impl FnOnce(&mut (usize, usize))) {
        let mut log = self.0.lock().expect("no panic");
        act(log.entry(client.id().to_string()).or_default());
    }

    /// So many have come, and each has gone, once.
    pub(super) fn all_gone(&self, come: usize) -> bool {
        let log = self.0.lock().expect("no panic");
        log.len() == come && log.values().all(|told| *told == (1, 1))
    }

    /// Nobody has come or gone twice, or gone without having come.
    pub(super) fn check(&self) {
        let log = self.0.lock().expect("no panic");
        let sound = log.values().all(|told| *told == (1, 1));
        assert!(sound, "{log:?}");
    }
}

pub(super) struct App(pub(super) Log);

impl Application for App {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        let name = request
            .token()
            .ok_or(Denied::Unauthorized)?
            .reveal()
            .to_owned();
        Ok(Identity::User {
            name,
            expires_in: None,
        })
    }

    async fn on_connect(&self, client: &Client) {
        self.0.note(client, |(come, _)| *come += 1);
    }

    async fn on_message(&self, _: &Client, message: Message) -> Result<(), Denied> {
        if let Message::Room { content, .. } = message
            && content == r#""panic""#
        {
            // Without the report of a panic, which would be taken for the end of the schedule.
            std::panic::resume_unwind(Box::new("asked to"));
        }
        Ok(())
    }

    async fn on_disconnect(&self, client: &Client, _: &[Arc<str>], _: CloseReason) {
        self.0.note(client, |(_, gone)| *gone += 1);
    }
}
