//! A strict reader of metrics in the format `OpenMetrics` 1.0, as far as gauges, counters and histograms go.

use std::collections::{BTreeMap, BTreeSet};

/// A metric family.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// `gauge`, `counter` or `histogram`.
    pub kind: String,
    /// Its samples, in order.
    pub samples: Vec<Sample>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its name, with the suffix of its kind.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// Reads an exposition.
///
/// # Errors
///
/// The rule that a line breaks, and the line.
pub fn openmetrics(text: &str) -> Result<Vec<Family>, String> {
    let text = text.strip_suffix("# EOF\n").ok_or("no # EOF at the end")?;
    let mut families: Vec<Family> = Vec::new();
    let mut lines = text.split_terminator('\n').peekable();
    while let Some(line) = lines.next() {
        let wrong = |rule: &str| Err(format!("{rule}: {line}"));
        let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        else {
            return wrong("a family begins with its type");
        };
        if !is_name(name) || families.iter().any(|family| family.name == name) {
            return wrong("an illegal or repeated name");
        }
        let help = lines.next().unwrap_or_default();
        let help = help.strip_prefix(&format!("# HELP {name} "));
        if help.is_none_or(|help| help.is_empty() || help.contains(['\\', '"'])) {
            return wrong("no plain help");
        }
        let mut family = Family {
            name: name.to_owned(),
            kind: kind.to_owned(),
            samples: Vec::new(),
        };
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let sample = sample(line).ok_or_else(|| format!("no sample: {line}"))?;
            family.samples.push(sample);
        }
        check(&family).map_err(|rule| format!("{rule}: {name}"))?;
        families.push(family);
    }
    Ok(families)
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    let mut found = BTreeMap::new();
    for label in labels.split_terminator(',') {
        let (label, value) = label.split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        let plain = !value.is_empty() && !value.contains(['"', '\\']);
        if !is_name(label) || !plain || found.insert(label.into(), value.into()).is_some() {
            return None;
        }
    }
    let value: f64 = value.parse().ok()?;
    (is_name(name) && value.is_finite() && value >= 0.0).then(|| Sample {
        name: name.to_owned(),
        labels: found,
        value,
    })
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(legal) && name.starts_with(|first: char| first.is_ascii_lowercase())
}

fn check(family: &Family) -> Result<(), &'static str> {
    let suffixes: &[&str] = match &*family.kind {
        "gauge" => &[""],
        "counter" => &["_total"],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => return Err("an unknown type"),
    };
    let mut series = BTreeSet::new();
    for sample in &family.samples {
        let suffix = sample.name.strip_prefix(&family.name);
        if !suffix.is_some_and(|suffix| suffixes.contains(&suffix)) {
            return Err("a sample of another family");
        }
        if !series.insert((&sample.name, &sample.labels)) {
            return Err("a series comes twice");
        }
    }
    match &*family.kind {
        _ if family.samples.is_empty() => Err("no samples"),
        "histogram" => check_histogram(family),
        _ if family.name.ends_with("_total") => Err("a suffix in the name of a family"),
        _ => Ok(()),
    }
}

fn check_histogram(family: &Family) -> Result<(), &'static str> {
    let [buckets @ .., sum, count] = &*family.samples else {
        return Err("a histogram without sum and count");
    };
    let ends = (sum.name.ends_with("_sum"), count.name.ends_with("_count"));
    if ends != (true, true) {
        return Err("a histogram ends with sum and count");
    }
    let mut before = (f64::NEG_INFINITY, 0.0);
    for bucket in buckets {
        let Some(le) = bucket.labels.get("le") else {
            return Err("a bucket without a bound");
        };
        let bound: f64 = le.parse().map_err(|_| "a bound that is no number")?;
        let canonical = le == "+Inf" || le.contains('.');
        if !canonical || bound <= before.0 || bucket.value < before.1 {
            return Err("buckets that do not grow, or a bound that is not canonical");
        }
        before = (bound, bucket.value);
    }
    let total = (before.0.is_infinite(), before.1.to_bits());
    if total == (true, count.value.to_bits()) {
        Ok(())
    } else {
        Err("the last bucket holds all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let good = "# TYPE a counter\n# HELP a It.\na_total{b=\"c\"} 1\n";
        let all = |text: &str| openmetrics(&format!("{text}# EOF\n"));
        assert_eq!(all(good).map(|families| families.len()), Ok(1));
        assert!(openmetrics(good).is_err(), "no end");
        assert!(all(&good.replace("# HELP a It.\n", "")).is_err());
        assert!(all(&good.replace("a_total", "a")).is_err());
        assert!(all(&good.replace("b=\"c\"", "b=c")).is_err());
        assert!(all(&good.replace(" 1", " -1")).is_err());
        assert!(all(&good.replace(" 1", " NaN")).is_err());
        assert!(all(&format!("{good}{good}")).is_err(), "twice");
        assert!(all(&format!("{good}a_total{{b=\"c\"}} 2\n")).is_err());
        let buckets = "# TYPE h histogram\n# HELP h It.\nh_bucket{le=\"1.0\"} 1\n\
            h_bucket{le=\"+Inf\"} 2\nh_sum 3.5\nh_count 2\n";
        assert_eq!(all(buckets).map(|families| families.len()), Ok(1));
        for (from, to) in [
            ("1.0", "1"),
            ("count 2", "count 3"),
            ("} 1", "} 3"),
            ("h_sum 3.5\n", ""),
            ("+Inf", "0.5"),
        ] {
            assert!(all(&buckets.replace(from, to)).is_err(), "{from}");
        }
    }
}
