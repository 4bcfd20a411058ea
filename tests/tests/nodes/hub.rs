//! A node of a cluster: a hub on a port of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use switchboard_core::{
    Clustering, Config, Denied, Direct, History, Identity, Notice, Rates, Request, Rooms, Token,
};
use switchboard_runtime::http_api::{ApiRequest, HttpApi};
use switchboard_runtime::{Application, Hub};
use switchboard_tests::redis::Server;

use crate::serving::Serve;

/// The room of most tests.
pub(crate) const ROOM: &str = "lobby";

/// A node, which ends without a word when it is dropped.
pub(crate) struct Node<H> {
    pub(crate) hub: Hub,
    pub(crate) address: SocketAddr,
    pub(crate) host: H,
    pub(crate) cuts: Arc<AtomicUsize>,
}

struct Open {
    /// How often the broker was away.
    cuts: Arc<AtomicUsize>,
}

impl Application for Open {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        let token = request.token().ok_or(Denied::Unauthorized)?;
        Ok(Identity::user(token.reveal()))
    }

    fn on_notice(&self, notice: &Notice) {
        if let Notice::Cluster { up: false } = notice {
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The configuration of a node of this name.
pub(crate) fn config(server: &Server, name: &str) -> Config {
    Config {
        rooms: Rooms::Open,
        direct: Direct::Open,
        rates: Rates::unlimited(),
        history: History {
            messages: 100,
            on_join_max: 100,
            ..History::default()
        },
        cluster: Some(Clustering {
            url: format!("redis://{}", server.address),
            node: name.into(),
            ..Clustering::default()
        }),
        ..Config::default()
    }
}

/// Calls a method of the HTTP API of a hub. Returns the status and the body of the answer.
pub(crate) fn call_api(hub: &Hub, method: &str, body: &Value) -> (u16, Value) {
    const KEY: &str = "a-key";
    let api = HttpApi::new(hub.clone(), Token::new(KEY));
    let header = |name: &'static str| match name {
        "X-API-Key" => Some(KEY),
        _ => Some("application/json"),
    };
    let path = format!("/api/{method}");
    let request = ApiRequest::new("POST", &path, header);
    let answer = api.answer(&request, body.to_string().as_bytes());
    let body = serde_json::from_slice(&answer.body).expect("JSON");
    (answer.status, body)
}

impl<H: Serve> Node<H> {
    pub(crate) fn start(config: Config) -> Self {
        let cuts = Arc::new(AtomicUsize::new(0));
        let application = Open { cuts: cuts.clone() };
        let hub = Hub::new(config, application).expect("a valid configuration");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let host = H::start();
        host.serve(hub.clone(), listener);
        Self {
            hub,
            address,
            host,
            cuts,
        }
    }

    /// Starts nodes that know each other.
    pub(crate) fn start_all(configs: Vec<Config>) -> Vec<Self> {
        let count = configs.len() as u64;
        let nodes: Vec<Self> = configs.into_iter().map(Self::start).collect();
        for node in &nodes {
            node.until("nodes", |stats| stats.up && stats.nodes == count);
        }
        nodes
    }

    /// Starts two nodes that know each other.
    pub(crate) fn pair(server: &Server) -> [Self; 2] {
        let configs = ["a", "b"].map(|name| config(server, name));
        let nodes = Self::start_all(configs.into());
        nodes.try_into().unwrap_or_else(|_| panic!("two nodes"))
    }

    /// Waits until this holds of what the node knows of its cluster.
    pub(crate) fn until(
        &self,
        what: &str,
        look: impl Fn(&switchboard_core::cluster::ClusterStats) -> bool,
    ) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let stats = self.hub.cluster_stats().expect("a node of a cluster");
            if look(&stats) {
                return;
            }
            assert!(Instant::now() < deadline, "no {what}: {stats:?}");
            thread::yield_now();
        }
    }
}
