//! A server under test.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::logs;
use super::peer::{PATIENCE, Peer};
use crate::rt::{
    self, Application, Config, DrainReport, Hub, PageResponse, Rates, Request, Stats, Wire,
    operations,
};

/// Returns a configuration without the protocol and without rate limits.
pub(crate) fn raw() -> Config {
    Config {
        wire: Wire::Raw,
        rates: Rates::unlimited(),
        ..Config::default()
    }
}

/// Makes the times that a test leaves at their defaults so long that a busy machine does not reach them, and no
/// ping comes as an unexpected frame.
fn patient(mut config: Config) -> Config {
    let (usual, times) = (Config::default(), &mut config.timeouts);
    for (time, usual) in [
        (&mut times.handshake, usual.timeouts.handshake),
        (&mut times.hook, usual.timeouts.hook),
        (&mut times.auth, usual.timeouts.auth),
        (&mut times.message, usual.timeouts.message),
        (&mut times.write_stall, usual.timeouts.write_stall),
        (&mut config.health.ping_interval, usual.health.ping_interval),
        (&mut config.health.ping_timeout, usual.health.ping_timeout),
    ] {
        if *time == usual {
            *time = Duration::from_secs(3_600);
        }
    }
    config
}

/// On the loopback.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

type PageFuture = Pin<Box<dyn Future<Output = PageResponse> + Send>>;
type Pages = Box<dyn Fn(&Hub, Request) -> PageFuture + Send + Sync>;

/// A hub that serves a new port on a new runtime.
pub(crate) struct Server {
    pub(crate) hub: Hub,
    pub(crate) address: SocketAddr,
    pub(crate) runtime: rt::Runtime,
    report: Arc<OnceLock<DrainReport>>,
}

impl Server {
    pub(crate) fn start(config: Config, application: impl Application) -> Self {
        Self::with_threads(1, config, application)
    }

    pub(crate) fn with_threads(
        threads: usize,
        config: Config,
        application: impl Application,
    ) -> Self {
        Self::serve(ANY_PORT, threads, config, application, None)
    }

    pub(crate) fn with_pages(
        config: Config,
        application: impl Application,
        pages: fn(Request) -> PageFuture,
    ) -> Self {
        let pages: Pages = Box::new(move |_, request| pages(request));
        Self::serve(ANY_PORT, 1, config, application, Some(pages))
    }

    /// Answers with the pages for operators, and else with 404.
    pub(crate) fn with_operations(config: Config, application: impl Application) -> Self {
        let pages: Pages = Box::new(|hub, request| {
            let page = operations::page(&request, || hub.stats());
            let page = page.unwrap_or_else(|| PageResponse::text(404, "no such path\n"));
            Box::pin(std::future::ready(page))
        });
        Self::serve(ANY_PORT, 1, config, application, Some(pages))
    }

    /// Starts at an address that an earlier server has left.
    pub(crate) fn start_at(
        address: SocketAddr,
        config: Config,
        application: impl Application,
    ) -> Self {
        Self::serve(address, 1, config, application, None)
    }

    fn serve(
        address: SocketAddr,
        threads: usize,
        config: Config,
        application: impl Application,
        pages: Option<Pages>,
    ) -> Self {
        logs::capture();
        let config = patient(config);
        let runtime = rt::Runtime::new(threads);
        let hub = Hub::new(config, application)
            .expect("a configuration")
            .spawn_on(runtime.executor());
        let listener = runtime.run(rt::bind_to(address));
        let address = listener.local_addr().expect("an address");
        let report = Arc::new(OnceLock::new());
        let served = report.clone();
        let (serve, its_hub) = (rt::serve(listener, hub.clone()), hub.clone());
        runtime.spawn(async move {
            let report = match pages {
                Some(pages) => {
                    serve
                        .with_pages(move |request| pages(&its_hub, request))
                        .await
                }
                None => serve.await,
            };
            let _ = served.set(report.expect("a report"));
        });
        Self {
            hub,
            address,
            runtime,
            report,
        }
    }

    /// Returns the result of `serve`, if it has returned.
    pub(crate) fn report(&self) -> Option<DrainReport> {
        self.report.get().copied()
    }

    /// Opens a stream without a request.
    pub(crate) fn tcp(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// Opens an upgraded connection.
    pub(crate) fn client(&self, path: &str) -> Peer {
        self.tcp().upgrade(path, &[])
    }

    /// Opens a connection under the JSON protocol, and reads `welcome`.
    pub(crate) fn member(&self, path: &str) -> Peer {
        let mut peer = self.client(path);
        peer.expect("welcome");
        if path.trim_start_matches("/ws").starts_with('/') {
            peer.expect("subscribed");
        }
        peer
    }

    /// Opens a connection of this user in this lobby (`""`: none).
    pub(crate) fn user(&self, name: &str, lobby: &str) -> Peer {
        let slash = if lobby.is_empty() { "" } else { "/" };
        self.member(&format!("/ws{slash}{lobby}?token=s3cr3t-{name}"))
    }

    /// Waits for a state of the statistics.
    pub(crate) fn until(&self, what: &str, so: impl Fn(&Stats) -> bool) {
        until(what, || so(&self.hub.stats()), || self.hub.stats());
    }

    /// Waits for this many connections.
    pub(crate) fn until_connected(&self, count: usize) {
        let what = format!("{count} connections");
        self.until(&what, |stats| stats.total_connections == count);
    }

    /// Waits until every seat is returned, then checks the counts again.
    pub(crate) fn until_empty(&self) {
        self.until("everybody has left", |stats| {
            let counts = [
                stats.total_connections,
                stats.pending_handshakes,
                stats.closing,
                stats.users,
                stats.active_rooms,
                stats.active_lobbies,
                stats.queued_bytes,
            ];
            counts == [0; 7]
        });
        self.audit();
    }

    /// Returns how many connections were closed for this reason.
    pub(crate) fn closes(&self, reason: &str) -> u64 {
        count(&self.hub.stats().closes, reason)
    }

    pub(crate) fn until_closed(&self, reason: &str, times: u64) {
        let what = format!("{times} closed for {reason}");
        self.until(&what, |stats| count(&stats.closes, reason) == times);
    }

    pub(crate) fn refused(&self, reason: &str) -> u64 {
        count(&self.hub.stats().refused, reason)
    }

    pub(crate) fn audit(&self) {
        assert_eq!(self.hub.audit(), Ok(()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.audit();
            logs::check();
        }
    }
}

fn count(counters: &std::collections::BTreeMap<&'static str, u64>, key: &str) -> u64 {
    counters.get(key).copied().unwrap_or_default()
}

/// Waits for a condition; on timeout, panics with the current state.
pub(crate) fn until<T: std::fmt::Debug>(
    what: &str,
    so: impl Fn() -> bool,
    instead: impl Fn() -> T,
) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "{what}: {:#?}", instead());
        thread::sleep(Duration::from_millis(2));
    }
}
