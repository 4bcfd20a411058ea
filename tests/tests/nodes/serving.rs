//! Serving a hub on both runtimes.

use std::net::TcpListener;

use switchboard_runtime::Hub;

use crate::runtimes::{Host, Smol, Tokio};

/// A runtime that can serve a hub, whose tasks end with it.
pub(crate) trait Serve: Host {
    /// Serves a listener until the hub is drained.
    fn serve(&self, hub: Hub, listener: TcpListener);
}

impl Serve for Tokio {
    fn serve(&self, hub: Hub, listener: TcpListener) {
        listener.set_nonblocking(true).expect("a listener");
        self.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            drop(switchboard_tokio::serve(listener, hub).await);
        });
    }
}

impl Serve for Smol {
    fn serve(&self, hub: Hub, listener: TcpListener) {
        let listener = smol::Async::new(listener).expect("a listener");
        let executor = switchboard_smol::Executor::new(self.executor.clone(), 1);
        let serving = switchboard_smol::serve(listener.into(), hub.spawn_on(executor));
        self.spawn(async move { drop(serving.await) });
    }
}
