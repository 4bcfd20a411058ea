//! The compared servers and their processes.

pub(crate) mod axum;
pub(crate) mod floor;
mod floor_frames;
mod process;
pub(crate) mod raw;
pub(crate) mod tungstenite;
mod upstream;

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;

pub(crate) use self::process::Process;
use crate::machine::{Cpus, pin};

/// Bytes that may be queued for one connection, wherever there is a queue: Switchboard's default.
pub(crate) const QUEUE_BYTES: usize = 1 << 20;
pub(crate) const QUEUE_MESSAGES: usize = 1_024;
/// Read buffer of the peers that keep one per connection.
pub(crate) const READ_BUFFER: usize = 4 << 10;
/// Frames written before a flush.
pub(crate) const BATCH: usize = 64;

/// A measured server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Server {
    /// A bare loop that writes one prepared buffer per member
    Floor,
    /// The floor, with announcements of newcomers like Switchboard's presence
    FloorPresence,
    /// The floor, with pings spread over the interval like Switchboard's
    FloorSpread,
    /// The example `chat`: presence, limits and heartbeats on
    SwitchboardTokio,
    /// The example `chat-smol`: presence, limits and heartbeats on
    SwitchboardSmol,
    /// The example `chat` without presence
    SwitchboardTokioBare,
    /// The example `chat-smol` without presence
    SwitchboardSmolBare,
    /// `switchboard-tokio` in raw mode: forwards messages unchanged
    SwitchboardTokioRaw,
    /// The same inside an axum application
    SwitchboardTokioAxum,
    /// The example `chat` on two threads and both CPUs, shared with the generator
    SwitchboardTokioTwo,
    /// The example `chat` of another revision, from the directory given by --baseline
    BaselineTokio,
    /// The example `chat-smol` of another revision, from the directory given by --baseline
    BaselineSmol,
    /// A hand-written server on tokio-tungstenite: a task and a channel per connection
    TokioTungstenite,
    /// axum with a broadcast channel per room
    Axum,
    /// The npm package `ws` on Node
    Ws,
    /// Bun with its own publish
    Bun,
    /// The example `chat` with compression, to clients that inflate
    SwitchboardTokioDeflate,
    /// `ws` with compression, without context, to clients that inflate
    WsDeflate,
    /// Bun with compression, without context, to clients that inflate
    BunDeflate,
}

impl Server {
    /// The servers measured by default.
    pub(crate) const USUAL: [Self; 15] = [
        Self::Floor,
        Self::FloorPresence,
        Self::FloorSpread,
        Self::SwitchboardTokio,
        Self::SwitchboardSmol,
        Self::SwitchboardTokioBare,
        Self::SwitchboardSmolBare,
        Self::SwitchboardTokioRaw,
        Self::TokioTungstenite,
        Self::Axum,
        Self::Ws,
        Self::Bun,
        Self::SwitchboardTokioDeflate,
        Self::WsDeflate,
        Self::BunDeflate,
    ];

    /// Returns whether it differs from another only in presence, so that only workloads with
    /// connects use it.
    pub(crate) const fn is_about_presence(self) -> bool {
        matches!(
            self,
            Self::FloorPresence | Self::SwitchboardTokioBare | Self::SwitchboardSmolBare
        )
    }

    /// Returns whether it compresses, for clients that inflate.
    pub(crate) const fn compresses(self) -> bool {
        matches!(
            self,
            Self::SwitchboardTokioDeflate | Self::WsDeflate | Self::BunDeflate
        )
    }

    /// Returns whether it is one that compresses, or the same without.
    pub(crate) const fn is_about_compression(self) -> bool {
        self.compresses() || matches!(self, Self::SwitchboardTokio | Self::Ws | Self::Bun)
    }

    /// Returns whether a client that comes back gets what it missed.
    pub(crate) const fn recovers(self) -> bool {
        matches!(
            self,
            Self::SwitchboardTokio
                | Self::SwitchboardSmol
                | Self::SwitchboardTokioBare
                | Self::SwitchboardSmolBare
        )
    }

    /// Returns whether it is a floor.
    pub(crate) const fn is_floor(self) -> bool {
        matches!(self, Self::Floor | Self::FloorPresence | Self::FloorSpread)
    }

