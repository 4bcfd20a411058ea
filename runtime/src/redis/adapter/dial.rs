//! From a configuration to a connection over which commands can be sent.

use super::config::Config;
use super::connection::Connection;
use super::inbound::Inbound;
use super::introduction::{Introduced, introduce};
use super::problem::Problem;
use super::reach::Reach;
use super::sentinel;
use super::target::Host;
use crate::redis::names::Names;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the attempts of one adapter share.
pub(super) struct Dialer {
    pub(super) config: Config,
    pub(super) names: Names,
    /// The sentinel that answered last.
    sentinel: AtomicUsize,
    /// The host that was asked last.
    asked: Mutex<Host>,
}

impl Dialer {
    pub(super) fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            names: Names::new(&config.prefix),
            sentinel: AtomicUsize::new(0),
            asked: Mutex::new(config.target.hosts[0].clone()),
            config,
        })
    }

    /// Returns the host that was asked last and may not have answered.
    pub(super) fn asked(&self) -> Host {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Host> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the master.
    pub(super) async fn dial<R: Reach>(
        self: Arc<Self>,
    ) -> Result<(Connection, Introduced), Problem> {
        let Config {
            target,
            name,
            largest_push,
            longest_answer,
            ..
        } = &self.config;
        self.lock().clone_from(&target.hosts[0]);
        let master = match &target.master {
            None => target.hosts[0].clone(),
            Some(master) => {
                // An attempt that is given up begins with another sentinel the next time.
                let first = self.sentinel.fetch_add(1, Ordering::Relaxed);
                let (host, number) = sentinel::find::<R>(&self.config, master, first).await?;
                self.sentinel.store(number, Ordering::Relaxed);
                self.lock().clone_from(&host);
                host
            }
        };
        let inbound = Inbound::new(self.names.clone(), *longest_answer, *largest_push);
        let login = target.login.as_ref();
        let mut connection =
            Connection::open::<R>(&self.config, &master, login, target.database, inbound).await?;
        let introduced = introduce(&mut connection, &self.names, name).await?;
        Ok((connection, introduced))
    }
}
