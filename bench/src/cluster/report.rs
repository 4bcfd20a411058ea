//! The results as JSON, as tables and as the page `CLUSTER.md`.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::loss::{Fault, Losses, Verdict};
use super::system::System;
use super::workload::Workload;
use crate::columns::Column;
use crate::machine::Machine;
use crate::measure::Run;
use crate::report::page::{head, put_list};
use crate::report::summary::median;
use crate::report::table::{EVEN, grouped, layout_markdown, layout_plain};

const METHOD: &str = "\
Two nodes and one Redis without persistence, all over loopback. The nodes and Redis share one CPU, the
load generator has another.

**Speed.** The members of the room are on both nodes alike, and the first member on each publishes. Every
delivery is checked. In a round all systems are started and loaded in turn, a second each, so that
disturbances of the machine affect all alike; figures are medians over the rounds. CPU time is what the
kernel counts for the process, per published message: of a node (the mean of both), and of Redis.
Latency is measured for every member, from when a message was sent (or was due, at a given pace) to its
arrival. A message is a text of about 100 bytes.

**Losses.** Ten members on each node listen, and one on each publishes 100 messages a second, while a
fault happens. Each node is connected to Redis through a proxy of its own, where links are cut. Clients
come back by themselves, to their own node or else to the other one. The tables count deliveries of one
message to one member:

- *lost*: it never came;
- *silently*: it was lost, its publisher was told that it is published, and the member was not told
  that something may be missing between the message of that publisher before and the one after. A
  member is told by a hole in the numbers, by `gap`, by a position other than its own, or because its
  connection ended and was not recovered. A publisher is told by an error, by `\"local\":true`, or
  because no acknowledgement comes;
- *twice*: it came again;
- *out of order*: it came after a later message of the same publisher;
- *other order*: at this place the member has another order than the first member. Across nodes only
  a system that orders messages has none;
- *refused*: messages of which the publisher was told that they are not published, or on its own
  node only; *unknown*: messages of which it was told nothing;
- *pause*: the longest time in which a member got no message.

**Systems.** All have Nagle's algorithm off and do not compress. Switchboard: the examples `chat` and
`chat-smol` with `--redis`, with presence, logins and limits over the cluster, and a history of 2 000
messages; clients come back with `since` and a session, and send what was not acknowledged again with
`again`. Socket.IO 4: WebSocket only, with `bufferutil`, and ioredis, whose subscriptions survive a
reconnect, as its documentation advises; connection state recovery with the streams adapter, which the
other adapter does not support; clients retry what was not acknowledged (at least once); the server
acknowledges when it has emitted the message. The hand-written hub: a task and a channel for each
connection, one Redis channel for a room, one pipeline of PUBLISH at a time; it subscribes again when
its connection has ended, and acknowledges when Redis has taken the message; clients neither recover
nor retry.
";

const COLUMNS: [Column; 5] = [
    column("node_us", "CPU µs/message and node", 1),
    column("redis_us", "CPU µs/message of Redis", 1),
    column("messages", "messages/s", 0),
    column("p50_us", "p50 µs", 0),
    column("p99_us", "p99 µs", 0),
];

const fn column(key: &'static str, name: &'static str, decimals: usize) -> Column {
    Column {
        key,
        name,
        decimals,
    }
}

type Lines = Vec<Vec<String>>;

/// All results of one invocation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) command: String,
    pub(super) missing: Vec<String>,
    pub(super) speed: Vec<Run>,
    pub(super) loss: Vec<Verdict>,
}

