//! The page.

use super::Results;
use super::plot::Plot;
use super::summary::Summary;
use super::table::{markdown, remarks};

const METHOD: &str = "\
Each server runs alone on one CPU, the load generator on another, over loopback. A round measures
every server once, in turn; figures are medians over the rounds. \"x floor\" is the median of the
ratios of the first column to the *floor* in the same round; the floor is a bare loop that writes
what one read brought to each member, and does nothing else. CPU time is all that the kernel has
counted for the process; how it splits into user and system is a sample. Every delivery is checked:
\"faults\" counts those that were lost, came out of order or damaged or at the wrong connection, and
connections that were cut. Latency counts from when a message was sent (or was due, where the pace
is given) to when a member has it, for every member. Sends are data segments of the server's
sockets, as `ss` tells them.

Switchboard's two servers are the examples `chat` and `chat-smol` with presence, rate limits,
heartbeats, sequence numbers and JSON on; `switchboard-tokio-raw` forwards text without JSON. The
peers forward the client's text and do none of this. All are written for their best: Nagle's delay
off, small buffers, what waits for a member written together, no compression.
";

pub(super) fn page(results: &Results, summaries: &[Summary], plots: &[Plot]) -> String {
    let machine = &results.machine;
    let mut out = format!(
        "# Results\n\nMade by `{}` on {}; not edited by hand.\n\n\
         {}, {} CPUs, {} GiB, Linux {}, congestion control {}, {}, Node {}.\n\n{METHOD}",
        results.command.trim_end_matches([' ', '-']),
        machine.date,
        machine.cpu,
        machine.cpus,
        machine.memory_gib,
        machine.kernel,
        machine.congestion_control,
        machine.rustc,
        machine.node,
    );
    for plot in plots {
        out += &format!("\n![{}](plots/{})\n", plot.title, plot.file);
    }
    for summary in summaries {
        out += &format!(
            "\n## {}\n\n{}.\n\n",
            summary.workload,
            summary.workload.title()
        );
        out += &markdown(summary);
        let remarks: String = remarks(summary)
            .iter()
            .map(|line| format!("- {line}\n"))
            .collect();
        if !remarks.is_empty() {
            out += &format!("\n{remarks}");
        }
    }
    if !results.missing.is_empty() {
        out += "\n## Left out\n\n";
        results
            .missing
            .iter()
            .for_each(|line| out += &format!("- {line}\n"));
    }
    out
}
