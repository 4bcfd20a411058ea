//! What the pages of docs/ say of the metrics, against the metrics.

use std::collections::BTreeSet;

use switchboard_core::{Config, Switchboard, Time, operations};
use switchboard_kit::{Family, openmetrics};

const OPERATIONS: &str = include_str!("../../docs/operations.md");

fn families() -> Vec<Family> {
    let node = Switchboard::new(Config::default(), 7, Time::ZERO).expect("a configuration");
    let page = operations::metrics(&node.stats(Time::ZERO), None);
    let text = String::from_utf8(page.body).expect("text");
    openmetrics(&text).expect("metrics")
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
