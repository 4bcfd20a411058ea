//! Pages for operators, as functions of the [`Stats`]: health checks, metrics, statistics.
//!
//! They are pure, so any HTTP framework can mount them: a [`PageResponse`] has public fields.
//! No page names a user, a room, an address or a token.

mod exposition;
mod metrics;
mod reasons;

use crate::http::response::PageResponse;
use crate::{Request, Stats};

/// Answers a request for `/livez`, `/readyz`, `/metrics` or `/stats.json`, and returns `None` for other
/// paths. `stats` is called for these four only, with a method that can be answered.
pub fn page(request: &Request, stats: impl FnOnce() -> Stats) -> Option<PageResponse> {
    let answer: fn(&Stats, &Request) -> PageResponse = match request.path() {
        "/livez" => |stats, _| livez(stats),
        "/readyz" => |stats, _| readyz(stats),
        "/metrics" => |stats, request| metrics(stats, request.header("Accept")),
        "/stats.json" => |stats, _| stats_json(stats),
        _ => return None,
    };
    if matches!(request.method(), "GET" | "HEAD") {
        return Some(answer(&stats(), request));
    }
    let refusal = PageResponse::text(405, "the method must be GET\n");
    Some(refusal.with_header("Allow", "GET, HEAD"))
}

/// Whether the process is to be restarted: always 200, because statistics were there to be passed. A
/// node that hangs does not answer at all.
pub fn livez(_: &Stats) -> PageResponse {
    PageResponse::text(200, "ok\n")
}

/// Says whether a load balancer may send new connections to the node: 503 once a drain has begun, and
/// with [`Clustering::ready_needs_broker`](crate::Clustering::ready_needs_broker) while the broker of
/// the cluster is unavailable; otherwise 200.
///
/// A full node is ready, because it can tell each client what to do by a close code, which a load
/// balancer without a ready node cannot. An outage behind several nodes must not make all of them
/// unready at once.
pub fn readyz(stats: &Stats) -> PageResponse {
    if stats.draining {
        PageResponse::text(503, "draining\n")
    } else if stats.cut_off {
        PageResponse::text(503, "cut off from the cluster\n")
    } else {
        PageResponse::text(200, "ok\n")
    }
}

/// The metrics, for Prometheus and what else collects them: by default OpenMetrics 1.0, and the older
/// text format of Prometheus if `accept`, the request's header, asks for `text/plain` and not for
/// OpenMetrics. The names and meanings are in docs/operations.md.
///
/// Costs about 10 KiB of text.
pub fn metrics(stats: &Stats, accept: Option<&str>) -> PageResponse {
    let format = exposition::Format::accepted(accept);
    let body = metrics::text(stats, format).into_bytes();
    PageResponse::uncached(200, format.content_type(), body)
}

/// The statistics as JSON. Keys are only ever added.
pub fn stats_json(stats: &Stats) -> PageResponse {
    PageResponse::json(200, stats)
}
