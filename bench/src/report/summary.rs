//! Medians over the rounds, and ratios to the floor in the same round.

use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::columns::Column;
use crate::measure::Run;
use crate::server::Server;
use crate::workload::Workload;

/// The results of one workload.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) workload: Workload,
    pub(crate) rows: Vec<Row>,
}

/// The medians of one server.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) server: Server,
    pub(crate) figures: BTreeMap<String, f64>,
    /// The first column as a ratio to the floor in the same round.
    pub(crate) ratio: Option<f64>,
    /// The same, to the floor that the goal refers to.
    pub(crate) held: Option<f64>,
    pub(crate) faults: u64,
    pub(crate) error: Option<String>,
}

impl Row {
    pub(crate) fn figure(&self, column: Column) -> Option<f64> {
        self.figures.get(column.key).copied()
    }
}

impl Summary {
    pub(crate) fn row(&self, server: Server) -> Option<&Row> {
        self.rows.iter().find(|row| row.server == server)
    }

    /// Returns the column that goals and ratios refer to.
    pub(crate) fn first(&self) -> Column {
        self.workload.columns()[0]
    }
}

pub(crate) fn summaries(runs: &[Run]) -> Vec<Summary> {
    let summary = |&workload: &Workload| {
        let name = workload.to_string();
        let runs: Vec<&Run> = runs.iter().filter(|run| run.workload == name).collect();
        let rows: Vec<Row> = Server::value_variants()
            .iter()
            .filter_map(|&server| row(workload, server, &runs))
            .collect();
        (!rows.is_empty()).then_some(Summary { workload, rows })
    };
    Workload::value_variants()
        .iter()
        .filter_map(summary)
        .collect()
}

fn row(workload: Workload, server: Server, runs: &[&Run]) -> Option<Row> {
    let name = server.to_string();
    let own: Vec<&&Run> = runs.iter().filter(|run| run.server == name).collect();
    if own.is_empty() {
        return None;
    }
    let mut columns: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (key, figure) in own.iter().flat_map(|run| &run.figures) {
        columns.entry(key).or_default().push(*figure);
    }
    let key = workload.columns()[0].key;
    let ratio_to = |floor: Server| {
        let floor = floor.to_string();
        let ratios = own.iter().filter_map(|run| {
            let beside = runs
                .iter()
                .find(|other| other.server == floor && other.round == run.round)?;
            let (own, floor) = (run.figures.get(key)?, beside.figures.get(key)?);
            (*floor > 0.0).then(|| own / floor)
        });
        median(ratios.collect())
    };
    Some(Row {
        server,
        ratio: ratio_to(Server::Floor),
        held: ratio_to(workload.floor_of(server)),
        figures: columns
            .into_iter()
            .filter_map(|(key, figures)| Some((key.to_owned(), median(figures)?)))
            .collect(),
        faults: own.iter().map(|run| run.faults()).sum(),
        error: own.iter().find_map(|run| run.error.clone()),
    })
}

/// Returns the median, if there are figures.
pub(crate) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let (low, high) = (figures.len().checked_sub(1)? / 2, figures.len() / 2);
    Some(f64::midpoint(figures[low], figures[high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(server: &str, round: usize, figure: f64) -> Run {
        Run {
            workload: "one-room".to_owned(),
            server: server.to_owned(),
            round,
            figures: [("cpu_us".to_owned(), figure)].into(),
            ..Run::default()
        }
    }

    #[test]
    fn a_ratio_is_the_median_over_rounds_of_ratios_within_a_round() {
        let runs = [
            run("floor", 0, 1.0),
            run("bun", 0, 3.0),
            run("floor", 1, 10.0),
            run("bun", 1, 10.0),
            run("floor", 2, 1.0),
            run("bun", 2, 2.0),
        ];
        let summaries = summaries(&runs);
        let row = summaries[0].row(Server::Bun).expect("a row");
        assert_eq!((row.ratio, row.figures["cpu_us"]), (Some(2.0), 3.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
