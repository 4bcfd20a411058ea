//! One connection of the load generator.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, bind, connect, send, socket_with, sockopt,
};

use crate::wire::{ACCEPT, KEY};

/// Connections per loopback address: within the bursts that servers allow per address, and far
/// fewer than there are ports.
const PER_ADDRESS: usize = 500;
/// What a client sends that inflates messages, each by itself.
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
    client_no_context_takeover\r\n";
/// The receive buffer of a connection that does not read.
const STALLED_BUFFER: usize = 4 << 10;

/// The role of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) room: usize,
    pub(crate) user: usize,
    /// Reads nothing once it is connected.
    pub(crate) stalled: bool,
    /// Messages of its room that it has missed, the last ones; it asks for them when it connects.
    pub(crate) missed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connecting,
    Requested,
    Open,
    Closed,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) fd: OwnedFd,
    server: SocketAddrV4,
    pub(crate) plan: Plan,
    pub(crate) stage: Stage,
    /// Bytes of an incomplete item.
    pub(crate) rest: Vec<u8>,
    /// Bytes to be written.
    pub(crate) out: Vec<u8>,
    /// The expected next number of each publisher it hears.
    pub(crate) next: Vec<u32>,
    /// Messages that it has recovered.
    pub(crate) recovered: u32,
}

impl Connection {
    /// Starts to connect; it is connected when the socket becomes writable.
    pub(crate) fn start(server: SocketAddrV4, plan: Plan) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&fd, true)?;
        if plan.stalled {
            sockopt::set_socket_recv_buffer_size(&fd, STALLED_BUFFER)?;
        }
        let group = plan.user / PER_ADDRESS;
        let source = Ipv4Addr::new(127, 0, 1 + (group / 250) as u8, 1 + (group % 250) as u8);
        bind(&fd, &SocketAddrV4::new(source, 0))?;
        match connect(&fd, &server) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self {
            fd,
            server,
            plan,
            stage: Stage::Connecting,
            rest: Vec::new(),
            out: Vec::new(),
            next: Vec::new(),
            recovered: 0,
        })
    }

    /// Sends the request, which offers to inflate messages or not.
    pub(crate) fn request(&mut self, target: &str, offers: bool) -> io::Result<()> {
        let server = self.server;
        let offer = if offers { OFFER } else { "" };
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
             {offer}\r\n"
        );
        self.out.extend(request.as_bytes());
        self.stage = Stage::Requested;
        self.flush().map(|_| ())
    }

    /// Returns the length of the response once it is complete.
    pub(crate) fn answer(input: &[u8]) -> io::Result<Option<usize>> {
        let Some(end) = memchr::memmem::find(input, b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = &input[..end];
        let accepted = memchr::memmem::find(head, ACCEPT.as_bytes()).is_some();
        if !head.starts_with(b"HTTP/1.1 101 ") || !accepted {
            let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line).into_owned();
            return Err(io::Error::other(format!("not upgraded: {line}")));
        }
        Ok(Some(end + 4))
    }

    /// Writes queued bytes; returns whether all were written.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        let mut written = 0;
        while written < self.out.len() {
            match send(&self.fd, &self.out[written..], SendFlags::NOSIGNAL) {
                Ok(more) => written += more,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.out.drain(..written);
        Ok(self.out.is_empty())
    }
}
