//! The page.

use std::fmt::{self, Write};

use super::Results;
use super::plot::Plot;
use super::summary::Summary;
use super::table::{markdown, remarks};

const METHOD: &str = "\
The servers run on one CPU, the load generator on another, over loopback. In a round all servers are
started and loaded in turn, a second each, until each has had its time, so that what disturbs the
machine meets all alike (one after another where that cannot be: memory, bursts, storms, heartbeats,
stalled readers, 10 000 connections). Figures are medians over the rounds. \"x floor\" is the median of the
ratios of the first column to the *floor* in the same round; the floor is a bare loop that writes
what one read brought to each member, and does nothing else. CPU time is all that the kernel has
counted for the process; how it splits into user and system is a sample. Every delivery is checked:
\"faults\" counts those that were lost, came out of order or damaged or at the wrong connection, and
connections that were cut. Latency counts from when a message was sent (or was due, where the pace
is given) to when a member has it, for every member. Sends are data segments of the server's
sockets, as `ss` tells them.

Switchboard's two servers are the examples `chat` and `chat-smol` with presence, rate limits,
heartbeats, sequence numbers and JSON on; `switchboard-tokio-raw` forwards text without JSON. The
peers forward the client's text and ping; they have no presence, rate limits or numbers. All are
written for their best: Nagle's delay off, small buffers, what waits for a member written together,
no compression.

Who comes is told by nobody but Switchboard: to that belongs a second send to each member of the room. So in
the storm there are `-bare`, Switchboard without presence, which is held against the floor, and
`floor-presence`, which tells each room once in 250 ms that somebody came, and against which
Switchboard with presence is held.

Heartbeats: Switchboard spreads its pings over 64 beats of this interval; the floor, `ws` and Bun send all
of them in one turn, tokio-tungstenite and axum as their connections came, so they wake up less often
for the same number of pings.
";

/// Load averages above this are somebody else's work.
const QUIET: f64 = 0.5;

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
    // Writing to a string does not fail.
    let _ = put_rest(&mut out, results, summaries, plots);
    out
}

fn put_rest(
    out: &mut String,
    results: &Results,
    summaries: &[Summary],
    plots: &[Plot],
) -> fmt::Result {
    let load = results.machine.load;
    if load > QUIET {
        writeln!(
            out,
            "\n**The machine was not quiet: its load average was {load:.1} before the first \
             measurement. Ratios within a round hold better than absolute figures; latencies do \
             not hold.**"
        )?;
    }
    for plot in plots {
        writeln!(out, "\n![{}](plots/{})", plot.title, plot.file)?;
    }
    for summary in summaries {
        let workload = summary.workload;
        write!(
            out,
            "\n## {workload}\n\n{}.\n\n{}",
            workload.title(),
            markdown(summary)
        )?;
        put_list(out, "\n", &remarks(summary))?;
    }
    put_list(out, "\n## Left out\n\n", &results.missing)
}

fn put_list(out: &mut String, head: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    out.write_str(head)?;
    lines.iter().try_for_each(|line| writeln!(out, "- {line}"))
}
