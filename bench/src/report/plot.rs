//! Bar charts in SVG.

use std::fmt::Write;

use super::summary::Summary;
use crate::server::Server;
use crate::workload::Workload;

/// A bar chart.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) file: String,
    pub(crate) title: &'static str,
    pub(crate) svg: String,
}

const WIDTH: f64 = 760.0;
const LABEL: f64 = 190.0;
const BAR: f64 = 16.0;
const STEP: f64 = 20.0;
const GAP: f64 = 46.0;
const END: f64 = 80.0;

const RATIOS: &[Workload] = &[
    Workload::OneRoom,
    Workload::OneRoom16,
    Workload::Publishers16,
    Workload::Rooms100,
    Workload::Rooms1000,
    Workload::Direct,
    Workload::Stalled,
];

struct Bar {
    server: Server,
    value: f64,
    text: String,
}

struct Panel {
    title: String,
    bars: Vec<Bar>,
    /// The floor, if that is not zero.
    mark: Option<f64>,
}

pub(super) fn draw(summaries: &[Summary]) -> Vec<Plot> {
    let of = |workloads: &[Workload], ratio: bool| -> Vec<Panel> {
        let found = summaries
            .iter()
            .filter(|summary| workloads.contains(&summary.workload));
        found
            .map(|summary| panel(summary, ratio))
            .filter(|panel| !panel.bars.is_empty())
            .collect()
    };
    let plots = [
        (
            "cpu.svg",
            "CPU time per delivery, as a ratio to the floor",
            of(RATIOS, true),
        ),
        (
            "latency.svg",
            "Latency at rest, µs",
            of(&[Workload::Rest], false),
        ),
        (
            "memory.svg",
            "Memory",
            of(&[Workload::Idle, Workload::Burst], false),
        ),
        (
            "connect.svg",
            "CPU time per connect and per heartbeat, µs",
            of(&[Workload::Storm, Workload::Heartbeats], false),
        ),
    ];
    let drawn = plots.into_iter().filter(|(.., panels)| !panels.is_empty());
    drawn
        .map(|(file, title, panels)| Plot {
            file: file.to_owned(),
            title,
            svg: svg(title, &panels),
        })
        .collect()
}

fn panel(summary: &Summary, ratio: bool) -> Panel {
    let column = summary.first();
    let bars = summary.rows.iter().filter_map(|row| {
        let value = if ratio {
            row.ratio?
        } else {
            row.figure(column)?
        };
        let decimals = if ratio { 2 } else { column.decimals.min(2) };
        Some(Bar {
            server: row.server,
            value,
            text: format!("{value:.decimals$}"),
        })
    });
    let unit = if ratio { "x floor" } else { column.name };
    Panel {
        title: format!("{}: {unit}", summary.workload.title()),
        bars: bars.collect(),
        mark: ratio.then_some(1.0),
    }
}

fn svg(title: &str, panels: &[Panel]) -> String {
    let rows: usize = panels.iter().map(|panel| panel.bars.len()).sum();
    let height = 40.0 + GAP * panels.len() as f64 + STEP * rows as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#1b1f24\">\n\
         <title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"600\">{title}</text>\n"
    );
    let mut top = 40.0;
    for panel in panels {
        put_panel(&mut out, panel, top);
        top += GAP + STEP * panel.bars.len() as f64;
    }
    out + "</svg>\n"
}

fn put_panel(out: &mut String, panel: &Panel, top: f64) {
    let most = panel
        .bars
        .iter()
        .map(|bar| bar.value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LABEL - END) / most;
    let y = top + 18.0;
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<text x=\"12\" y=\"{y}\" font-weight=\"600\">{}</text>",
        panel.title
    );
    for (at, bar) in panel.bars.iter().enumerate() {
        let (y, length) = (top + 26.0 + STEP * at as f64, (bar.value * scale).max(1.0));
        let (base, right, end) = (y + 12.0, LABEL - 8.0, LABEL + length + 6.0);
        let colour = match bar.server {
            Server::Floor | Server::FloorPresence | Server::FloorSpread => "#9aa4ae",
            server if server.is_ours() => "#0b6e99",
            _ => "#d99a4e",
        };
        let _ = writeln!(
            out,
            "<text x=\"{right}\" y=\"{base}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABEL}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
             <text x=\"{end:.1}\" y=\"{base}\">{}</text>",
            bar.server, bar.text
        );
    }
    if let Some(mark) = panel.mark {
        let (x, low) = (
            LABEL + mark * scale,
            top + 24.0 + STEP * panel.bars.len() as f64,
        );
        let high = top + 24.0;
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{high}\" y2=\"{low}\" stroke=\"#1b1f24\" \
             stroke-dasharray=\"3 3\"/>"
        );
    }
}
