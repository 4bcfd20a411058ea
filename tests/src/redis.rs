//! A Redis server of the test's own: on a free port of the loopback, without persistence, and gone with
//! its value.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Entries in a node of a stream: logs are trimmed by whole nodes.
pub const LOG_NODE: usize = 10;

/// A running `redis-server`.
#[derive(Debug)]
pub struct Server {
    process: Child,
    folder: PathBuf,
    arguments: Vec<OsString>,
    /// Where it listens, without TLS.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server; `None`, and a line that says so, where none is installed.
    ///
    /// # Panics
    ///
    /// If it does not start, or if it must be there by `SWITCHBOARD_REDIS_REQUIRED`.
    pub fn start() -> Option<Self> {
        Self::start_with(|_| Vec::new())
    }

    /// Starts a server with further arguments, which may name files in the folder that they are given.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_with(arguments: impl Fn(&PathBuf) -> Vec<OsString>) -> Option<Self> {
        let folder = new_folder();
        let arguments = arguments(&folder);
        // Another process may take the port before the server does.
        for _ in 0..10 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            match spawn(address, &folder, &arguments) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let _ = fs::remove_dir_all(folder);
                    skip();
                    return None;
                }
                process => {
                    let mut server = Self {
                        process: process.unwrap(),
                        folder: folder.clone(),
                        arguments: arguments.clone(),
                        address,
                    };
                    if server.answers() {
                        return Some(server);
                    }
                    server.folder = PathBuf::new();
                }
            }
        }
        panic!("redis-server does not start");
    }

    /// Kills the server, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts the server again after [`kill`](Self::kill), at the same address, with the data of its last
    /// SAVE.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn revive(&mut self) {
        self.process = spawn(self.address, &self.folder, &self.arguments).unwrap();
        assert!(self.answers(), "redis-server does not start again");
    }

    /// Kills the server and starts it again, without data, at the same address.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let _ = fs::remove_file(self.folder.join("dump.rdb"));
        self.revive();
    }

    /// Stops the process, or lets it go on.
    ///
    /// # Panics
    ///
    /// If that is not possible.
    pub fn pause(&self, paused: bool) {
        let signal = if paused { "-STOP" } else { "-CONT" };
        let status = Command::new("kill")
            .args([signal, &self.process.id().to_string()])
            .status();
        assert!(status.unwrap().success());
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
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if self.folder.is_absolute() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A folder of the server's own, for what it saves.
fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("switchboard-redis-{}-{count}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn spawn(address: SocketAddr, folder: &PathBuf, arguments: &[OsString]) -> io::Result<Child> {
    let program = env::var_os("SWITCHBOARD_REDIS").unwrap_or_else(|| "redis-server".into());
    Command::new(program)
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--stream-node-max-entries", &LOG_NODE.to_string()])
        .args(["--stream-node-max-bytes", "0"])
        .args(arguments)
        .current_dir(folder)
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
