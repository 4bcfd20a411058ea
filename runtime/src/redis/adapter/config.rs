//! How an adapter connects.

use std::fmt;
use std::time::Duration;

use super::problem::Problem;
use super::reach::Address;
use super::target::{Host, Target};

/// How an adapter connects to Redis.
#[non_exhaustive]
#[derive(Clone)]
pub struct Config {
    /// The address of the broker, and the credentials of the node.
    pub target: Target,
    /// What the names of keys and channels begin with. Clusters that share a Redis need different ones:
    /// channels do not belong to a database.
    pub prefix: String,
    /// What `CLIENT LIST` calls the node's connections.
    pub name: String,
    /// Bytes of a payload that arrives through a channel; larger ones are dropped.
    pub largest_push: usize,
    /// Bytes that may come without a whole answer or push before the connection is dropped.
    pub longest_answer: usize,
    /// How long one of several sentinels may take to answer before the next one is asked.
    pub sentinel_timeout: Duration,
    /// How long a command may take that only reads, through the second connection.
    pub read_timeout: Duration,
    /// How long the second connection is kept without use.
    pub read_idle: Duration,
    /// For `rediss://`.
    #[cfg(feature = "redis-tls")]
    pub tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

impl Config {
    /// The defaults for a Redis and a node of this name.
    pub fn new(target: Target, name: &str) -> Self {
        Self {
            target,
            prefix: "sb1".to_owned(),
            name: name.to_owned(),
            largest_push: 16 << 20,
            longest_answer: 64 << 20,
            sentinel_timeout: Duration::from_millis(500),
            read_timeout: Duration::from_secs(5),
            read_idle: Duration::from_secs(30),
            #[cfg(feature = "redis-tls")]
            tls: None,
        }
    }

    #[cfg(not(feature = "redis-tls"))]
    #[allow(clippy::unnecessary_wraps)] // It fails with TLS.
    pub(super) fn address(&self, host: &Host) -> Result<Address, Problem> {
        if self.target.secure {
            return Err(Problem::NoTls);
        }
        Ok(Address { host: host.clone() })
    }

    #[cfg(feature = "redis-tls")]
    pub(super) fn address(&self, host: &Host) -> Result<Address, Problem> {
        let tls = if self.target.secure {
            let config = self.tls.clone().ok_or(Problem::NoTls)?;
            let name = rustls::pki_types::ServerName::try_from(host.name.clone());
            let name = name.map_err(|bad| Problem::Tls(host.clone(), bad.to_string().into()))?;
            Some((config, name))
        } else {
            None
        };
        Ok(Address {
            host: host.clone(),
            tls,
        })
    }
}

/// Omits passwords and keys.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("target", &self.target)
            .field("prefix", &self.prefix)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