    /// Returns the floor that does the same work when clients connect.
    pub(crate) const fn floor_of_comers(self) -> Self {
        match self {
            Self::SwitchboardTokio
            | Self::SwitchboardSmol
            | Self::BaselineTokio
            | Self::BaselineSmol => Self::FloorPresence,
            _ => Self::Floor,
        }
    }

    /// Returns the floor that sends its pings at the same times.
    pub(crate) fn floor_of_pings(self) -> Self {
        if self.is_ours() {
            Self::FloorSpread
        } else {
            Self::Floor
        }
    }

    /// Returns whether it is one of ours.
    pub(crate) fn is_ours(self) -> bool {
        self.to_string().starts_with("switchboard")
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// A server that is part of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Builtin {
    Floor,
    FloorPresence,
    FloorSpread,
    Raw,
    RawInAxum,
    Tungstenite,
    Axum,
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// What a workload wants of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demands {
    pub(crate) ping_interval: Duration,
    /// Whether what one connection may send is limited as by default.
    pub(crate) limits_rates: bool,
}

/// Paths.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// This program.
    program: PathBuf,
    /// Cargo's target directory.
    target: PathBuf,
    /// Scripts and packages of the peers outside Rust.
    peers: PathBuf,
    /// The examples of another revision.
    baseline: Option<PathBuf>,
}

impl Place {
    pub(crate) fn find(baseline: Option<PathBuf>) -> io::Result<Self> {
        let program = env::current_exe()?;
        let target = program.ancestors().nth(2).map(Path::to_path_buf);
        Ok(Self {
            target: target.unwrap_or_default(),
            peers: Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"),
            program,
            baseline,
        })
    }

    /// Builds or installs what these servers need; returns the available servers, and why others
    /// are missing.
    pub(crate) fn prepare(&self, servers: &[Server]) -> (Vec<Server>, Vec<String>) {
        let (mut left, mut missing) = (Vec::new(), Vec::new());
        for &server in servers {
            match self.provide(server) {
                Ok(()) => left.push(server),
                Err(error) => missing.push(format!("{server}: {error}")),
            }
        }
        (left, missing)
    }

    fn provide(&self, server: Server) -> io::Result<()> {
        match server {
            Server::SwitchboardTokio
            | Server::SwitchboardTokioBare
            | Server::SwitchboardTokioDeflate
            | Server::SwitchboardTokioTwo => self.build("switchboard-tokio", "chat"),
            Server::SwitchboardSmol | Server::SwitchboardSmolBare => {
                self.build("switchboard-smol", "chat-smol")
            }
            Server::BaselineTokio => run(Command::new(self.of_baseline("chat")?).arg("--help")),
            Server::BaselineSmol => run(Command::new(self.of_baseline("chat-smol")?).arg("--help")),
            Server::Ws | Server::WsDeflate => self.install(),
            Server::Bun | Server::BunDeflate => {
                self.install()?;
                run(Command::new(self.bun()?).arg("--version"))
            }
            _ => Ok(()),
        }
    }

