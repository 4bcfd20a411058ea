//! A node in a process of its own, which can be stopped and killed.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use switchboard_core::{
    Clustering, Config, Denied, DrainReport, History, Identity, Rates, Request, RoomRule, Rooms,
};
use switchboard_runtime::{Application, Hub};

/// A room with a limit over all nodes.
pub(crate) const HALL: &str = "hall";
/// Its seats.
pub(crate) const SEATS: u32 = 4;

const RUNTIME: &str = "SWITCHBOARD_NODE_RUNTIME";
const URL: &str = "SWITCHBOARD_NODE_URL";
const NAME: &str = "SWITCHBOARD_NODE_NAME";

/// A running node, which is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    orders: ChildStdin,
    /// Kept, because a process cannot end well whose output nobody takes.
    _output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(runtime: &str, url: &str, name: &str) -> Self {
        let program = env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--exact", "process::a_node", "--nocapture"])
            .envs([(RUNTIME, runtime), (URL, url), (NAME, name)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let orders = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let address = output.by_ref().lines().find_map(|line| {
            let line = line.expect("text");
            let (_, address) = line.split_once("listening on ")?;
            Some(address.parse().expect("an address"))
        });
        Self {
            child,
            orders,
            _output: output,
            address: address.expect("the node starts"),
        }
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops the process, or lets it go on.
    pub(crate) fn pause(&self, paused: bool) {
        let signal = if paused { "-STOP" } else { "-CONT" };
        let process = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &process]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Lets its clients go, and waits for its end.
    pub(crate) fn drain(&mut self) {
        writeln!(self.orders, "drain").expect("a live node");
        let status = self.child.wait().expect("an end");
        assert!(status.success(), "a node ends with {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Open;

impl Application for Open {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        let token = request.token().ok_or(Denied::Unauthorized)?;
        Ok(Identity::user(token.reveal()))
    }
}

fn config(url: String, name: String) -> Config {
    Config {
        rooms: Rooms::Open,
        rates: Rates::unlimited(),
        history: History {
            messages: 10_000,
            bytes: 10 << 20,
            ..History::default()
        },
        room_rules: vec![RoomRule {
            prefix: HALL.into(),
            members_total: Some(SEATS),
            ..RoomRule::default()
        }],
        cluster: Some(Clustering {
            url,
            node: name,
            ..Clustering::default()
        }),
        ..Config::default()
    }
}

/// Drains the hub when it is told to.
fn obey(hub: &Hub, address: SocketAddr, drain: impl FnOnce(Hub) -> DrainReport) {
    println!("listening on {address}");
    let mut order = String::new();
    let read = io::stdin().read_line(&mut order).expect("text");
    if read > 0 {
        let report = drain(hub.clone());
        eprintln!("{report:?}");
        assert_eq!(hub.audit(), Ok(()));
    }
}

const WINDOW: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(10);

fn on_tokio(config: Config) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let hub = Hub::new(config, Open).expect("a valid configuration");
    let hub = hub.spawn_on(runtime.handle().clone());
    let serving = switchboard_tokio::serve(listener, hub.clone());
    runtime.spawn(async move { drop(serving.await) });
    obey(&hub, address, |hub| {
        runtime.block_on(hub.drain(WINDOW, DEADLINE))
    });
}

fn on_smol(config: Config) {
    let listener = smol::block_on(smol::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let executor = std::sync::Arc::new(smol::Executor::new());
    let hub = Hub::new(config, Open).expect("a valid configuration");
    let hub = hub.spawn_on(switchboard_smol::Executor::new(executor.clone(), 1));
    let serving = switchboard_smol::serve(listener, hub.clone());
    executor.spawn(async move { drop(serving.await) }).detach();
    let runs = executor.clone();
    thread::spawn(move || smol::block_on(runs.run(std::future::pending::<()>())));
    obey(&hub, address, |hub| {
        smol::block_on(hub.drain(WINDOW, DEADLINE))
    });
}

/// Other tests run this in processes of their own.
#[test]
fn a_node() {
    let Ok(runtime) = env::var(RUNTIME) else {
        return;
    };
    let of = |name| env::var(name).expect("set with the runtime");
    let config = config(of(URL), of(NAME));
    match &*runtime {
        "tokio" => on_tokio(config),
        _ => on_smol(config),
    }
}
