//! What is the same on both runtimes.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;

use futures_util::{SinkExt, StreamExt};

use super::peer::PATIENCE;
use crate::rt::websocket::{WebSocketStream, client_async};
use crate::rt::{Runtime, TcpListener, TcpStream, WebSocketMessage};

impl Runtime {
    /// Runs a future there and waits for it here.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (sender, receiver) = mpsc::channel();
        self.spawn(async move {
            let _ = sender.send(future.await);
        });
        receiver.recv_timeout(PATIENCE).expect("an end in time")
    }
}

pub(crate) async fn bind() -> TcpListener {
    bind_to((Ipv4Addr::LOCALHOST, 0).into()).await
}

pub(crate) async fn bind_to(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address).await.expect("a port")
}

/// A third-party client.
pub(crate) struct WebSocket(WebSocketStream<TcpStream>);

impl WebSocket {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let url = format!("ws://{address}{path}");
        let (socket, _) = client_async(url, stream).await.expect("an upgrade");
        Self(socket)
    }

    pub(crate) async fn send(&mut self, message: WebSocketMessage) {
        SinkExt::send(&mut self.0, message).await.expect("sent");
    }

    /// Returns the next message, after any pings.
    pub(crate) async fn receive(&mut self) -> Option<WebSocketMessage> {
        loop {
            let message = self.0.next().await?.ok()?;
            if !message.is_ping() {
                return Some(message);
            }
        }
    }
}
