//! [`Hub`] and [`Connection`], the hooks that receive them, and what they have in common. The types of
//! this file refer to each other: a hub holds the application, whose hooks get connections, which hold
//! the hub.

use std::any::Any;
use std::fmt;
use std::io;

use switchboard_core::protocol::Json;
use switchboard_core::{
    Admission, CloseReason, Config, ConfigError, ConnectionId, Data, Denied, Frame, JoinFrom,
    Notice, Reach, Receipt, Request, SendError, Switchboard, Time,
};

use super::message::{Delivery, Entry, Message};
use crate::machine;
use crate::node::Shared;
use crate::runtime::{BoxFuture, Runtime};
use crate::sync::{Arc, Weak};

/// A handle to one node and its connections. Cheap to clone, usable from any task or thread, and the
/// same for every runtime.
///
/// No method waits for a client, except those that are `async`, and none holds a lock across I/O.
/// Dropping the last handle ends every connection (`shutdown`).
///
/// The methods that accept connections infer the runtime from their argument. The first of them starts
/// the node's tasks on it, and with them the node's time.
///
/// # Example
///
/// ```
/// # use switchboard_core::{CloseReason, Config};
/// # use switchboard_runtime::{Application, Hub};
/// # struct Chat;
/// # impl Application for Chat {}
/// let hub = Hub::new(Config::default(), Chat)?;
///
/// // From any thread; the room has no members yet.
/// let receipt = hub.broadcast("news", r#"{"headline":"It works"}"#)?;
/// assert_eq!((receipt.accepted, receipt.closed), (0, 0));
/// assert_eq!(hub.disconnect_user("ann", CloseReason::Kicked), 0);
/// assert_eq!(hub.stats().total_connections, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Hub {
    handle: Arc<Handle>,
    executor: Option<Arc<dyn Any + Send + Sync>>,
}

/// What the handles of the application share. The tasks do not keep it.
struct Handle {
    host: Arc<Host>,
}

/// What the handles and the tasks of one hub share.
pub(crate) struct Host {
    shared: Arc<Shared>,
    pub(crate) application: Arc<dyn Hooks>,
    handle: Weak<Handle>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.host.shared.shut_down();
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    pub(crate) fn create<A: Hooks>(
        config: Config,
        application: impl FnOnce(WeakHub) -> A,
    ) -> Result<Self, ConfigError> {
        check_cluster(&config)?;
        let mut switchboard = Switchboard::new(config.clone(), machine::seed(), Time::ZERO)?;
        switchboard.await_disconnect_hooks();
        switchboard.set_stream_key((machine::seed(), machine::seed()));
        let handle = Arc::new_cyclic(|handle: &Weak<Handle>| {
            let application = Arc::new(application(WeakHub {
                handle: handle.clone(),
                executor: None,
            }));
            let observer = application.clone();
            let on_notice = Box::new(move |notice: &_| observer.on_notice(notice));
            let shared = Shared::new(config, switchboard, on_notice);
            Handle {
                host: Arc::new(Host {
                    shared,
                    application,
                    handle: handle.clone(),
                }),
            }
        });
        Ok(Self {
            handle,
            executor: None,
        })
    }

    /// Returns a handle that does not keep the connections open.
    #[must_use]
    pub fn downgrade(&self) -> WeakHub {
        WeakHub {
            handle: Arc::downgrade(&self.handle),
            executor: self.executor.clone(),
        }
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.handle.host
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.host.shared
    }

    pub(crate) fn set_executor<R: Runtime>(&mut self, executor: R::Executor) {
        self.executor = Some(Arc::new(executor));
    }

    /// Returns the executor that was set, or the one of the current runtime.
    pub(crate) fn executor<R: Runtime>(&self) -> io::Result<R::Executor> {
        let Some(executor) = &self.executor else {
            return R::executor();
        };
        let executor = executor.downcast_ref::<R::Executor>().cloned();
        executor.ok_or_else(|| io::Error::other("the hub's executor is one of another runtime"))
    }
}

