//! The options of the comparison.

use clap::{Args, ValueEnum};

use super::loss::Fault;
use super::system::System;
use super::workload::Workload;
use crate::shared_options::Shared;

#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterOptions {
    #[command(flatten)]
    pub(super) shared: Shared,
    /// Systems [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    systems: Vec<System>,
    /// Workloads for speed [default: all, or none if there are faults]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    workloads: Vec<Workload>,
    /// Faults [default: all, or none if there are workloads]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    faults: Vec<Fault>,
    /// Rounds of each workload [default: 5, or 1 with --quick]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Rounds of each fault
    #[arg(long, value_name = "N", default_value = "1")]
    fault_rounds: usize,
}

impl ClusterOptions {
    pub(super) fn systems(&self) -> Vec<System> {
        chosen(&self.systems, true)
    }

    pub(super) fn workloads(&self) -> Vec<Workload> {
        chosen(&self.workloads, self.faults.is_empty())
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        chosen(&self.faults, self.workloads.is_empty())
    }

    pub(super) fn rounds(&self) -> usize {
        let usual = if self.shared.quick { 1 } else { 5 };
        self.rounds.unwrap_or(usual).clamp(1, 100)
    }

    pub(super) fn fault_rounds(&self) -> usize {
        self.fault_rounds.clamp(1, 100)
    }
}

/// Returns those that are named, or all if none is and that is usual.
fn chosen<T: ValueEnum + Clone>(named: &[T], all_is_usual: bool) -> Vec<T> {
    if named.is_empty() && all_is_usual {
        T::value_variants().to_vec()
    } else {
        named.to_vec()
    }
}
