//! The workloads for speed.

use std::fmt;

use clap::ValueEnum;

use crate::load::Pace;

/// A room on two nodes, and who publishes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Workload {
    /// A room of 1 000 on two nodes, a publisher on each with 16 messages in flight
    #[value(name = "room-1000-16")]
    Room16,
    /// A room of 1 000 on two nodes, 20 messages a second at a fixed pace
    #[value(name = "room-1000-paced")]
    RoomPaced,
    /// A room of one member on each of two nodes, both with 64 messages in flight
    #[value(name = "room-2-64")]
    Pair64,
    /// A room of one member on each of two nodes, 500 messages a second at a fixed pace
    #[value(name = "room-2-paced")]
    PairPaced,
}

/// What a goal refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    pub(super) key: &'static str,
    pub(super) most: f64,
}

impl Workload {
    pub(super) const fn members(self) -> usize {
        match self {
            Self::Room16 | Self::RoomPaced => 1_000,
            Self::Pair64 | Self::PairPaced => 2,
        }
    }

    pub(super) const fn pace(self) -> Pace {
        match self {
            Self::Room16 => Pace::Closed(16),
            Self::RoomPaced => Pace::Open(20.0),
            Self::Pair64 => Pace::Closed(64),
            Self::PairPaced => Pace::Open(500.0),
        }
    }

    pub(super) const fn goal(self) -> Option<Goal> {
        match self {
            Self::Pair64 => Some(Goal {
                key: "node_us",
                most: 8.0,
            }),
            Self::PairPaced => Some(Goal {
                key: "p50_us",
                most: 400.0,
            }),
            _ => None,
        }
    }

    pub(super) fn title(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
