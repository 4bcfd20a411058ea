//! A chat inside an axum application that has its own login, middleware, state and REST routes.
//! Run `cargo run --release --example axum-chat --features axum`; open its address in two browsers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use switchboard_tokio::http::Upgrade;
use switchboard_tokio::{Admission, Application, Config, Exclude, Hub, check_user};
use tokio::net::TcpListener;

/// The application's state.
#[derive(Clone)]
struct App {
    /// By the value of a cookie.
    sessions: Arc<Mutex<HashMap<String, User>>>,
    hub: Hub,
}

/// Who has logged in.
#[derive(Clone)]
struct User(String);

/// No hook is needed: the middleware knows the users, and a client may enter its lobby.
struct Chat;

impl Application for Chat {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let hub = Hub::new(Config::default(), Chat)?;
    let app = App {
        sessions: Arc::default(),
        hub: hub.clone(),
    };
    let router = Router::new()
        .route("/ws/{room}", any(websocket)) // `any`: over HTTP/2 the method is CONNECT
        .route("/rooms/{room}", get(users).post(publish))
        .layer(from_fn_with_state(app.clone(), logged_in))
        .route("/", get(async || Html(PAGE)))
        .route("/login", post(log_in))
        .with_state(app);
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            let _ = tokio::signal::ctrl_c().await;
            // First the WebSockets, told when to reconnect; then axum, which does not know them.
            hub.drain(Duration::from_secs(2), Duration::from_secs(5))
                .await;
        })
        .await?;
    Ok(())
}

/// Answers the upgrade. The parameter `room` is the lobby, and the middleware has found the user.
async fn websocket(
    State(app): State<App>,
    Extension(User(name)): Extension<User>,
    upgrade: Upgrade,
) -> Response {
    upgrade.admit(Admission::user(name)).accept(&app.hub)
}

/// Publishes JSON to a room, from outside of any WebSocket. Returns the message's number.
async fn publish(
    State(app): State<App>,
    Extension(User(name)): Extension<User>,
    Path(room): Path<String>,
    Json(content): Json<serde_json::Value>,
) -> Result<Json<Option<u64>>, StatusCode> {
    let content = content.to_string();
    let receipt = app
        .hub
        .broadcast_from(&room, &content, Some(&name), Exclude::NOBODY);
    receipt.map_or(Err(StatusCode::SERVICE_UNAVAILABLE), |it| Ok(Json(it.seq)))
}

async fn users(State(app): State<App>, Path(room): Path<String>) -> Json<Vec<Arc<str>>> {
    Json(app.hub.room_users(&room))
}

async fn logged_in(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let cookies = request.headers().get(header::COOKIE);
    let cookies = cookies.and_then(|cookies| cookies.to_str().ok());
    let mut cookies = cookies.unwrap_or_default().split("; ");
    let session = cookies.find_map(|cookie| cookie.strip_prefix("session="));
    let user = session.and_then(|session| app.sessions.lock().unwrap().get(session).cloned());
    let Some(user) = user else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    request.extensions_mut().insert(user);
    next.run(request).await
}

/// Logs in as anybody: check a password in a real application.
async fn log_in(State(app): State<App>, name: String) -> Response {
    let (Ok(()), Ok(session)) = (check_user(&name, 128), getrandom::u64()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let cookie = format!("session={session}; HttpOnly; SameSite=Strict");
    app.sessions
        .lock()
        .unwrap()
        .insert(session.to_string(), User(name));
    [(header::SET_COOKIE, cookie)].into_response()
}

/// Enough to see it work. A real page uses the TypeScript client, which reconnects.
const PAGE: &str = include_str!("axum-chat.html");
