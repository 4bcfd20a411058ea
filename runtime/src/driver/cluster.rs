//! The adapter of a hub that is a node of a cluster, as the hub sees it.

use std::io;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll};

use switchboard_core::cluster::{Channel, Output};
use switchboard_core::{Clustering, ConfigError, Twin};

use crate::listen::Listen;
use crate::node::Shared;
use crate::redis::adapter::{BadTarget, Config, Event, Link, Order, Target};
use crate::sync::Arc;

/// Pushes that are handled under one hold of the lock.
const PUSHES: usize = 64;

/// Connects a hub and its adapter.
struct ClusterLink {
    shared: Arc<Shared>,
    /// The node's name.
    node: StdArc<str>,
}

impl ClusterLink {
    /// Hands over what arrived through channels, compressed before the lock is taken.
    fn pushed(&self, attempt: u64, pushes: &[(Channel, Vec<u8>)]) {
        let compress = |(channel, payload): &(Channel, Vec<u8>)| {
            self.shared.deflate_arriving(&self.node, channel, payload)
        };
        let mut twins: Vec<Option<Twin>> = pushes.iter().map(compress).collect();
        self.shared.with(|locked, now| {
            let Some(joined) = &mut locked.joined else {
                return;
            };
            for ((channel, payload), twin) in pushes.iter().zip(&mut twins) {
                if !joined.is_current(attempt) {
                    return;
                }
                let (board, push) = (&mut locked.switchboard, (channel, &payload[..]));
                joined.clustered.pushed(now, board, push, twin.take());
            }
        });
    }
}

impl Link for ClusterLink {
    fn poll_order(&self, context: &mut Context<'_>) -> Poll<Option<Order>> {
        if self.shared.is_closed() {
            return Poll::Ready(None);
        }
        match self.shared.port.poll(context) {
            Poll::Ready((attempt, order)) => Poll::Ready(Some(match order {
                Output::Connect => Order::Connect(attempt),
                Output::Subscribe(channels) => Order::Subscribe(channels),
                Output::Unsubscribe(channels) => Order::Unsubscribe(channels),
                Output::Send(commands) => Order::Send(commands),
                _ => Order::Hangup,
            })),
            // It may have been closed before the waker was registered.
            Poll::Pending if self.shared.is_closed() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn tell(&self, attempt: u64, event: Event) {
        if let Event::Pushed { pushes, .. } = event {
            for some in pushes.chunks(PUSHES) {
                self.pushed(attempt, some);
            }
            return;
        }
        self.shared.with(|locked, now| {
            let Some(joined) = &mut locked.joined else {
                return;
            };
            if !joined.is_current(attempt) {
                return;
            }
            let (clustered, board) = (&mut joined.clustered, &mut locked.switchboard);
            match event {
                Event::Connected { incarnation } => clustered.connected(now, board, &incarnation),
                Event::Lost(_) => clustered.lost(now, board),
                Event::Answered(answers) => clustered.answered(now, board, answers),
                Event::Pushed { .. } | Event::Read(..) => {}
            }
        });
    }
}

/// Spawns the adapter of a hub, if it is a node of a cluster.
pub(super) fn start<R: Listen>(shared: &Arc<Shared>, executor: &R::Executor) -> io::Result<()> {
    let Some(cluster) = &shared.config.cluster else {
        return Ok(());
    };
    let config = adapter_config(cluster).map_err(io::Error::other)?;
    let node = shared.look(|locked| Some(locked.joined.as_ref()?.clustered.node().clone()));
    let link = ClusterLink {
        shared: shared.clone(),
        node: node.unwrap_or_default(),
    };
    let Some(adapter) = R::adapter(config, link) else {
        let told = "this runtime was built without the feature `redis`";
        return Err(io::Error::other(told));
    };
    R::spawn(executor, adapter);
    Ok(())
}

/// Whatever features it was built with: a hub has no way to be given the trusted roots.
const NO_TLS: &str = "a hub cannot speak TLS with Redis yet: use redis://, through a tunnel where the network is not to be trusted";

/// Returns how the adapter connects.
pub(crate) fn adapter_config(cluster: &Clustering) -> Result<Config, ConfigError> {
    // The URL may contain a password.
    let wrong = |rule| ConfigError::new("cluster.url", "…", rule);
    let target = Target::parse(&cluster.url).map_err(|bad| match bad {
        BadTarget::NoTls => wrong(NO_TLS),
        bad => wrong(bad.as_str()),
    })?;
    if target.is_secure() {
        return Err(wrong(NO_TLS));
    }
    let mut config = Config::new(target, &cluster.node);
    config.prefix.clone_from(&cluster.prefix);
    Ok(config)
}