/// A handle to one node that does not keep its connections open, for values that the node itself owns,
/// such as its application. If the application held a [`Hub`], the last handle would never be dropped.
///
/// Returned by [`Hub::downgrade`], and passed to the function of [`Hub::new_with`].
#[derive(Clone)]
pub struct WeakHub {
    handle: Weak<Handle>,
    executor: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for WeakHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHub").finish_non_exhaustive()
    }
}

impl WeakHub {
    /// Returns the hub. `None` if its last handle was dropped, or if [`Hub::new_with`] has not returned
    /// yet.
    #[must_use]
    pub fn upgrade(&self) -> Option<Hub> {
        let handle = self.handle.upgrade()?;
        Some(Hub {
            handle,
            executor: self.executor.clone(),
        })
    }
}

impl Host {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns a handle for a hook: shares the application's, or makes a new one if that is gone.
    pub(crate) fn hub(self: &Arc<Self>) -> Hub {
        let handle = self.handle.upgrade();
        Hub {
            handle: handle.unwrap_or_else(|| Arc::new(Handle { host: self.clone() })),
            executor: None,
        }
    }
}

/// A handle to one connection, passed to hooks. Cheap to clone. It may outlive the connection; sending
/// then returns an error.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) user: Arc<str>,
    pub(crate) data: Data,
    pub(crate) hub: Hub,
}

impl Connection {
    /// Returns the connection's id.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Returns the name of the connection's user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the value of this type that [`Admission::with`] attached to the connection.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.data.get()
    }

    /// Returns the hub that the connection belongs to.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Sends a text message, unchanged.
    ///
    /// # Errors
    ///
    /// As for [`Hub::send`].
    pub fn send_text(&self, text: &str) -> Result<Receipt, SendError> {
        self.hub.send(self.id, Frame::text(text))
    }

    /// Sends a binary message, unchanged.
    ///
    /// # Errors
    ///
    /// As for [`Hub::send`].
    pub fn send_binary(&self, bytes: &[u8]) -> Result<Receipt, SendError> {
        self.hub.send(self.id, Frame::binary(bytes))
    }
}

/// Checks what only the adapter of a cluster knows.
#[cfg(any(feature = "redis-tokio", feature = "redis-smol"))]
fn check_cluster(config: &Config) -> Result<(), ConfigError> {
    let cluster = config.cluster.as_ref();
    cluster.map_or(Ok(()), |it| crate::driver::adapter_config(it).map(drop))
}

#[cfg(not(any(feature = "redis-tokio", feature = "redis-smol")))]
fn check_cluster(config: &Config) -> Result<(), ConfigError> {
    match &config.cluster {
        None => Ok(()),
        Some(cluster) => Err(ConfigError::new(
            "cluster.node",
            cluster.node.clone(),
            "a cluster needs the feature `redis` of the crate",
        )),
    }
}

/// The hooks of an application with boxed futures, so that a hub is not generic over it.
pub(crate) trait Hooks: Send + Sync + 'static {
    fn admit(self: Arc<Self>, request: Request) -> BoxFuture<Result<Admission, Denied>>;
    fn authorize_join(
        self: Arc<Self>,
        client: Connection,
        room: Arc<str>,
        entry: Entry,
        from: JoinFrom,
    ) -> BoxFuture<Result<Reach, Denied>>;
    fn authorize_direct(
        self: Arc<Self>,
        client: Connection,
        to: Arc<str>,
    ) -> BoxFuture<Result<(), Denied>>;
    fn on_connect(self: Arc<Self>, client: Connection) -> BoxFuture<()>;
    fn on_join(self: Arc<Self>, client: Connection, room: Arc<str>) -> BoxFuture<()>;
    fn on_leave(self: Arc<Self>, client: Connection, room: Arc<str>) -> BoxFuture<()>;
    fn process_message(
        self: Arc<Self>,
        client: Connection,
        message: Message,
    ) -> BoxFuture<Result<Delivery, Denied>>;
    fn on_call(
        self: Arc<Self>,
        client: Connection,
        method: Arc<str>,
        params: String,
    ) -> BoxFuture<Result<Json, Denied>>;
    fn on_disconnect(
        self: Arc<Self>,
        client: Connection,
        rooms: Vec<Arc<str>>,
        reason: CloseReason,
    ) -> BoxFuture<()>;
    fn on_notice(&self, notice: &Notice);
}
