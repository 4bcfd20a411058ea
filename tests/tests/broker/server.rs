//! A Redis server of the test's own: on a free port of the loopback, without persistence.

use std::env;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Entries in a node of a stream: logs are trimmed by whole nodes.
pub(crate) const LOG_NODE: usize = 10;

pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server; `None`, and a line that says so, where none is installed.
    pub(crate) fn start() -> Option<Self> {
        // Another process may take the port before the server does.
        for _ in 0..10 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            match spawn(address) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    skip();
                    return None;
                }
                process => {
                    let process = process.unwrap();
                    let mut server = Self { process, address };
                    if server.answers() {
                        return Some(server);
                    }
                }
            }
        }
        panic!("redis-server does not start");
    }

    /// Kills the server and starts it again, without data, at the same address.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.address).unwrap();
        assert!(self.answers(), "redis-server does not start again");
    }

    fn answers(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            thread::yield_now();
        }
        false
    }

    fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(address: SocketAddr) -> io::Result<Child> {
    let program = env::var_os("SWITCHBOARD_REDIS").unwrap_or_else(|| "redis-server".into());
    Command::new(program)
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--stream-node-max-entries", &LOG_NODE.to_string()])
        .args(["--stream-node-max-bytes", "0"])
        .current_dir(env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Not by a macro, whose output a passing test does not show.
fn skip() {
    assert!(
        env::var_os("SWITCHBOARD_REDIS_REQUIRED").is_none(),
        "redis-server is not installed"
    );
    let _ = writeln!(
        io::stderr(),
        "skipped: redis-server is not installed. `tests/run.sh cluster` installs it, \
         SWITCHBOARD_REDIS names another program."
    );
}
