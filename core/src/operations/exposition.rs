//! Text for collectors of metrics: OpenMetrics 1.0, and the text format 0.0.4 of Prometheus.
//!
//! The two differ in the name of a counter's family, and in the mark of the end.

use std::fmt::{Display, Write};

use crate::Buckets;

const PREFIX: &str = "switchboard_";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// Chooses a format by the header `Accept`. Without a preference it is OpenMetrics.
    pub(super) fn accepted(accept: Option<&str>) -> Self {
        let accept = accept.unwrap_or_default();
        let names = |kind: &str| {
            let mut ranges = accept.split(',');
            ranges.any(|range| {
                let range = range.split(';').next().unwrap_or_default();
                range.trim().eq_ignore_ascii_case(kind)
            })
        };
        if names("text/plain") && !names("application/openmetrics-text") {
            Self::Prometheus
        } else {
            Self::OpenMetrics
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// An exposition under construction. Values of labels are not escaped: they must be words of ours.
#[derive(Debug)]
pub(super) struct Exposition {
    format: Format,
    text: String,
}

/// Labels and their values.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            text: String::with_capacity(12 << 10),
        }
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// Adds a gauge whose value is 1, for the sake of its labels.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: Labels<'_>) {
        self.family(name, "gauge", help);
        self.sample(name, labels, 1);
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, |family| family.count(&[], value));
    }

    /// Adds a family of counters, which `samples` adds.
    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        samples: impl FnOnce(&mut Counters<'_>),
    ) {
        let total = format!("{name}_total");
        let family = match self.format {
            Format::OpenMetrics => name,
            Format::Prometheus => &total,
        };
        self.family(family, "counter", help);
        samples(&mut Counters {
            all: self,
            name: &total,
        });
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, buckets: &Buckets) {
        self.family(name, "histogram", help);
        let (bucket, mut total) = (format!("{name}_bucket"), 0);
        for (index, count) in buckets.counts.iter().enumerate() {
            total += count;
            let bound = buckets.bounds.get(index);
            // With a fraction, as the canonical form demands.
            let bound = bound.map_or("+Inf".to_owned(), |bound| format!("{bound:?}"));
            self.sample(&bucket, &[("le", &bound)], total);
        }
        self.sample(&format!("{name}_sum"), &[], buckets.sum);
        self.sample(&format!("{name}_count"), &[], total);
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# TYPE {PREFIX}{name} {kind}");
        let _ = writeln!(self.text, "# HELP {PREFIX}{name} {help}");
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let _ = write!(self.text, "{PREFIX}{name}");
        for (index, (label, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{value}\"");
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }
}

/// A family of counters under construction.
#[derive(Debug)]
pub(super) struct Counters<'a> {
    all: &'a mut Exposition,
    name: &'a str,
}

impl Counters<'_> {
    pub(super) fn count(&mut self, labels: Labels<'_>, value: u64) {
        self.all.sample(self.name, labels, value);
    }
}
