//! The chat's page, and pages for operators.

use std::future::Future;

use serde::Serialize;
use switchboard_core::response::PageResponse;
use switchboard_core::{Request, operations};
use switchboard_runtime::Hub;

use super::debug::debug;
use super::{Chat, Options};

/// Forbids resources of other origins and inline scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES: [(&str, &str, &str); 4] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("../../page/index.html"),
    ),
    (
        "/chat.css",
        "text/css; charset=utf-8",
        include_str!("../../page/chat.css"),
    ),
    (
        "/chat.js",
        "text/javascript; charset=utf-8",
        include_str!("../../page/chat.js"),
    ),
    (
        "/switchboard.js",
        "text/javascript; charset=utf-8",
        include_str!("../../page/switchboard.js"),
    ),
];

/// Answers requests that are not upgrades.
pub fn pages(
    hub: Hub,
    chat: &Chat,
    options: &Options,
) -> impl Fn(Request) -> std::pin::Pin<Box<dyn Future<Output = PageResponse> + Send>>
+ Send
+ Sync
+ 'static
+ use<> {
    let panics = chat.panics.clone();
    let with_debug = options.debug_endpoints;
    move |request| {
        let (hub, panics) = (hub.clone(), panics.clone());
        Box::pin(async move {
            if with_debug && request.path().starts_with("/debug/") {
                return debug(hub, panics, &request).await;
            }
            operations::page(&request, || hub.stats()).unwrap_or_else(|| page(&request))
        })
    }
}

fn page(request: &Request) -> PageResponse {
    let path = request.path();
    let file = FILES.iter().find(|(at, ..)| *at == path);
    if file.is_none() && path != "/healthz" {
        return text_page(404, "no such path\n");
    }
    if !matches!(request.method(), "GET" | "HEAD") {
        let mut page = text_page(405, "the method must be GET\n");
        page.headers.push(("Allow".into(), "GET, HEAD".into()));
        return page;
    }
    match file {
        Some(&(_, kind, body)) => answer(200, kind, body.as_bytes().to_vec()),
        None => text_page(200, "ok\n"),
    }
}

pub(super) fn text_page(status: u16, text: &str) -> PageResponse {
    answer(
        status,
        "text/plain; charset=utf-8",
        text.as_bytes().to_vec(),
    )
}

pub(super) fn json_page(status: u16, value: &impl Serialize) -> PageResponse {
    let body = serde_json::to_vec(value).unwrap_or_default();
    answer(status, "application/json", body)
}

fn answer(status: u16, kind: &str, body: Vec<u8>) -> PageResponse {
    let headers = [
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ];
    PageResponse {
        status,
        content_type: kind.to_owned(),
        headers: headers
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect(),
        body,
    }
}
