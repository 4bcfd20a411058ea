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

/// The files of the page, with the paths at which they are served.
macro_rules! files {
    ($($name:literal)*) => { &[$((concat!("/", $name), include_str!(concat!("../../page/", $name)))),*] };
}

const INDEX: &str = include_str!("../../page/index.html");

const FILES: &[(&str, &str)] = files! {
    "base.css"
    "layout.css"
    "narrow.css"
    "server.css"
    "talk.css"
    "chart.js"
    "chat.js"
    "composer.js"
    "conversation.js"
    "elements.js"
    "emoji.js"
    "format.js"
    "join.js"
    "links.js"
    "log.js"
    "main.js"
    "memory.js"
    "names.js"
    "outbox.js"
    "people.js"
    "room.js"
    "rooms.js"
    "route.js"
    "server.js"
    "statistics.js"
    "status.js"
    "switchboard.js"
    "tabs.js"
    "theme.js"
    "typed.js"
    "typing.js"
    "words.js"
};

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
    let file = match request.path() {
        "/" => Some(file_page("text/html", INDEX)),
        "/healthz" => Some(PageResponse::text(200, "ok\n")),
        path => file_at(path),
    };
    let Some(file) = file else {
        return PageResponse::text(404, "no such path\n");
    };
    if !matches!(request.method(), "GET" | "HEAD") {
        let page = PageResponse::text(405, "the method must be GET\n");
        return page.with_header("Allow", "GET, HEAD");
    }
    file
}

fn file_at(path: &str) -> Option<PageResponse> {
    let (_, body) = FILES.iter().find(|(at, _)| *at == path)?;
    let kind = match path.rsplit('.').next() {
        Some("css") => "text/css",
        _ => "text/javascript",
    };
    Some(file_page(kind, body))
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
        content_type: format!("{kind}; charset=utf-8"),
        headers: headers
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        body: body.into(),
    }
}
