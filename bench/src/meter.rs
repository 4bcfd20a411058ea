//! Resource usage of a process, from the kernel.

use std::fs;
use std::io;
use std::net::SocketAddrV4;
use std::ops::AddAssign;
use std::process::Command;

/// A reading.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// Nanoseconds of CPU time over all threads.
    pub(crate) cpu: u64,
    /// Ticks in user space and in the kernel: sampled, and used to split `cpu`.
    user: u64,
    system: u64,
    /// Resident memory and its peak, in KiB.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

/// CPU time between two readings, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) all: f64,
    pub(crate) user: f64,
}

impl AddAssign for Used {
    fn add_assign(&mut self, more: Self) {
        self.all += more.all;
        self.user += more.user;
    }
}

impl Reading {
    pub(crate) fn of(process: u32) -> io::Result<Self> {
        let root = format!("/proc/{process}");
        let mut cpu = 0;
        for task in fs::read_dir(format!("{root}/task"))? {
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            cpu += number(text.split_ascii_whitespace().next());
        }
        let stat = fs::read_to_string(format!("{root}/stat"))?;
        // The name may contain spaces; user time is the 14th field.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = rest.split_ascii_whitespace().skip(11);
        let (user, system) = (number(fields.next()), number(fields.next()));
        let status = fs::read_to_string(format!("{root}/status"))?;
        Ok(Self {
            cpu,
            user,
            system,
            resident: line(&status, "VmRSS:"),
            peak: line(&status, "VmHWM:"),
        })
    }

    /// Returns the usage since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> Used {
        let all = self.cpu.saturating_sub(earlier.cpu) as f64 / 1_000.0;
        let user = (self.user - earlier.user) as f64;
        let ticks = user + (self.system - earlier.system) as f64;
        let part = if ticks > 0.0 { user / ticks } else { 0.0 };
        Used {
            all,
            user: all * part,
        }
    }
}

fn number(field: Option<&str>) -> u64 {
    field.and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn line(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    number(line.and_then(|line| line.split_ascii_whitespace().next()))
}

/// Returns the data segments that the server's sockets have sent, which equals the number of sends
/// if none exceeds a segment. `None` if `ss` is not available.
pub(crate) fn segments_sent(server: SocketAddrV4) -> Option<u64> {
    let port = format!("( sport = :{} )", server.port());
    let output = Command::new("ss")
        .args(["-tinH", "state", "established", &port])
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let sent = text.split_ascii_whitespace().filter_map(|word| {
        let count = word.strip_prefix("data_segs_out:")?;
        count.parse::<u64>().ok()
    });
    Some(sent.sum())
}
