//! TLS over any socket, by rustls. The handshake is part of reading, so it counts as part of the request:
//! it has the same timeout and holds the same seat.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, ready};

use atomic_waker::AtomicWaker;
use rustls::{ServerConfig, ServerConnection};

use super::socket::Socket;
use crate::shield::{debug, shielded};
use crate::sync::{Arc, Mutex, PoisonError};

/// The largest plaintext of a record (RFC 8446, section 5.1). Not more than this is encrypted before it is
/// known whether the socket takes it.
const RECORD: usize = 16 << 10;

/// The only protocol that is spoken over TLS, as ALPN names it.
const HTTP_1: &[u8] = b"http/1.1";

/// A TLS session over a socket.
pub(crate) struct Tls<S> {
    socket: S,
    /// For the log.
    peer: IpAddr,
    session: Mutex<Session>,
    /// The connection's task. Woken when a write leaves something unsent, which the task has to send on.
    task: AtomicWaker,
}

struct Session {
    connection: ServerConnection,
    write_side: WriteSide,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WriteSide {
    Open,
    /// The alert `close_notify` is on its way.
    Closing,
    Closed,
}

/// Checks a configuration.
///
/// # Errors
///
/// Fails if rustls refuses it, or if it offers clients another protocol than HTTP/1.1.
pub(crate) fn check(config: &Arc<ServerConfig>) -> io::Result<()> {
    if config.alpn_protocols.iter().any(|name| name != HTTP_1) {
        let rule = "alpn_protocols must be empty or contain only http/1.1";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, rule));
    }
    ServerConnection::new(config.clone())
        .map(drop)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

impl<S: Socket> Tls<S> {
    /// Begins a session.
    ///
    /// # Errors
    ///
    /// Fails if rustls refuses the configuration.
    pub(crate) fn new(socket: S, peer: IpAddr, config: Arc<ServerConfig>) -> io::Result<Self> {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self {
            socket,
            peer,
            session: Mutex::new(Session {
                connection,
                write_side: WriteSide::Open,
            }),
            task: AtomicWaker::new(),
        })
    }

    pub(crate) const fn socket(&self) -> &S {
        &self.socket
    }

    /// Returns whether there are bytes that the socket has not taken yet.
    pub(crate) fn has_unsent(&self) -> bool {
        self.lock().connection.wants_write()
    }

    fn lock(&self) -> crate::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, call: impl FnOnce(&mut Session, &S) -> io::Result<T>) -> io::Result<T> {
        let mut session = self.lock();
        // A configuration contains code of the application, whose panic must end this connection only.
        catch_unwind(AssertUnwindSafe(|| call(&mut session, &self.socket)))
            .unwrap_or_else(|_| Err(io::Error::other("TLS panicked")))
    }
}

impl<S: Socket> Socket for Tls<S> {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.task.register(context.waker());
        match self.with(|session, socket| session.read(socket, context, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            read => {
                if let Err(error) = &read
                    && error.kind() == io::ErrorKind::InvalidData
                {
                    debug!(peer = %self.peer, %error, "TLS failed");
                }
                Poll::Ready(read)
            }
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, unsent) = self.with(|session, socket| {
            let taken = session.write(socket, bytes)?;
            Ok((taken, session.connection.wants_write()))
        })?;
        if unsent {
            shielded(|| self.task.wake());
        }
        Ok(taken)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let progress = self.with(|session, socket| {
                let sent = session.send(socket)?;
                Ok((sent, session.connection.is_handshaking()))
            });
            match progress? {
                // Reading wakes the task when the handshake is over.
                (true, true) => return Poll::Pending,
                (true, false) => return Poll::Ready(Ok(())),
                (false, _) => ready!(self.socket.poll_writable(context))?,
            }
        }
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.with(Session::close)
    }

    // An error shows at the next read or write.
    fn drive_writes(&self, context: &mut Context<'_>) {
        self.task.register(context.waker());
        self.socket.drive_writes(context);
        let _ = self.with(Session::send);
    }
}

impl Session {
    fn read<S: Socket>(
        &mut self,
        socket: &S,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end without a `close_notify`. WebSocket has its own, so nothing can be cut off unnoticed.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            let before = self.connection.is_handshaking();
            self.connection.read_tls(&mut Input { socket, context })?;
            if let Err(error) = self.connection.process_new_packets() {
                // The alert.
                let _ = self.send(socket);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            self.send(socket)?;
            if before && !self.connection.is_handshaking() {
                // Something may have waited to be written.
                context.waker().wake_by_ref();
            }
        }
    }

    fn write<S: Socket>(&mut self, socket: &S, bytes: &[u8]) -> io::Result<usize> {
        if self.write_side != WriteSide::Open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut taken = 0;
        while taken < bytes.len() {
            // Waits until earlier data has been sent, because policies do not see what is queued here.
            if self.connection.is_handshaking() || !self.send(socket)? {
                break;
            }
            let record = &bytes[taken..bytes.len().min(taken + RECORD)];
            taken += self.connection.writer().write(record)?;
        }
        // An error shows at the next write.
        let _ = self.send(socket);
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    fn close<S: Socket>(&mut self, socket: &S) -> io::Result<()> {
        if self.write_side == WriteSide::Open {
            if !self.connection.is_handshaking() {
                self.connection.send_close_notify();
            }
            self.write_side = WriteSide::Closing;
        }
        self.send(socket).map(drop)
    }

    /// Sends encrypted data. Returns whether nothing is left.
    fn send<S: Socket>(&mut self, socket: &S) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Output(socket)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.write_side == WriteSide::Closing {
            self.write_side = WriteSide::Closed;
            socket.shutdown_write()?;
        }
        Ok(true)
    }
}

/// A socket as rustls reads it.
struct Input<'a, 'c, 'w, S> {
    socket: &'a S,
    context: &'c mut Context<'w>,
}

impl<S: Socket> Read for Input<'_, '_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.socket.poll_read(self.context, buffer) {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// A socket as rustls writes it.
struct Output<'a, S>(&'a S);

impl<S: Socket> Write for Output<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
