//! A TCP proxy that does what networks do: it cuts connections, swallows what they carry, and is slow.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A direction of a connection, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What the client sends.
    Out,
    /// What the client receives.
    In,
}

/// A proxy in front of a server, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: Mutex<SocketAddr>,
    links: Mutex<Vec<Arc<Link>>>,
    swallows: [AtomicBool; 2],
    refuses: AtomicBool,
    delay_micros: AtomicU64,
    stopped: AtomicBool,
}

/// A connection through the proxy.
#[derive(Debug)]
struct Link {
    /// The client's socket and the server's.
    ends: [TcpStream; 2],
    /// What was swallowed once is gone, so nothing behind it may arrive.
    swallowed: [AtomicBool; 2],
}

impl Proxy {
    /// Starts a proxy in front of a server.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            links: Mutex::default(),
            swallows: Default::default(),
            refuses: AtomicBool::new(false),
            delay_micros: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    accepting.accept(client);
                }
            }
        });
        Self { address, shared }
    }

    /// From now on connects to another server.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.shared.server() = server;
    }

    /// Ends all connections. What they carried may be lost.
    pub fn cut(&self) {
        let links = std::mem::take(&mut *self.shared.links());
        for end in links.iter().flat_map(|link| &link.ends) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// From now on swallows what goes this way, without telling anybody, or lets it pass again: but not what
    /// belongs to connections of which something was swallowed.
    pub fn swallow(&self, way: Way, swallows: bool) {
        self.shared.swallows[way as usize].store(swallows, Ordering::SeqCst);
        if swallows {
            for link in &*self.shared.links() {
                link.swallowed[way as usize].store(true, Ordering::SeqCst);
            }
        }
    }

    /// Ends new connections at once, or lets them pass again.
    pub fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Holds everything back for a while.
    pub fn delay(&self, delay: Duration) {
        let micros = delay.as_micros() as u64;
        self.shared.delay_micros.store(micros, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        self.cut();
    }
}

impl Shared {
    fn links(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self) -> std::sync::MutexGuard<'_, SocketAddr> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, client: TcpStream) {
        if self.refuses.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(*self.server()) else {
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let link = Arc::new(Link {
            ends: [client, server],
            swallowed: Default::default(),
        });
        self.links().push(link.clone());
        for way in [Way::Out, Way::In] {
            let (shared, link) = (self.clone(), link.clone());
            thread::spawn(move || shared.carry(&link, way));
        }
    }

    fn carry(&self, link: &Link, way: Way) {
        let (from, to) = match way {
            Way::Out => (&link.ends[0], &link.ends[1]),
            Way::In => (&link.ends[1], &link.ends[0]),
        };
        let (mut from, mut to) = (from, to);
        let swallowed = &link.swallowed[way as usize];
        let mut buffer = [0; 16 << 10];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(count) if count > 0 => count,
                _ => break,
            };
            let delay = self.delay_micros.load(Ordering::SeqCst);
            if delay > 0 {
                thread::sleep(Duration::from_micros(delay));
            }
            if self.swallows[way as usize].load(Ordering::SeqCst) {
                swallowed.store(true, Ordering::SeqCst);
            }
            if !swallowed.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // An end is lost like anything else.
        if !swallowed.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        }
    }
}
