//! Systems of two nodes over one Redis: how fast they are, and what they lose under faults.

mod loss;
mod nodes;
mod options;
mod report;
mod speed;
mod system;
mod workload;

use std::env;
use std::io;
use std::path::Path;

use self::nodes::Setting;
pub(crate) use self::options::ClusterOptions;
use self::report::Results;
use self::system::System;
use crate::machine::{Machine, be_nice, pin, raise_open_files};
use crate::server::Place;

/// Measures everything; returns whether our systems lost nothing silently.
pub(crate) fn compare(options: &ClusterOptions) -> io::Result<bool> {
    let place = Place::find(None)?;
    raise_open_files();
    let (mut systems, mut missing) = (Vec::new(), Vec::new());
    for system in options.systems() {
        match system.provide(&place) {
            Ok(()) => systems.push(system),
            Err(error) => missing.push(format!("{system}: {error}")),
        }
    }
    for line in &missing {
        eprintln!("left out: {line}");
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let results = Results {
        machine: Machine::this(),
        command: format!(
            "cargo run --release -p switchboard-bench -- {}",
            arguments.join(" ")
        ),
        missing,
        ..Results::default()
    };
    be_nice(options.shared.nice)?;
    pin(&[options.shared.cpus().load])?;
    let results = measure(options, &place, &systems, results)?;
    results.print();
    println!("\nwritten to {}", options.shared.out().display());
    Ok(results.ours_are_clean())
}

fn measure(
    options: &ClusterOptions,
    place: &Place,
    systems: &[System],
    mut results: Results,
) -> io::Result<Results> {
    let shared = &options.shared;
    let setting = |round| Setting {
        place,
        cpus: shared.cpus(),
        round,
    };
    let times = (shared.pick(0.2, 0.5), shared.time());
    for workload in options.workloads() {
        for round in 0..options.rounds() {
            for run in speed::measure(&setting(round), workload, systems, times) {
                report::tell_run(&run);
                results.speed.push(run);
            }
        }
        // Written after each part, so that a later failure loses nothing.
        results.write(&shared.out())?;
    }
    for fault in options.faults() {
        for round in 0..options.fault_rounds() {
            for &system in systems {
                let verdict = loss::measure(&setting(round), system, fault);
                report::tell_verdict(&verdict);
                results.loss.push(verdict);
            }
        }
        results.write(&shared.out())?;
    }
    Ok(results)
}

/// Regenerates the page from the results in this directory, if there are any; returns whether our
/// systems lost nothing silently.
pub(crate) fn report(out: &Path) -> io::Result<bool> {
    let Some(results) = Results::read(out)? else {
        return Ok(true);
    };
    results.print();
    results.write(out)?;
    Ok(results.ours_are_clean())
}
