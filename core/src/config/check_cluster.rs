//! Validation of how a node takes part in a cluster.

use super::Config;
use super::check::{LONGER, POSITIVE, YEAR};
use super::cluster::Clustering;
use super::error::ConfigError;
use crate::cluster::BadClusterConfig;

impl Config {
    pub(super) fn check_cluster(&self) -> Result<(), ConfigError> {
        let Some(cluster) = &self.cluster else {
            return Ok(());
        };
        for (field, time) in [
            ("cluster.lease", cluster.lease),
            ("cluster.beat", cluster.beat),
            ("cluster.hold", cluster.hold),
            ("cluster.answer", cluster.answer),
            ("cluster.connect", cluster.connect),
        ] {
            if time.is_zero() || time > YEAR {
                return wrong(field, &time.as_secs_f64(), LONGER);
            }
        }
        for (field, value) in [
            ("cluster.outbox_messages", cluster.outbox_messages),
            ("cluster.outbox_bytes", cluster.outbox_bytes),
        ] {
            if value == 0 {
                return wrong(field, &value, POSITIVE);
            }
        }
        check_prefix(cluster)?;
        let machine = self.machine(cluster, 0);
        machine.check().map_err(|bad| named(bad, cluster))
    }
}

fn check_prefix(cluster: &Clustering) -> Result<(), ConfigError> {
    let prefix = &cluster.prefix;
    let is_plain = |letter: char| !letter.is_control() && !"{} ".contains(letter);
    if prefix.is_empty() || !prefix.chars().all(is_plain) {
        let told = "must be a word without braces";
        return wrong("cluster.prefix", prefix, told);
    }
    Ok(())
}

fn named(bad: BadClusterConfig, cluster: &Clustering) -> ConfigError {
    let seconds = |field, time: std::time::Duration, rule| ConfigError {
        field,
        value: time.as_secs_f64().to_string(),
        rule,
    };
    match bad {
        BadClusterConfig::Beat => seconds(
            "cluster.beat",
            cluster.beat,
            "must be at most a third of cluster.lease",
        ),
        BadClusterConfig::Answer => seconds(
            "cluster.answer",
            cluster.answer,
            "must be less than cluster.hold",
        ),
        BadClusterConfig::Hold => seconds(
            "cluster.hold",
            cluster.hold,
            "must be less than cluster.lease",
        ),
        _ => ConfigError {
            field: "cluster.node",
            value: cluster.node.clone(),
            rule: "must not be empty, and must not have control characters",
        },
    }
}

fn wrong(
    field: &'static str,
    value: &dyn std::fmt::Display,
    rule: &'static str,
) -> Result<(), ConfigError> {
    Err(ConfigError {
        field,
        value: value.to_string(),
        rule,
    })
}
