//! Results as JSON, as a table, as a page and as plots.

pub(crate) mod page;
mod plot;
pub(crate) mod summary;
pub(crate) mod table;

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use self::summary::summaries;
use crate::machine::Machine;
use crate::measure::Run;
use crate::workload::Workload;

/// All results of one invocation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    /// Servers that were unavailable, and why.
    pub(crate) missing: Vec<String>,
    pub(crate) runs: Vec<Run>,
}

impl Results {
    pub(crate) fn read(out: &Path) -> io::Result<Self> {
        let path = out.join("results.json");
        let text = fs::read(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Writes results.json, RESULTS.md and plots/.
    pub(crate) fn write(&self, out: &Path) -> io::Result<()> {
        let plots = out.join("plots");
        fs::create_dir_all(&plots)?;
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        fs::write(out.join("results.json"), json)?;
        let summaries = summaries(&self.runs);
        let drawn = plot::draw(&summaries);
        for plot in &drawn {
            fs::write(plots.join(&plot.file), &plot.svg)?;
        }
        fs::write(out.join("RESULTS.md"), page::page(self, &summaries, &drawn))
    }

    /// Prints the result of one run.
    pub(crate) fn tell(run: &Run, workload: Workload) {
        let round = run.round + 1;
        let first = workload.columns()[0];
        let said = match (&run.error, run.figures.get(first.key)) {
            (Some(error), _) => format!("failed: {error}"),
            (None, None) => "no figure".to_owned(),
            (None, Some(figure)) => format!("{figure:.*} {}", first.decimals, first.name),
        };
        let faults = match run.faults() {
            0 => String::new(),
            _ => format!(
                ", FAULTY: {} lost, {} out of order, {} wrong, {} connections lost",
                run.lost, run.reordered, run.wrong, run.closed
            ),
        };
        eprintln!("{workload} {round}: {:24} {said}{faults}", run.server);
    }

    pub(crate) fn print(&self) {
        for summary in summaries(&self.runs) {
            println!("\n{}: {}", summary.workload, summary.workload.title());
            print!("{}", table::plain(&summary));
            for remark in table::remarks(&summary) {
                println!("{remark}");
            }
        }
        for line in &self.missing {
            println!(
                "
left out: {line}"
            );
        }
    }

    /// Returns whether no run of our servers had a fault.
    pub(crate) fn ours_are_clean(&self) -> bool {
        let mut ours = self
            .runs
            .iter()
            .filter(|run| run.server.starts_with("switchboard"));
        ours.all(Run::is_clean)
    }
}
