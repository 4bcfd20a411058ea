//! The flags of a chat that is one of several nodes.

use clap::{Args, ValueEnum};
use switchboard_core::{Clustering, Order, WhenDown};

#[derive(Debug, Args)]
pub(super) struct ClusterOptions {
    /// URL of the Redis that joins several nodes, such as `redis://127.0.0.1:6379` [default: one node]
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Name of this node among several; needs --redis [default: node]
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Order of a room's messages: one on all nodes, or each node's own at once; needs --redis
    /// [default: total]
    #[arg(long, value_enum)]
    order: Option<RoomOrder>,
    /// What rooms do while Redis is away: go on alone, or refuse; needs --redis [default: alone]
    #[arg(long, value_enum)]
    when_down: Option<Down>,
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
    /// Checks that no flag is without effect.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.redis.is_some() {
            return Ok(());
        }
        let given = [
            ("--node", self.node.is_some()),
            ("--order", self.order.is_some()),
            ("--when-down", self.when_down.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(format!(
                "{flag}: needs --redis, the URL of what joins several nodes"
            )),
            None => Ok(()),
        }
    }

    /// Returns how the node takes part in a cluster, if it does.
    pub(super) fn clustering(&self) -> Option<Clustering> {
        let url = self.redis.clone()?;
        let defaults = Clustering::default();
        Some(Clustering {
            url,
            node: self.node.clone().unwrap_or(defaults.node),
            order: match self.order {
                None => defaults.order,
                Some(RoomOrder::Total) => Order::Total,
                Some(RoomOrder::Local) => Order::Local,
            },
            when_down: match self.when_down {
                None => defaults.when_down,
                Some(Down::Alone) => WhenDown::Alone,
                Some(Down::Refuse) => WhenDown::Refuse,
            },
            ..defaults
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        cluster: ClusterOptions,
    }

    fn flags(given: &[&str]) -> ClusterOptions {
        let all = ["chat"].iter().chain(given);
        Flags::try_parse_from(all).expect("flags").cluster
    }

    #[test]
    fn what_is_about_several_nodes_needs_their_redis() {
        const REDIS: [&str; 2] = ["--redis", "redis://127.0.0.1"];
        for given in [
            ["--node", "node"],
            ["--order", "total"],
            ["--when-down", "refuse"],
        ] {
            let told = flags(&given).check().expect_err("an error");
            assert!(
                told.starts_with(&format!("{}: needs --redis", given[0])),
                "{told}"
            );
            assert_eq!(flags(&[given, REDIS].concat()).check(), Ok(()));
        }
        assert_eq!(flags(&[]).check(), Ok(()));
        assert_eq!(flags(&[]).clustering(), None);
        assert_eq!(flags(&REDIS).clustering().expect("a node").node, "node");
    }
}
