//! The part of a node's configuration that the state machine of the cluster needs.

use std::time::Duration;

use super::Config;
use super::cluster::Clustering;
use super::rooms::{self, RoomRule};
use super::settings::RoomSettings;
use super::users::UserPolicy;
use crate::cluster::{
    ClusterConfig, Keep, LeaseTimes, LinkTimes, LoginTerms, Order, Retention, RoomTerms,
};

/// Messages of a room that the broker keeps at least, so that holes can be filled.
const LEAST: usize = 100;

impl Config {
    /// Returns the settings of the machine. Its node's name has a random part, from `seed`.
    pub(crate) fn machine(&self, cluster: &Clustering, seed: u64) -> ClusterConfig {
        let name = match &*cluster.node {
            // Refused by the check.
            "" => String::new(),
            name => format!("{name}-{:08x}", seed as u32),
        };
        ClusterConfig {
            times: LinkTimes {
                connect: cluster.connect,
                answer: cluster.answer,
                idle: cluster.answer / 2,
                hold: cluster.hold,
                ..LinkTimes::default()
            },
            lease: LeaseTimes {
                beat: cluster.beat,
                lease: cluster.lease,
                ..LeaseTimes::default()
            },
            leave_grace: self.longest_grace().max(cluster.lease),
            presence_interval: self.presence.interval,
            logins: self.logins(),
            retention: self.retention(),
            outbox_messages: cluster.outbox_messages,
            outbox_bytes: cluster.outbox_bytes,
            seed,
            ..ClusterConfig::new(&name)
        }
    }

    /// Returns the longest grace period of any room: nodes agree on one for users of nodes that are gone.
    fn longest_grace(&self) -> Duration {
        let rules = self.room_rules.iter();
        let graces = rules.filter_map(|rule| rule.presence.leave_grace);
        graces.fold(self.presence.leave_grace, Duration::max)
    }

    fn logins(&self) -> LoginTerms {
        let (most, keep) = match self.users {
            UserPolicy::Replace => (1, Keep::Newest),
            UserPolicy::Reject => (1, Keep::Oldest),
            UserPolicy::Allow(most) => (u32::try_from(most).unwrap_or(u32::MAX), Keep::Newest),
        };
        LoginTerms {
            most,
            keep,
            ..LoginTerms::default()
        }
    }

    /// Returns what the broker keeps of rooms: as much as the room that keeps the most.
    fn retention(&self) -> Retention {
        let rules = self.room_rules.iter().map(Some).chain([None]);
        let all = rules.map(|rule: Option<&RoomRule>| self.under(rule).history);
        let (mut messages, mut log) = (LEAST, Duration::from_secs(60));
        for history in all.filter(|history| history.messages > 0) {
            messages = messages.max(history.messages);
            log = log.max(history.age);
        }
        Retention {
            messages: u32::try_from(messages).unwrap_or(u32::MAX),
            log,
            numbers: log * 2,
        }
    }
}

impl RoomSettings {
    /// Returns the settings of a room that the state machine needs.
    pub(crate) fn terms(&self) -> RoomTerms {
        RoomTerms {
            order: self.order,
            when_down: self.when_down,
            presence: self.presence.enabled,
            keys: match self.keep {
                rooms::Keep::Latest { keys } => u32::try_from(keys).unwrap_or(u32::MAX),
                rooms::Keep::History => 0,
            },
        }
    }

    /// Returns whether the broker keeps the room's messages.
    pub(crate) fn has_log(&self) -> bool {
        self.order == Order::Total
    }
}
