//! What the pages of docs/ say of the metrics, against the metrics.

use std::collections::BTreeSet;

use serde_json::Value;
use switchboard_core::cluster::{Cluster, ClusterConfig};
use switchboard_core::{Config, Switchboard, Time, operations};
use switchboard_kit::{Family, openmetrics};

const OPERATIONS: &str = include_str!("../../docs/operations.md");
const BOARD: &str = include_str!("../../docs/grafana.json");
const ALERTS: &str = include_str!("../../docs/alerts.yml");

fn families() -> Vec<Family> {
    let node = Switchboard::new(Config::default(), 7, Time::ZERO).expect("a configuration");
    let mut stats = node.stats(Time::ZERO);
    let cluster = Cluster::new(ClusterConfig::new("a"), Time::ZERO);
    stats.add_cluster(&cluster.stats(Time::ZERO), false);
    let page = operations::metrics(&stats, None);
    let text = String::from_utf8(page.body).expect("text");
    openmetrics(&text).expect("metrics")
}

/// Returns the words of a text that are names of our metrics.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '_');
    words
        .filter(|word| word.starts_with("switchboard_"))
        .collect()
}

/// Returns the names of all samples.
fn sampled() -> BTreeSet<String> {
    let samples = families().into_iter().flat_map(|family| family.samples);
    samples.map(|sample| sample.name).collect()
}

/// Returns the names in a text of which there is no sample.
fn unknown<'a>(text: &'a str, sampled: &BTreeSet<String>) -> Vec<&'a str> {
    let names = named(text).into_iter();
    names.filter(|name| !sampled.contains(*name)).collect()
}

#[test]
fn the_board_asks_for_metrics_that_exist_and_leaves_out_none() {
    let board: Value = serde_json::from_str(BOARD).expect("JSON");
    let panels = board["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    let queries = targets
        .flatten()
        .map(|target| target["expr"].as_str().expect("a query"));
    let queries: Vec<&str> = queries.collect();
    let (all, sampled) = (queries.join(" "), sampled());
    assert_eq!(unknown(BOARD, &sampled), [""; 0]);
    let shown = named(&all);
    let is_shown = |family: &Family| {
        let names = ["", "_total", "_bucket"].map(|suffix| format!("{}{suffix}", family.name));
        names.iter().any(|name| shown.contains(&**name))
    };
    let missing: Vec<_> = families()
        .into_iter()
        .filter(|family| !is_shown(family))
        .collect();
    assert_eq!(missing, []);
}

#[test]
fn the_alerts_ask_for_metrics_and_reasons_that_exist_and_are_explained() {
    assert_eq!(unknown(ALERTS, &sampled()), [""; 0]);
    assert!(named(ALERTS).len() > 5);
    let samples = families().into_iter().flat_map(|family| family.samples);
    let labels = samples.flat_map(|sample| sample.labels.into_iter());
    let labels: BTreeSet<_> = labels.collect();
    for label in ["reason", "result"] {
        for operator in ["=\"", "=~\"", "!~\""] {
            for part in ALERTS.split(&format!("{label}{operator}")).skip(1) {
                let (values, _) = part.split_once('"').expect("an end");
                for value in values.split('|') {
                    let pair = (label.to_owned(), value.to_owned());
                    assert!(labels.contains(&pair), "{pair:?}");
                }
            }
        }
    }
    let alerts = ALERTS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: Vec<&str> = alerts.collect();
    assert!(alerts.len() > 5);
    for alert in alerts {
        assert!(OPERATIONS.contains(&format!("`{alert}`")), "{alert}");
    }
}

#[test]
fn the_page_for_operators_lists_every_metric_with_its_labels_and_its_type() {
    let listed = OPERATIONS.lines().filter_map(|line| {
        let (metric, rest) = line.strip_prefix("| `switchboard_")?.split_once("` | ")?;
        let (kind, _) = rest.split_once(" | ")?;
        Some((format!("switchboard_{metric}"), kind.to_owned()))
    });
    let listed: Vec<_> = listed.collect();
    let metrics: Vec<_> = families()
        .into_iter()
        .map(|family| {
            let labels = family
                .samples
                .iter()
                .flat_map(|sample| sample.labels.keys());
            let labels: BTreeSet<_> = labels.filter(|label| *label != "le").cloned().collect();
            let labels: Vec<_> = labels.into_iter().collect();
            let suffix = if family.kind == "counter" {
                "_total"
            } else {
                ""
            };
            let braces = match &*labels.join(",") {
                "" => String::new(),
                labels => format!("{{{labels}}}"),
            };
            (format!("{}{suffix}{braces}", family.name), family.kind)
        })
        .collect();
    assert_eq!(listed, metrics);
}

#[test]
fn the_guide_says_how_many_lines_the_examples_have() {
    const GUIDE: &str = include_str!("../../docs/guide.md");
    for (name, source) in [
        (
            "axum-chat",
            include_str!("../../runtime-tokio/examples/axum-chat.rs"),
        ),
        ("tls", include_str!("../../runtime-tokio/examples/tls.rs")),
        ("game", include_str!("../../runtime-tokio/examples/game.rs")),
        (
            "ticker",
            include_str!("../../runtime-tokio/examples/ticker.rs"),
        ),
        (
            "cursors",
            include_str!("../../runtime-tokio/examples/cursors.rs"),
        ),
    ] {
        let start = format!("| [`{name}`]");
        let row = GUIDE.lines().find(|line| line.starts_with(&start));
        let cell = row.expect(name).split('|').nth(2).expect("a cell").trim();
        assert_eq!(cell, source.lines().count().to_string(), "{name}");
        assert!(source.lines().count() < 120, "{name}");
    }
}
