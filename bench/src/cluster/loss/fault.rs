//! The faults.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use clap::ValueEnum;
use switchboard_tests::proxy::{Proxy, Way};
use tokio::sync::watch;
use tokio::time::sleep;

use super::member::Orders;
use crate::cluster::nodes::Cluster;

/// How long a link is cut: for longer than what nodes wait before they do without Redis, or not.
const CUT: Duration = Duration::from_secs(2);
const SHORT_CUT: Duration = Duration::from_secs(1);
/// How long Redis is away when it restarts.
const RESTART: Duration = Duration::from_millis(500);
/// Between two times that all connections are killed.
const KILLS: Duration = Duration::from_millis(700);
/// How long a node hears nothing before Redis cuts it off.
const DEAF: Duration = Duration::from_secs(1);

/// What happens while messages are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// Nothing
    None,
    /// The link between a node and Redis is cut for 1 s
    LinkCutShort,
    /// The link between a node and Redis is cut for 2 s
    LinkCut,
    /// Redis is killed, and comes back after 0.5 s without data
    RedisRestart,
    /// A node is killed, and its clients go to the other one
    NodeKilled,
    /// Redis ends all connections (CLIENT KILL), three times
    ConnectionsKilled,
    /// A node takes nothing from Redis for 1 s, and is cut off by Redis with what waits for it
    SlowSubscriber,
    /// Every third client loses its connection, and comes back after 2 s
    ClientsReturn,
}

impl Fault {
    pub(super) async fn strike(
        self,
        cluster: &mut Cluster,
        orders: &watch::Sender<Orders>,
    ) -> io::Result<()> {
        match self {
            Self::None => {}
            Self::LinkCutShort => cut(&cluster.links[0], SHORT_CUT).await,
            Self::LinkCut => cut(&cluster.links[0], CUT).await,
            Self::RedisRestart => {
                cluster.redis.kill();
                sleep(RESTART).await;
                cluster.redis.restart();
            }
            Self::NodeKilled => cluster.nodes[1].kill(),
            Self::ConnectionsKilled => {
                for _ in 0..3 {
                    kill_connections(cluster.redis.address)?;
                    sleep(KILLS).await;
                }
            }
            Self::SlowSubscriber => {
                cluster.links[1].swallow(Way::In, true);
                sleep(DEAF).await;
                cluster.links[1].cut();
                cluster.links[1].swallow(Way::In, false);
            }
            Self::ClientsReturn => orders.send_modify(|orders| orders.leave = true),
        }
        Ok(())
    }

    pub(in crate::cluster) fn title(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }
}

async fn cut(link: &Proxy, time: Duration) {
    link.refuse(true);
    link.cut();
    sleep(time).await;
    link.refuse(false);
}

fn kill_connections(redis: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(redis)?;
    stream.write_all(b"CLIENT KILL TYPE pubsub\r\nCLIENT KILL TYPE normal\r\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answers = String::new();
    stream.read_to_string(&mut answers)?;
    if answers.lines().any(|line| line.starts_with('-')) {
        return Err(io::Error::other(answers));
    }
    Ok(())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
