//! Two running nodes and their Redis.

use std::io;
use std::net::SocketAddr;

use switchboard_tests::proxy::Proxy;
use switchboard_tests::redis;

use super::system::System;
use crate::machine::{Cpus, pin};
use crate::server::{Place, Process};

pub(super) const NODES: [&str; 2] = ["a", "b"];

/// Where systems are started.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) place: &'a Place,
    pub(super) cpus: Cpus,
    pub(super) round: usize,
}

/// Two nodes and their Redis, gone with the value.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Process>,
    /// One for each node, if the nodes are not connected to Redis directly.
    pub(super) links: Vec<Proxy>,
    pub(super) redis: redis::Server,
}

impl Cluster {
    /// Starts a Redis, and nodes that are connected to it.
    pub(super) fn start(setting: &Setting<'_>, system: System) -> io::Result<Self> {
        Self::start_over(setting, system, |_| None)
    }

    /// Starts a Redis, and nodes that are connected to it by links that can fail.
    pub(super) fn start_linked(setting: &Setting<'_>, system: System) -> io::Result<Self> {
        Self::start_over(setting, system, |redis| Some(Proxy::to(redis)))
    }

    fn start_over(
        setting: &Setting<'_>,
        system: System,
        link: impl Fn(SocketAddr) -> Option<Proxy>,
    ) -> io::Result<Self> {
        pin(&[setting.cpus.server])?;
        let start = || {
            let redis = redis::Server::start_plain();
            let redis = redis.ok_or_else(|| io::Error::other("redis-server is not installed"))?;
            let mut cluster = Self {
                nodes: Vec::new(),
                links: Vec::new(),
                redis,
            };
            for node in NODES {
                let link = link(cluster.redis.address);
                let at = link
                    .as_ref()
                    .map_or(cluster.redis.address, |link| link.address);
                let command = system.command(setting.place, at, node);
                cluster.links.extend(link);
                cluster.nodes.push(Process::start(command)?);
            }
            Ok(cluster)
        };
        let cluster = start();
        pin(&[setting.cpus.load])?;
        cluster
    }
}
