//! What a hub's methods take from a runtime. Each trait has the runtime as its parameter, so that the
//! compiler infers it from the argument: in a program with two runtimes, too.

use std::io;
use std::net::IpAddr;

use crate::listen::Listen;
use crate::net::{AnySocket, Stream};
use crate::runtime::Runtime;

/// An executor of the runtime `R`, for [`Hub::spawn_on`](crate::Hub::spawn_on).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the executor of a runtime",
    label = "not an executor",
    note = "`spawn_on` takes the `Executor` of `switchboard-tokio` or `switchboard-smol`"
)]
pub trait IntoExecutor<R: Runtime> {
    /// Returns the executor.
    fn into_executor(self) -> R::Executor;
}

/// A TCP listener of the runtime `R`, for [`Hub::serve`](crate::Hub::serve).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a TCP listener of a runtime",
    label = "not a listener",
    note = "`serve` takes the `TcpListener` of tokio (with `switchboard-tokio`) or smol (with `switchboard-smol`)"
)]
pub trait IntoListener<R: Listen> {
    /// Returns the listener.
    fn into_listener(self) -> R::Listener;
}

/// A TCP stream of the runtime `R`, for [`Hub::accept`](crate::Hub::accept).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a TCP stream of a runtime",
    label = "not a TCP stream",
    note = "`accept` takes the `TcpStream` of tokio (with `switchboard-tokio`) or smol (with `switchboard-smol`)",
    note = "`accept_stream` takes any other stream"
)]
pub trait IntoSocket<R: Runtime> {
    /// Wraps the stream, sets `TCP_NODELAY`, and returns its peer's address.
    ///
    /// # Errors
    ///
    /// Fails if the stream is not connected or cannot be configured.
    fn into_socket(self) -> io::Result<(AnySocket, IpAddr)>;
}

/// A stream that the runtime `R` can poll, for [`Hub::accept_stream`](crate::Hub::accept_stream) and
/// [`Hub::accept_upgraded`](crate::Hub::accept_upgraded).
///
/// A runtime's crate implements it for [`Foreign<S>`](Foreign), for every `S` that it can poll:
///
/// ```text
/// impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> PolledBy<Tokio> for Foreign<S> { … }
/// ```
#[diagnostic::on_unimplemented(
    message = "no runtime can poll this stream",
    label = "not a stream that can be read and written",
    note = "it has to be `AsyncRead + AsyncWrite + Unpin + Send + 'static`, of tokio (with `switchboard-tokio`) or of futures (with `switchboard-smol`)"
)]
pub trait PolledBy<R: Runtime> {
    /// The adapter type.
    type Stream: Stream;

    /// Wraps the stream in the adapter.
    fn adapt(self) -> Self::Stream;
}

/// A stream of any type. Through it a runtime's crate implements [`PolledBy`] for streams of other
/// crates.
#[derive(Debug)]
pub struct Foreign<S>(pub S);
