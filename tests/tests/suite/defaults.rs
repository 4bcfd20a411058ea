//! A hub without an explicit runtime, and the application's notices when the wire is raw.

use std::sync::Arc;
use std::time::Duration;

use super::app::{Log, Plain, identify};
use super::peer::Peer;
use super::server::{Server, until};
use crate::rt::{
    self, Application, CloseReason, Clustering, Config, Connection, Denied, Hub, Identity, Limits,
    Notice, Presence, Request, Wire,
};

#[test]
fn a_hub_runs_where_it_is_served() {
    let runtime = rt::Runtime::new(1);
    let hub = Hub::new(Config::default(), Plain::default()).expect("a configuration");
    let serving = hub.clone();
    let address = runtime.run(async move {
        let listener = rt::bind().await;
        let address = listener.local_addr().expect("an address");
        rt::spawn_here(async move {
            let _ = rt::serve(listener, serving).await;
        });
        address
    });
    let mut ann = Peer::connect(address).upgrade("/ws/blue?token=s3cr3t-ann", &[]);
    ann.expect("welcome");
    ann.roundtrip();
    ann.leave();
    let stats = || hub.stats();
    until(
        "it is empty",
        || stats().total_connections + stats().closing == 0,
        stats,
    );
}

#[test]
fn an_inconsistent_configuration_is_named() {
    let config = Config {
        limits: Limits {
            per_ip: 0,
            ..Limits::default()
        },
        ..Config::default()
    };
    let error = Hub::new(config, Plain::default()).expect_err("a limit of zero is rejected");
    assert_eq!(error.field, "limits.per_ip");
}

/// Records the notices about the node.
struct Notices(Log);

impl Application for Notices {
    async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
        identify(request).unwrap_or(Ok(Identity::Anonymous))
    }

    async fn on_disconnect(&self, client: &Connection, _: &[Arc<str>], _: CloseReason) {
        self.0.add(format!("disconnect {}", client.user()));
    }

    fn on_notice(&self, notice: &Notice) {
        match notice {
            Notice::Opened { user, .. } => self.0.add(format!("opened {user}")),
            Notice::Refused { refused, .. } => self.0.add(format!("refused {refused}")),
            Notice::Presence {
                room,
                count,
                joined,
                left,
            } => {
                let (joined, left) = (joined.join(","), left.join(","));
                self.0
                    .add(format!("presence {room} {count} +{joined} -{left}"));
            }
            Notice::NearLimit { limit, percent } => self.0.add(format!("{limit} {percent}")),
            _ => {}
        }
    }
}

#[test]
fn the_application_is_told_what_raw_clients_are_not() {
    let log = Log::default();
    let config = Config {
        wire: Wire::Raw,
        limits: Limits {
            connections: 2,
            ..Limits::default()
        },
        presence: Presence {
            leave_grace: Duration::from_millis(20),
            interval: Duration::from_millis(20),
            ..Presence::default()
        },
        ..Config::default()
    };
    let server = Server::start(config, Notices(log.clone()));
    let ann = server.client("/ws/blue?token=s3cr3t-ann");
    log.until_has("presence blue 1 +ann -");
    let mut ben = server.client("/ws/blue?token=s3cr3t-ben");
    log.until_has("presence blue 2 +ben -");
    log.until_has("limits.connections 100");
    server.client("/ws/blue?token=s3cr3t-cat").closed(4002);
    log.until_has("refused server_full");
    ann.leave();
    log.until_has("presence blue 1 + -ann");
    // None of the sends arrived: the first frame is the Close.
    server.hub.disconnect_user("ben", CloseReason::Kicked);
    assert_eq!(ben.try_frame().expect("a Close").first, 0x88);
    assert_eq!(log.count("opened"), 2);
}

#[test]
fn tls_with_redis_is_refused_at_once_whatever_the_features() {
    for url in ["rediss://127.0.0.1", "rediss+sentinel://127.0.0.1/name"] {
        let cluster = Some(Clustering {
            url: url.into(),
            ..Clustering::default()
        });
        let config = Config {
            cluster,
            ..Config::default()
        };
        let told = Hub::new(config, Plain::default())
            .expect_err(url)
            .to_string();
        assert!(
            told.starts_with("cluster.url = …: ") && told.contains("use redis://"),
            "{told}"
        );
    }
}
