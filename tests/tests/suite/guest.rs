//! The Rust client on its own runtime, and the events it reported.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::server::until;
use crate::rt;
use crate::rt::client::{Client, Event, Options, State};

pub(crate) struct Guest {
    pub(crate) client: Client,
    runtime: rt::Runtime,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    events: Vec<Event>,
    ended: bool,
}

/// Options with short delays.
pub(crate) fn hasty() -> Options {
    Options {
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(50),
        ..Options::default()
    }
}

impl Guest {
    /// Connects a client for this user.
    pub(crate) fn of(address: SocketAddr, name: &str) -> Self {
        Self::at(address, &format!("/ws?token=s3cr3t-{name}"), hasty())
    }

    pub(crate) fn at(address: SocketAddr, path: &str, options: Options) -> Self {
        Self::to(format!("ws://{address}{path}"), options)
    }

    pub(crate) fn to(url: String, options: Options) -> Self {
        let runtime = rt::Runtime::new(1);
        let (client, mut events) =
            Client::connect_on(&runtime.executor(), url, options).expect("an address");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let told = seen.clone();
        runtime.spawn(async move {
            while let Some(event) = events.next().await {
                lock(&told).events.push(event);
            }
            lock(&told).ended = true;
        });
        Self {
            client,
            runtime,
            seen,
        }
    }

    /// Runs a future of the client to completion.
    pub(crate) fn run<T: Send + 'static, F>(&self, work: impl FnOnce(Client) -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.runtime.run(work(self.client.clone()))
    }

    /// Waits until it is connected and in this channel.
    pub(crate) fn enter(&self, channel: &'static str) {
        self.run(|client| async move {
            client.connected().await.expect("a welcome");
            client.subscribe(channel).await.expect("a subscription");
        });
    }

    /// Publishes and returns the number.
    pub(crate) fn publish(&self, channel: &'static str, text: &'static str) -> Result<u64, String> {
        self.run(|client| async move {
            let sent = client.publish(channel, text).await;
            sent.map_err(|error| error.code().to_owned())
        })
    }

    /// Starts to publish; the result arrives in the background.
    pub(crate) fn publish_later(
        &self,
        channel: &'static str,
        text: &'static str,
    ) -> Arc<Mutex<Option<Result<u64, String>>>> {
        let (client, result) = (self.client.clone(), Arc::default());
        let told: Arc<Mutex<Option<Result<u64, String>>>> = Arc::clone(&result);
        self.runtime.spawn(async move {
            let sent = client.publish(channel, text).await;
            *lock(&told) = Some(sent.map_err(|error| error.code().to_owned()));
        });
        result
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        lock(&self.seen).events.clone()
    }

    /// Waits for an event and returns what `so` extracts.
    pub(crate) fn find<T>(&self, what: &str, so: impl Fn(&Event) -> Option<T>) -> T {
        until(
            what,
            || self.events().iter().any(|event| so(event).is_some()),
            || self.events(),
        );
        let found = self.events().iter().find_map(so);
        found.expect("found before")
    }

    /// Waits for a state of the connection.
    pub(crate) fn until_state(&self, what: &str, so: impl Fn(&State) -> bool) {
        until(what, || so(&self.client.state()), || self.events());
    }

    /// Waits for the texts of all messages of a channel.
    pub(crate) fn until_texts(&self, expected: &[&str]) {
        let texts = || -> Vec<String> {
            let events = self.events();
            let texts = events.iter().filter_map(|event| match event {
                Event::Message(message) => Some(message.content().expect("a text")),
                _ => None,
            });
            texts.collect()
        };
        until(
            &format!("{expected:?}"),
            || texts() == expected,
            || self.events(),
        );
    }

    /// Drops the only handle, and waits for the end of the events.
    pub(crate) fn drop_client(self) {
        let Self {
            client,
            runtime,
            seen,
        } = self;
        drop(client);
        until("the events end", || lock(&seen).ended, || "they do not");
        drop(runtime);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
