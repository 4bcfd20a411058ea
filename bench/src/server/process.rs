//! A running server.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddrV4;
use std::process::{Child, Command, Stdio};

/// A running server, which is killed on drop.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddrV4,
}

impl Process {
    /// Starts a server, and waits until it listens.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .env("NODE_ENV", "production");
        let mut process = Self {
            child: command.spawn()?,
            address: SocketAddrV4::new([127, 0, 0, 1].into(), 0),
        };
        let mut line = String::new();
        if let Some(output) = process.child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .and_then(|text| text.parse().ok());
        process.address = address.ok_or_else(|| {
            let program = command.get_program().to_string_lossy().into_owned();
            io::Error::other(format!("{program} did not print its address"))
        })?;
        Ok(process)
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
