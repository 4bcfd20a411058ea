//! The trait that an async runtime implements to carry servers.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};

use crate::net::{AnySocket, Sockets};
#[cfg(any(feature = "redis-tokio", feature = "redis-smol"))]
use crate::runtime::BoxFuture;
use crate::runtime::Runtime;

/// A runtime that can accept TCP connections and watch their sockets.
pub trait Listen: Runtime {
    /// The TCP listener.
    type Listener: Send + Sync + 'static;
    /// A listener that has been prepared for accepting.
    type Acceptor: Send + Sync + 'static;
    /// The set of sockets that one event loop watches.
    type Sockets: Sockets;

    /// Returns the number of threads that run the executor's tasks.
    fn threads(executor: &Self::Executor) -> usize;

    /// Yields until other ready tasks, and pending input, have been handled.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Creates an empty set of sockets in the current runtime.
    ///
    /// # Errors
    ///
    /// Fails if too many files are open, for example. The event loop tries again.
    fn sockets() -> io::Result<Self::Sockets>;

    /// Prepares a listener for accepting. Where the streams that it accepts can inherit it, they get a limit
    /// of `unsent_bytes` in the kernel.
    ///
    /// # Errors
    ///
    /// Fails if the listener cannot be used.
    fn acceptor(
        executor: &Self::Executor,
        listener: Self::Listener,
        unsent_bytes: usize,
    ) -> io::Result<Self::Acceptor>;

    /// Returns the task that connects a hub to the broker of its cluster; `None` if that is not built
    /// in for this runtime.
    #[cfg(any(feature = "redis-tokio", feature = "redis-smol"))]
    #[doc(hidden)]
    fn adapter(
        config: crate::redis::adapter::Config,
        link: impl crate::redis::adapter::Link,
    ) -> Option<BoxFuture<()>> {
        let _ = (config, link);
        None
    }

    /// Accepts the next connection, with `TCP_NODELAY` set, and returns its peer's address.
    fn poll_accept(
        acceptor: &Self::Acceptor,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(AnySocket, IpAddr)>>;
}