    /// Builds an example program.
    pub(crate) fn build(&self, package: &str, example: &str) -> io::Result<()> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args([
            "build",
            "--release",
            "--package",
            package,
            "--example",
            example,
        ]);
        command
            .arg("--manifest-path")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        run(command.arg("--target-dir").arg(&self.target))
    }

    /// Installs the packages of the peers on Node, if they are not.
    pub(crate) fn install(&self) -> io::Result<()> {
        let modified = |path: &str| fs::metadata(self.peers.join(path))?.modified();
        let locked = modified("package-lock.json")?;
        let is_done = modified("node_modules/.package-lock.json").is_ok_and(|done| done >= locked);
        if !is_done {
            let mut npm = Command::new("npm");
            run(npm.args(["ci", "--silent"]).current_dir(&self.peers))?;
        }
        run(Command::new("node").arg("--version"))
    }

    fn of_baseline(&self, example: &str) -> io::Result<PathBuf> {
        let folder = self.baseline.as_ref();
        let folder =
            folder.ok_or_else(|| io::Error::other("name its directory with --baseline"))?;
        Ok(folder.join(example))
    }

    /// Returns Bun's executable, not the script that starts it.
    fn bun(&self) -> io::Result<PathBuf> {
        let packages = self.peers.join("node_modules");
        let names = [
            "bun/bin/bun.exe",
            "@oven/bun-linux-x64/bin/bun",
            "@oven/bun-linux-aarch64/bin/bun",
        ];
        let found = names
            .iter()
            .map(|name| packages.join(name))
            .find(|path| path.is_file());
        found.ok_or_else(|| io::Error::other("npm did not install its executable"))
    }

    fn command(&self, server: Server, demands: Demands) -> io::Result<Command> {
        let ping = demands.ping_interval.as_secs_f64().to_string();
        let chat = |program: PathBuf, presence: &str| {
            let mut command = chat(&program, demands.limits_rates);
            command.args(["--presence", presence]);
            command
        };
        let mut command = match server {
            Server::Floor => self.builtin(Builtin::Floor),
            Server::FloorPresence => self.builtin(Builtin::FloorPresence),
            Server::FloorSpread => self.builtin(Builtin::FloorSpread),
            Server::SwitchboardTokio => chat(self.example("chat"), "on"),
            Server::SwitchboardTokioDeflate => {
                let mut command = chat(self.example("chat"), "on");
                command.args(["--compress", "on"]);
                command
            }
            Server::SwitchboardSmol => chat(self.example("chat-smol"), "on"),
            Server::SwitchboardTokioBare => chat(self.example("chat"), "off"),
            Server::SwitchboardSmolBare => chat(self.example("chat-smol"), "off"),
            Server::SwitchboardTokioTwo => {
                let mut command = chat(self.example("chat"), "on");
                command.args(["--threads", "2"]);
                command
            }
            Server::BaselineTokio => chat(self.of_baseline("chat")?, "on"),
            Server::BaselineSmol => chat(self.of_baseline("chat-smol")?, "on"),
            Server::SwitchboardTokioRaw => self.builtin(Builtin::Raw),
            Server::SwitchboardTokioAxum => self.builtin(Builtin::RawInAxum),
            Server::TokioTungstenite => self.builtin(Builtin::Tungstenite),
            Server::Axum => self.builtin(Builtin::Axum),
            Server::Ws | Server::WsDeflate => self.script("ws.mjs"),
            Server::Bun | Server::BunDeflate => {
                let mut command = Command::new(self.bun()?);
                command.arg(self.peers.join("bun.ts"));
                command
            }
        };
        if matches!(server, Server::WsDeflate | Server::BunDeflate) {
            command.arg("--compress");
        }
        command.args(["--ping-interval", &ping]);
        Ok(command)
    }

    /// Returns the path of an example program, which [`build`](Self::build) has built.
    pub(crate) fn example(&self, name: &str) -> PathBuf {
        self.target.join("release/examples").join(name)
    }

    /// Returns the command of a server that is part of this program.
    pub(crate) fn builtin(&self, which: Builtin) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg(which.to_string());
        command
    }

    /// Returns the command of a script for Node.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(self.peers.join(name));
        command
    }

    /// Starts a server on its CPU, and waits until it listens.
    pub(crate) fn start(
        &self,
        server: Server,
        demands: Demands,
        cpus: Cpus,
    ) -> io::Result<Process> {
        let command = self.command(server, demands)?;
        match server {
            Server::SwitchboardTokioTwo => pin(&[cpus.server, cpus.load])?,
            _ => pin(&[cpus.server])?,
        }
        let process = Process::start(command);
        pin(&[cpus.load])?;
        process
    }
}

/// Returns the command of a chat whose limits no workload reaches: where a connection sends more than the
/// 1 MiB a second of the default, without limits of rates.
pub(crate) fn chat(program: &Path, limits_rates: bool) -> Command {
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1:0", "--log", "off"]);
    command.args(["--max-connections", "30000", "--max-per-room", "30000"]);
    command.args(["--rate", if limits_rates { "1000000" } else { "0" }]);
    command
}

fn run(command: &mut Command) -> io::Result<()> {
    let status = command.stdout(Stdio::null()).status()?;
    if status.success() {
        return Ok(());
    }
    let program = command.get_program().to_string_lossy().into_owned();
    Err(io::Error::other(format!("{program}: {status}")))
}
