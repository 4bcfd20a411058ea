//! Why there is no connection to Redis, in the words of an operator's log.

use std::fmt;
use std::sync::Arc;

use switchboard_core::cluster::Failure;

use super::target::Host;

/// Why there is no connection, or no longer one. Its text says what happened and what to do.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The host has no address, or refuses connections.
    Unreachable(Host, Arc<str>),
    /// It does not answer in time.
    NoAnswer(Host),
    /// The connection ended.
    Ended(Host, Arc<str>),
    /// TLS could not be agreed on.
    Tls(Host, Arc<str>),
    /// The URL asks for TLS, and there is no configuration of it.
    NoTls,
    /// It wants another user or password.
    Login(Host),
    /// Its access rules forbid something that a node needs.
    NoPermission(Host, Arc<str>),
    /// It is a replica.
    Replica(Host),
    /// It is older than the scripts need.
    TooOld(Host, Arc<str>),
    /// The sentinels do not know the master of this name.
    NoMaster(Host, Arc<str>),
    /// It answers with an error.
    Server(Host, Failure, Arc<str>),
    /// What it sends is not what Redis would send, or too large.
    Garbled(Host, Arc<str>),
}

impl Problem {
    /// Returns whether it persists until the configuration is changed.
    pub fn needs_operator(&self) -> bool {
        matches!(
            self,
            Self::Tls(..)
                | Self::NoTls
                | Self::Login(..)
                | Self::NoPermission(..)
                | Self::Replica(..)
                | Self::TooOld(..)
                | Self::NoMaster(..)
        )
    }

    /// What an error of the server means. `error` is its text with its code.
    pub(super) fn of_server(host: &Host, failure: Failure, error: &str) -> Self {
        let host = host.clone();
        match failure {
            Failure::NoAuth => Self::Login(host),
            Failure::NoPermission => Self::NoPermission(host, error.into()),
            Failure::ReadOnly => Self::Replica(host),
            Failure::Malformed => Self::Garbled(host, error.into()),
            failure => Self::Server(host, failure, error.into()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(host, error) => write!(
                f,
                "cannot connect to Redis at {host}: {error}. Check the host and the port in its URL, and that the server runs"
            ),
            Self::NoAnswer(host) => write!(
                f,
                "Redis at {host} does not answer in time. Check that it runs and is not overloaded, that no firewall swallows the connection, and that the port is one for TLS just where the URL begins with rediss://"
            ),
            Self::Ended(host, error) => {
                write!(f, "the connection to Redis at {host} ended: {error}")
            }
            Self::Tls(host, error) => write!(
                f,
                "cannot agree on TLS with Redis at {host}: {error}. Check that its port is one for TLS, and that its certificate is for this host and signed by a trusted root"
            ),
            Self::NoTls => f.write_str(
                "the URL of Redis begins with rediss://, but there is no TLS configuration. Give one, or use redis://",
            ),
            Self::Login(host) => write!(
                f,
                "Redis at {host} refuses the user or the password. Check them in its URL, redis://user:password@host"
            ),
            Self::NoPermission(host, error) => write!(
                f,
                "the access rules of Redis at {host} forbid what a node needs: {error}. docs/cluster.md has the rules for ACL SETUSER"
            ),
            Self::Replica(host) => write!(
                f,
                "Redis at {host} is a replica. Give the address of the master, or redis+sentinel:// with the sentinels that know it"
            ),
            Self::TooOld(host, version) => write!(
                f,
                "Redis at {host} is version {version}. Several nodes need Redis 6.2 or Valkey, or later"
            ),
            Self::NoMaster(host, name) => write!(
                f,
                "the sentinel at {host} does not know a master named {name}. Check the name in the URL, redis+sentinel://host/name"
            ),
            Self::Server(host, failure, error) => {
                write!(f, "Redis at {host} cannot be used: {failure} ({error})")
            }
            Self::Garbled(host, error) => write!(
                f,
                "the server at {host} is not Redis, or has sent an invalid reply: {error}. Check the host and the port in its URL"
            ),
        }
    }
}

impl std::error::Error for Problem {}
