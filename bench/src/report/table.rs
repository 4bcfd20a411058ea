//! Tables, in plain text or Markdown, and remarks on them.

use super::summary::{Row, Summary};
use crate::server::Server;
use crate::workload::Goal;

/// Smaller differences are not called a lead.
pub(crate) const EVEN: f64 = 0.02;

fn header(summary: &Summary) -> Vec<String> {
    let mut cells = vec!["server".to_owned(), "x floor".to_owned()];
    cells.extend(
        summary
            .workload
            .columns()
            .iter()
            .map(|column| column.name.to_owned()),
    );
    cells.push("faults".to_owned());
    cells
}

fn cells(summary: &Summary, row: &Row) -> Vec<String> {
    let ratio = row
        .ratio
        .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let mut cells = vec![row.server.to_string(), ratio];
    for &column in summary.workload.columns() {
        let figure = row.figure(column);
        cells
            .push(figure.map_or_else(|| "-".to_owned(), |figure| grouped(figure, column.decimals)));
    }
    cells.push(match (&row.error, row.faults) {
        (Some(error), _) => format!("failed: {error}"),
        (None, faults) => faults.to_string(),
    });
    cells
}

/// Formats with thin spaces between groups of three digits.
pub(crate) fn grouped(figure: f64, decimals: usize) -> String {
    let text = format!("{figure:.decimals$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(' ');
        }
        out.push(digit);
    }
    out + fraction
}

/// The lines of the table, of which the first is the header.
fn lines(summary: &Summary) -> Vec<Vec<String>> {
    let rows = summary.rows.iter().map(|row| cells(summary, row));
    [header(summary)].into_iter().chain(rows).collect()
}

pub(super) fn plain(summary: &Summary) -> String {
    layout_plain(&lines(summary))
}

pub(super) fn markdown(summary: &Summary) -> String {
    layout_markdown(&lines(summary))
}

/// Formats a table for a terminal. The first line is the header.
pub(crate) fn layout_plain(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut out = String::new();
    for line in lines {
        for (at, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let cell = if at == 0 {
                format!("  {cell:width$}")
            } else {
                format!("  {cell:>width$}")
            };
            out.push_str(&cell);
        }
        out.push('\n');
    }
    out
}

/// Formats a table in Markdown. The first line is the header.
pub(crate) fn layout_markdown(lines: &[Vec<String>]) -> String {
    let rule = format!("|---|{}\n", "---:|".repeat(lines[0].len() - 1));
    let mut rows = lines
        .iter()
        .map(|line| format!("| {} |\n", line.join(" | ")));
    rows.next().unwrap_or_default() + &rule + &rows.collect::<String>()
}

/// Returns which servers are ahead of ours, and whether goals are reached.
pub(super) fn remarks(summary: &Summary) -> Vec<String> {
    let ours = [
        Server::SwitchboardTokio,
        Server::SwitchboardSmol,
        Server::SwitchboardTokioBare,
        Server::SwitchboardSmolBare,
    ];
    let rows = ours.iter().filter_map(|&server| summary.row(server));
    rows.flat_map(|row| {
        let goal = summary
            .workload
            .goal()
            .and_then(|goal| judge(goal, summary, row));
        goal.into_iter().chain(leaders(summary, row))
    })
    .collect()
}

fn judge(goal: Goal, summary: &Summary, row: &Row) -> Option<String> {
    let found = if goal.of_floor {
        row.held?
    } else {
        row.figure(summary.first())?
    };
    let verdict = if found <= goal.most {
        "reached"
    } else {
        "missed"
    };
    let floor = summary.workload.floor_of(row.server);
    let unit = if goal.of_floor {
        format!(" x {floor}")
    } else {
        String::new()
    };
    Some(format!(
        "{}: goal <= {:.2}{unit}: {verdict} ({found:.2})",
        row.server, goal.most
    ))
}

fn leaders(summary: &Summary, row: &Row) -> Option<String> {
    let own = row.figure(summary.first()).filter(|own| *own > 0.0)?;
    let ahead: Vec<String> = summary
        .rows
        .iter()
        .filter(|other| !other.server.is_floor() && !other.server.is_ours())
        .filter_map(|other| {
            let part = other.figure(summary.first())? / own;
            (part < 1.0 - EVEN).then(|| format!("{} ({part:.2} of ours)", other.server))
        })
        .collect();
    (!ahead.is_empty()).then(|| format!("{}: ahead of it: {}", row.server, ahead.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_figures_are_grouped() {
        assert_eq!(grouped(1_234_567.0, 0), "1 234 567");
        assert_eq!(grouped(1_234.5, 1), "1 234.5");
        assert_eq!(grouped(999.0, 0), "999");
        assert_eq!(grouped(-123.0, 0), "-123");
    }
}
