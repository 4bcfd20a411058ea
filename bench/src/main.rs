//! Measures the speed and memory of Switchboard and its peers: `cargo run --release -p
//! switchboard-bench`.

mod bystander;
mod cluster;
mod columns;
mod in_turn;
mod load;
mod machine;
mod measure;
mod meter;
mod options;
mod recoveries;
mod report;
mod scale;
mod server;
mod shared_options;
mod socket_io;
mod wire;
mod workload;

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Builder;

use self::in_turn::measure_in_turn;
use self::machine::{Machine, be_nice, pin, raise_open_files};
use self::measure::{Run, Setting, measure};
use self::options::{Action, Compare, Options};
use self::report::Results;
use self::server::{Builtin, Place, axum, floor, raw, tungstenite};

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.command {
        Some(Action::Serve {
            which,
            ping_interval,
            listen,
            redis,
        }) => serve(*which, *ping_interval, *listen, redis.as_deref()).map(|()| true),
        Some(Action::Cluster(options)) => cluster::compare(options),
        Some(Action::Report) => report(&options.compare),
        None => compare(&options.compare),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("switchboard-bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(
    which: Builtin,
    ping: Duration,
    listen: SocketAddr,
    redis: Option<&str>,
) -> io::Result<()> {
    raise_open_files();
    let listener = TcpListener::bind(listen)?;
    println!("listening on {}", listener.local_addr()?);
    if let Builtin::Floor | Builtin::FloorPresence | Builtin::FloorSpread = which {
        let extras = floor::Extras {
            presence: which == Builtin::FloorPresence,
            beats: if which == Builtin::FloorSpread { 64 } else { 1 },
        };
        return floor::serve(&listener, ping, extras);
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match which {
            Builtin::Floor | Builtin::FloorPresence | Builtin::FloorSpread => Ok(()),
            Builtin::Raw => raw::serve(listener, ping).await,
            Builtin::RawInAxum => raw::serve_in_axum(listener, ping).await,
            Builtin::Tungstenite => tungstenite::serve(listener, ping, redis).await,
            Builtin::Axum => axum::serve(listener, ping).await,
        }
    })
}

fn report(compare: &Compare) -> io::Result<bool> {
    let out = compare.shared.out();
    let results = Results::read(&out)?;
    results.print();
    results.write(&out)?;
    Ok(results.ours_are_clean() & cluster::report(&out)?)
}

/// Measures everything; returns whether our servers lost nothing.
fn compare(compare: &Compare) -> io::Result<bool> {
    let (mut scale, place) = (compare.scale(), Place::find(compare.baseline.clone())?);
    let files = usize::try_from(raise_open_files()).unwrap_or(usize::MAX);
    if scale.idle + 200 > files {
        scale.idle = files - 200;
        eprintln!(
            "only {} connections at rest, because the limit of open files is {files}",
            scale.idle
        );
    }
    let (servers, missing) = place.prepare(&compare.servers());
    for line in &missing {
        eprintln!("left out: {line}");
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut results = Results {
        machine: Machine::this(),
        command: format!(
            "cargo run --release -p switchboard-bench -- {}",
            arguments.join(" ")
        ),
        missing,
        runs: Vec::new(),
    };
    be_nice(compare.shared.nice)?;
    pin(&[compare.shared.cpus().load])?;
    for workload in compare.workloads() {
        let mut servers = servers.clone();
        if compare.servers.is_empty() {
            servers.retain(|&server| workload.is_usual_for(server));
        }
        for round in 0..workload.rounds(scale.rounds) {
            let setting = Setting {
                place: &place,
                workload,
                scale,
                cpus: compare.shared.cpus(),
                round,
            };
            let mut tell = |run: Run| {
                Results::tell(&run, workload);
                results.runs.push(run);
            };
            match workload.paced_in_turn() {
                Some(speed) if workload.connections() * servers.len() + 200 < files => {
                    measure_in_turn(&setting, &servers, speed)
                        .into_iter()
                        .for_each(tell);
                }
                _ => servers
                    .iter()
                    .for_each(|&server| tell(measure(&setting, server))),
            }
        }
        // Written after each workload, so that a later failure loses nothing.
        results.write(&compare.shared.out())?;
    }
    results.print();
    println!("\nwritten to {}", compare.shared.out().display());
    Ok(results.ours_are_clean())
}
