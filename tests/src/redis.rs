//! A Redis server of the test's own: on a free port of the loopback, without persistence, and gone with
//! its value.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::hash::{BuildHasher, RandomState};
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
        let node = LOG_NODE.to_string();
        let logs = ["--stream-node-max-entries", &node];
        let mut arguments = without_persistence();
        arguments.extend(logs.map(Into::into));
        arguments.extend(["--stream-node-max-bytes", "0"].map(Into::into));
        Self::start_with(new_folder(), arguments)
    }

    /// Starts a server that is configured as usual, but keeps nothing on the disk.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_plain() -> Option<Self> {
        Self::start_with(new_folder(), without_persistence())
    }

    /// Starts a sentinel that watches a master. It takes it for dead after half a second.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_sentinel(name: &str, master: SocketAddr) -> Option<Self> {
        let (folder, port) = (new_folder(), master.port());
        let file = folder.join("sentinel.conf");
        let lines = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds {name} 500\n\
             sentinel failover-timeout {name} 5000\n"
        );
        fs::write(&file, lines).unwrap();
        Self::start_with(folder, vec![file.into(), "--sentinel".into()])
    }

    fn start_with(folder: PathBuf, arguments: Vec<OsString>) -> Option<Self> {
        // Another process may take the port before the server does.
        for _ in 0..10 {
            let address = free_address();
            match spawn(address, &folder, &arguments) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let _ = fs::remove_dir_all(folder);
                    skip();
                    return None;
                }
                process => {
                    let mut process = process.unwrap();
                    if answers(&mut process, address) {
                        return Some(Self {
                            process,
                            folder,
                            arguments,
                            address,
                        });
                    }
                    let _ = (process.kill(), process.wait());
                }
            }
        }
        panic!("redis-server does not start");
    }

    /// Returns the id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
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
        assert!(
            answers(&mut self.process, self.address),
            "redis-server does not start again"
        );
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
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn without_persistence() -> Vec<OsString> {
    ["--save", "", "--appendonly", "no"]
        .map(Into::into)
        .to_vec()
}

fn answers(process: &mut Child, address: SocketAddr) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        thread::yield_now();
    }
    false
}

/// A folder of the server's own, for what it saves.
fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("switchboard-redis-{}-{count}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns an address that is free now. Its port is below those that the system hands out, so that no
/// connection of another test has it while the server restarts.
fn free_address() -> SocketAddr {
    let first = (RandomState::new().hash_one(()) % 6_000) as u16;
    (0..6_000)
        .map(|step| SocketAddr::from((Ipv4Addr::LOCALHOST, 20_000 + first + step)))
        .find(|&address| TcpListener::bind(address).is_ok())
        .expect("one of six thousand ports is free")
}

fn spawn(address: SocketAddr, folder: &PathBuf, arguments: &[OsString]) -> io::Result<Child> {
    let program = env::var_os("SWITCHBOARD_REDIS").unwrap_or_else(|| "redis-server".into());
    Command::new(program)
        .args(arguments)
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
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