impl Results {
    /// Reads cluster.json, if there is one.
    pub(super) fn read(out: &Path) -> io::Result<Option<Self>> {
        match fs::read(out.join("cluster.json")) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes cluster.json and CLUSTER.md.
    pub(super) fn write(&self, out: &Path) -> io::Result<()> {
        fs::create_dir_all(out)?;
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        fs::write(out.join("cluster.json"), json)?;
        fs::write(out.join("CLUSTER.md"), self.page())
    }

    pub(super) fn print(&self) {
        for (title, lines, remarks) in self.tables() {
            println!("\n{title}");
            print!("{}", layout_plain(&lines));
            for remark in remarks {
                println!("{remark}");
            }
        }
    }

    fn page(&self) -> String {
        let mut out = head("Several nodes", &self.machine, &self.command);
        // Writing to a string cannot fail.
        let _ = write!(out, "\n{METHOD}");
        for (title, lines, remarks) in self.tables() {
            let _ = write!(out, "\n## {title}\n\n{}", layout_markdown(&lines));
            let _ = put_list(&mut out, "\n", &remarks);
        }
        let _ = put_list(&mut out, "\n## Left out\n\n", &self.missing);
        out
    }

    /// Returns the tables, each with its title and what there is to say about it.
    fn tables(&self) -> Vec<(String, Lines, Vec<String>)> {
        let mut tables = Vec::new();
        for workload in Workload::value_variants() {
            let rows = self.rows(*workload);
            if !rows.is_empty() {
                let title = format!("{workload}: {}", workload.title());
                tables.push((title, speed_lines(&rows), remarks(*workload, &rows)));
            }
        }
        let mut sums = Vec::new();
        for fault in Fault::value_variants() {
            let rows = self.sums(|verdict| verdict.fault == fault.to_string());
            if !rows.is_empty() {
                let title = format!("Losses, {fault}: {}", fault.title());
                tables.push((title, loss_lines(&rows), Vec::new()));
                sums.push(*fault);
            }
        }
        if sums.len() > 1 {
            let rows = self.sums(|_| true);
            let title = "Losses in all".to_owned();
            tables.push((title, loss_lines(&rows), Vec::new()));
        }
        tables
    }

    fn rows(&self, workload: Workload) -> Vec<Row> {
        let of = |system: &System| {
            let (workload, name) = (workload.to_string(), system.to_string());
            let runs = self.speed.iter();
            let runs: Vec<&Run> = runs
                .filter(|run| run.workload == workload && run.server == name)
                .collect();
            let figures = COLUMNS.map(|column| {
                let figures = runs.iter().filter_map(|run| run.figures.get(column.key));
                median(figures.copied().collect())
            });
            (!runs.is_empty()).then(|| Row {
                system: *system,
                figures,
                faults: runs.iter().map(|run| run.faults()).sum(),
                error: runs.iter().find_map(|run| run.error.clone()),
            })
        };
        System::value_variants().iter().filter_map(of).collect()
    }

    /// Returns the sums over some of the verdicts, by system.
    fn sums(&self, which: impl Fn(&Verdict) -> bool) -> Vec<(System, Losses, Option<String>)> {
        let of = |system: &System| {
            let name = system.to_string();
            let own = self.loss.iter();
            let own: Vec<&Verdict> = own
                .filter(|verdict| verdict.system == name && which(verdict))
                .collect();
            let mut sum = Losses::default();
            for verdict in &own {
                sum.add(&verdict.losses);
            }
            let error = own.iter().find_map(|verdict| verdict.error.clone());
            (!own.is_empty()).then_some((*system, sum, error))
        };
        System::value_variants().iter().filter_map(of).collect()
    }

    /// Returns whether our systems were measured, and lost nothing silently.
    pub(super) fn ours_are_clean(&self) -> bool {
        let ours = |name: &str| {
            let system = System::from_str(name, false);
            system.is_ok_and(System::is_ours)
        };
        let mut speed = self.speed.iter().filter(|run| ours(&run.server));
        let mut loss = self.loss.iter().filter(|verdict| ours(&verdict.system));
        speed.all(Run::is_clean)
            && loss.all(|verdict| verdict.error.is_none() && verdict.losses.silent == 0)
    }
}

/// The medians of one system.
struct Row {
    system: System,
    figures: [Option<f64>; COLUMNS.len()],
    faults: u64,
    error: Option<String>,
}

fn speed_lines(rows: &[Row]) -> Lines {
    let names = COLUMNS.map(|column| column.name.to_owned());
    let header = [
        vec!["system".to_owned()],
        names.to_vec(),
        vec!["faults".to_owned()],
    ]
    .concat();
    let line = |row: &Row| {
        let mut cells = vec![row.system.to_string()];
        for (column, figure) in COLUMNS.iter().zip(row.figures) {
            cells.push(
                figure.map_or_else(|| "-".to_owned(), |figure| grouped(figure, column.decimals)),
            );
        }
        cells.push(match &row.error {
            Some(error) => format!("failed: {error}"),
            None => row.faults.to_string(),
        });
        cells
    };
    [header].into_iter().chain(rows.iter().map(line)).collect()
}

fn loss_lines(rows: &[(System, Losses, Option<String>)]) -> Lines {
    let header = [
        "system",
        "published",
        "deliveries due",
        "lost",
        "silently",
        "twice",
        "out of order",
        "other order",
        "refused",
        "unknown",
        "pause ms",
    ];
    let header: Vec<String> = header.map(str::to_owned).to_vec();
    let line = |(system, losses, error): &(System, Losses, Option<String>)| {
        let mut cells = vec![system.to_string()];
        if let Some(error) = error {
            cells.resize(header.len() - 1, "-".to_owned());
            cells.push(format!("failed: {error}"));
            return cells;
        }
        let counts = [
            losses.published,
            losses.due,
            losses.lost,
            losses.silent,
            losses.twice,
            losses.disordered,
            losses.differing,
            losses.refused,
            losses.open,
            losses.pause_ms,
        ];
        cells.extend(counts.map(|count| grouped(count as f64, 0)));
        cells
    };
    let rows: Lines = rows.iter().map(line).collect();
    [header].into_iter().chain(rows).collect()
}

/// Returns whether goals are reached, and who is ahead of our systems in which column.
fn remarks(workload: Workload, rows: &[Row]) -> Vec<String> {
    let ours = rows.iter().filter(|row| row.system.is_ours());
    ours.flat_map(|own| {
        let goal = goal(workload, own);
        goal.into_iter().chain(leaders(own, rows))
    })
    .collect()
}

fn goal(workload: Workload, row: &Row) -> Option<String> {
    let goal = workload.goal()?;
    let at = COLUMNS.iter().position(|column| column.key == goal.key)?;
    let found = row.figures[at]?;
    let verdict = if found <= goal.most {
        "reached"
    } else {
        "missed"
    };
    let (system, name, most) = (row.system, COLUMNS[at].name, goal.most);
    Some(format!(
        "{system}: goal {name} <= {most:.0}: {verdict} ({found:.1})"
    ))
}

fn leaders(own: &Row, rows: &[Row]) -> Vec<String> {
    let mut remarks = Vec::new();
    for (at, column) in COLUMNS.iter().enumerate() {
        let ahead = rows.iter().filter(|row| !row.system.is_ours());
        let ahead = ahead.filter_map(|row| {
            let part = row.figures[at]? / own.figures[at]?;
            let is_ahead = match column.key {
                "messages" => part > 1.0 + EVEN,
                _ => part < 1.0 - EVEN,
            };
            is_ahead.then(|| format!("{} ({part:.2} of ours)", row.system))
        });
        let ahead: Vec<String> = ahead.collect();
        if !ahead.is_empty() {
            let name = column.name;
            remarks.push(format!(
                "{}: ahead of it in {name}: {}",
                own.system,
                ahead.join(", ")
            ));
        }
    }
    remarks
}

/// Prints the result of one run.
pub(super) fn tell_run(run: &Run) {
    let (workload, round, system) = (&run.workload, run.round + 1, &run.server);
    let figure = |key| run.figures.get(key).copied().unwrap_or_default();
    let told = match &run.error {
        Some(error) => format!("failed: {error}"),
        None => format!(
            "{:.1} µs of a node, {:.0} messages/s, {} faults",
            figure("node_us"),
            figure("messages"),
            run.faults()
        ),
    };
    eprintln!("{workload} {round}: {system:18} {told}");
}

/// Prints what one fault did to one system.
pub(super) fn tell_verdict(verdict: &Verdict) {
    let (fault, round, system) = (&verdict.fault, verdict.round + 1, &verdict.system);
    let losses = &verdict.losses;
    let told = match &verdict.error {
        Some(error) => format!("failed: {error}"),
        None => format!(
            "{} of {} lost, {} silently, {} twice",
            losses.lost, losses.due, losses.silent, losses.twice
        ),
    };
    eprintln!("{fault} {round}: {system:18} {told}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(system: System, silent: u64) -> Results {
        Results {
            loss: vec![Verdict {
                system: system.to_string(),
                fault: Fault::LinkCut.to_string(),
                round: 0,
                losses: Losses {
                    lost: 7,
                    silent,
                    ..Losses::default()
                },
                error: None,
            }],
            ..Results::default()
        }
    }

    #[test]
    fn only_what_our_systems_lose_silently_is_a_failure() {
        assert!(results(System::SwitchboardSmol, 0).ours_are_clean());
        assert!(!results(System::SwitchboardSmol, 1).ours_are_clean());
        assert!(results(System::TokioHub, 1).ours_are_clean());
    }
}
