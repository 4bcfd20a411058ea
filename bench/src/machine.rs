//! The machine, and the assignment of its CPUs.

use std::fs;
use std::io;
use std::process::Command;
use std::thread::available_parallelism;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// The description of the machine in a report.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) congestion_control: String,
    pub(crate) rustc: String,
    pub(crate) node: String,
    pub(crate) date: String,
    /// Load average over a minute before the first measurement.
    pub(crate) load: f64,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let info = read("/proc/cpuinfo");
        let cpu = info.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == "model name").then(|| value.trim().to_owned())
        });
        let memory = read("/proc/meminfo");
        let kib = memory.split_ascii_whitespace().nth(1);
        let kib: u64 = kib.and_then(|kib| kib.parse().ok()).unwrap_or(0);
        let load = read("/proc/loadavg");
        let load = load
            .split_ascii_whitespace()
            .next()
            .and_then(|load| load.parse().ok());
        Self {
            cpu: cpu.unwrap_or_else(|| "unknown".to_owned()),
            cpus: available_parallelism().map_or(1, usize::from),
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel: read("/proc/sys/kernel/osrelease"),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control"),
            rustc: output("rustc", "--version"),
            node: output("node", "--version"),
            date: output("date", "-uI"),
            load: load.unwrap_or(0.0),
        }
    }
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

fn output(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    output.map_or_else(
        |_| "none".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// Restricts this thread and its children to these CPUs.
pub(crate) fn pin(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Changes the niceness of this process and its children.
pub(crate) fn be_nice(by: i32) -> io::Result<()> {
    if by != 0 {
        nice(by)?;
    }
    Ok(())
}

/// Raises the limit of open files to its maximum, and returns it.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return limit.maximum.unwrap_or(u64::MAX);
    }
    limit.current.unwrap_or(u64::MAX)
}

/// The assignment of CPUs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus {
    pub(crate) server: usize,
    pub(crate) load: usize,
}
