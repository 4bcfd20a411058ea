//! Debug endpoints, for trying out events that cannot be provoked from outside.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use switchboard_core::response::PageResponse;
use switchboard_core::{CloseReason, Origins, Request};
use switchboard_runtime::Hub;

/// Timeout of `/debug/ping`.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Users whose next hook panics.
#[derive(Clone, Default)]
pub(super) struct PanicList(Arc<Mutex<HashSet<String>>>);

impl PanicList {
    fn add(&self, user: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(user.to_owned());
    }

    /// Panics if a panic was requested for this user.
    pub(super) fn check(&self, user: &str) {
        let asked = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(user);
        assert!(!asked, "requested by /debug/panic");
    }
}

pub(super) async fn debug(hub: Hub, panics: PanicList, request: &Request) -> PageResponse {
    if !request.peer().is_loopback() {
        return PageResponse::text(403, "requests must come from this machine\n");
    }
    // A page of another site, in a browser on this machine, can post here, too.
    if !Origins::Same.allows(request) {
        return PageResponse::text(403, "requests must have the same origin, or none\n");
    }
    if request.method() != "POST" {
        let page = PageResponse::text(405, "the method must be POST\n");
        return page.with_header("Allow", "POST");
    }
    if request.path() == "/debug/dump" {
        return dump(&hub);
    }
    let Some(user) = request.query("user").filter(|user| !user.is_empty()) else {
        return PageResponse::text(400, "the parameter user is missing: ?user=NAME\n");
    };
    match request.path() {
        "/debug/kick" => {
            let disconnected = hub.disconnect_user(user, CloseReason::Kicked);
            PageResponse::json(200, &json!({ "user": user, "disconnected": disconnected }))
        }
        "/debug/ping" => {
            let results = hub.ping_user(user, PING_TIMEOUT).await;
            let results: Vec<_> = results
                .iter()
                .map(|result| {
                    let millis = result.rtt.map(|rtt| rtt.as_secs_f64() * 1e3);
                    json!({
                        "connection": result.id.to_string(),
                        "alive": millis.is_some(),
                        "rtt_ms": millis,
                    })
                })
                .collect();
            PageResponse::json(
                200,
                &json!({ "user": user, "connections": results.len(), "results": results }),
            )
        }
        "/debug/panic" => {
            panics.add(user);
            PageResponse::json(200, &json!({ "user": user, "panics": true }))
        }
        _ => PageResponse::text(404, "no such path\n"),
    }
}

fn dump(hub: &Hub) -> PageResponse {
    match hub.dump() {
        Some(dump) => {
            let mut page = PageResponse::text(200, dump.to_string());
            page.content_type = "application/jsonl".into();
            page
        }
        None => PageResponse::text(404, "the recorder is off: start with --recorder BYTES\n"),
    }
}
