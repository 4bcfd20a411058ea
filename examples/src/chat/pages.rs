//! The chat's page, and pages for operators.

use std::future::Future;

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
        return PageResponse::text(404, "no such path\n");
    }
    if !matches!(request.method(), "GET" | "HEAD") {
        let page = PageResponse::text(405, "the method must be GET\n");
        return page.with_header("Allow", "GET, HEAD");
    }
    match file {
        Some(&(_, kind, body)) => file_page(kind, body),
        None => PageResponse::text(200, "ok\n"),
    }
}

fn file_page(kind: &str, body: &str) -> PageResponse {
    let headers = [
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ];
    PageResponse {
        status: 200,
        content_type: kind.to_owned(),
        headers: headers
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        body: body.into(),
    }
}
