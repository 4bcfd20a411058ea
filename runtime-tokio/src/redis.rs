//! Opens the connections to Redis.

use std::io;

use switchboard_runtime::redis::adapter::{Address, Reach};

use crate::rt::Tokio;
use crate::socket::Polled;
use crate::stream::{Duplex, connect};

impl Reach for Tokio {
    type Stream = Polled<Box<dyn Duplex>>;

    async fn reach(address: Address) -> io::Result<Self::Stream> {
        let stream = connect(&address.host.name, address.host.port).await?;
        #[cfg(feature = "redis-tls")]
        let stream: Box<dyn Duplex> = match address.tls {
            None => Box::new(stream),
            Some((config, name)) => crate::stream::encrypt(stream, config, name).await?,
        };
        #[cfg(not(feature = "redis-tls"))]
        let stream: Box<dyn Duplex> = Box::new(stream);
        Ok(Polled(stream))
    }
}
