//! The flags of a chat that is one of several nodes.

use clap::{Args, ValueEnum};
use switchboard_core::{Clustering, Order, WhenDown};

#[derive(Debug, Args)]
pub(super) struct ClusterOptions {
    /// URL of the Redis that joins several nodes, such as `redis://127.0.0.1:6379` [default: one node]
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Name of this node among several
    #[arg(long, value_name = "NAME", default_value = "node")]
    node: String,
    /// Order of a room's messages: one on all nodes, or each node's own at once
    #[arg(long, value_enum, default_value = "total")]
    order: RoomOrder,
    /// What rooms do while Redis is away: go on alone, or refuse
    #[arg(long, value_enum, default_value = "alone")]
    when_down: Down,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoomOrder {
    Total,
    Local,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Down {
    Alone,
    Refuse,
}

impl ClusterOptions {
    /// Returns how the node takes part in a cluster, if it does.
    pub(super) fn clustering(&self) -> Option<Clustering> {
        Some(Clustering {
            url: self.redis.clone()?,
            node: self.node.clone(),
            order: match self.order {
                RoomOrder::Total => Order::Total,
                RoomOrder::Local => Order::Local,
            },
            when_down: match self.when_down {
                Down::Alone => WhenDown::Alone,
                Down::Refuse => WhenDown::Refuse,
            },
            ..Clustering::default()
        })
    }
}
