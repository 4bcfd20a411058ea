//! An axum application with a hub, and its clients over both versions of HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRef, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use hyper::StatusCode;
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use switchboard_tokio::http::{EventStreams, HubService, Upgrade};
use switchboard_tokio::{Admission, Application, Config, Denied, Hub, Identity, WeakHub};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::socket::{Socket, Stream};

/// Authenticates by token, and notes what it is asked.
struct Chat {
    asked: Arc<Mutex<Vec<(String, IpAddr)>>>,
}

impl Application for Chat {
    async fn authenticate(&self, request: &switchboard_tokio::Request) -> Result<Identity, Denied> {
        let asked = (request.path().to_owned(), request.peer());
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(asked);
        let token = request.token().ok_or(Denied::Unauthorized)?;
        Ok(Identity::user(token.reveal()))
    }
}

/// The application's state, of which the hub is a part.
#[derive(Clone)]
struct App {
    hub: Hub,
    motto: &'static str,
}

impl FromRef<App> for Hub {
    fn from_ref(app: &App) -> Self {
        app.hub.clone()
    }
}

/// What the application's own middleware has found out.
#[derive(Clone)]
struct User(String);

async fn log_in(mut request: Request, next: Next) -> Response {
    let Some(user) = request.headers().get("x-session") else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let user = User(user.to_str().expect("text").to_owned());
    request.extensions_mut().insert(user);
    next.run(request).await
}

/// States who the client is, if the session says so.
async fn stated(mut request: Request, next: Next) -> Response {
    if let Some(user) = request.headers().get("x-session") {
        let admission = Admission::user(user.to_str().expect("text"));
        request.extensions_mut().insert(admission);
    }
    next.run(request).await
}

async fn by_token(upgrade: Upgrade, State(hub): State<Hub>) -> Response {
    upgrade.accept(&hub)
}

async fn by_session(
    Extension(User(name)): Extension<User>,
    State(app): State<App>,
    upgrade: Upgrade,
) -> Response {
    upgrade
        .admit(Admission::user(name))
        .lobby("members")
        .accept(&app.hub)
}

async fn page_or_socket(upgrade: Option<Upgrade>, State(app): State<App>) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.accept(&app.hub),
        None => app.motto.into_response(),
    }
}

async fn publish(State(hub): State<Hub>, Path(room): Path<String>, content: String) -> String {
    let receipt = hub.broadcast(&room, &content).expect("JSON");
    receipt.accepted.to_string()
}

fn router(hub: &Hub) -> Router {
    let app = App {
        hub: hub.clone(),
        motto: "all at once",
    };
    let members = Router::new()
        .route("/live", any(by_session))
        .layer(middleware::from_fn(log_in));
    let streams = Router::new()
        .route_service("/sse", EventStreams::new(hub.clone()))
        .route_service("/sse/{room}", EventStreams::new(hub.clone()))
        .layer(middleware::from_fn(stated));
    Router::new()
        .merge(streams)
        .route("/ws/{room}", any(by_token))
        .route("/both", any(page_or_socket))
        .route("/rooms/{room}/messages", post(publish))
        .route("/healthz", get(async || "ok"))
        .nest("/api/v1", members)
        .route_service("/service/{room}", HubService::new(hub.clone()))
        .with_state(app)
}

pub(crate) struct Server {
    pub(crate) hub: Hub,
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, IpAddr)>>>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let chat = Chat {
            asked: asked.clone(),
        };
        let hub = Hub::new(config, chat).expect("a configuration");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = router(&hub).into_make_service_with_connect_info::<SocketAddr>();
        let (stop, stopped) = oneshot::channel::<()>();
        let drained = hub.clone();
        let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
            let _ = stopped.await;
            drained.drain(Duration::ZERO, Duration::from_secs(5)).await;
        });
        let serving = tokio::spawn(async move { serving.await.expect("it served") });
        Self {
            hub,
            address,
            asked,
            stop: Some(stop),
            serving,
        }
    }

    /// Opens a WebSocket over HTTP/1.1. The error is the status of the refusal.
    pub(crate) async fn open(
        &self,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket, u16> {
        let stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        let url = format!("ws://{}{target}", self.address);
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            let value = value.parse().expect("a value");
            request.headers_mut().append(*name, value);
        }
        let json = "switchboard.v1.json".parse().expect("a value");
        request.headers_mut().insert("sec-websocket-protocol", json);
        let stream: Box<dyn Stream> = Box::new(stream);
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens a WebSocket over HTTP/2 (RFC 8441).
    pub(crate) async fn connect(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Socket, u16> {
        let stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.expect("HTTP/2");
        tokio::spawn(connection);
        // The server's settings have to come first, and they come before this answer.
        let health = hyper::Request::get(format!("http://{}/healthz", self.address));
        let health = sender.send_request(health.body(String::new()).expect("a request"));
        assert_eq!(health.await.expect("an answer").status(), 200);
        let mut request = hyper::Request::connect(format!("http://{}{path}", self.address))
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "switchboard.v1.json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(String::new()).expect("a request");
        let mut response = sender.send_request(request).await.expect("an answer");
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(
            response.headers()["sec-websocket-protocol"],
            "switchboard.v1.json"
        );
        let upgraded = hyper::upgrade::on(&mut response).await.expect("a stream");
        let stream: Box<dyn Stream> = Box::new(TokioIo::new(upgraded));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        Ok(Socket(socket))
    }

    pub(crate) fn asked(&self) -> Vec<(String, IpAddr)> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) async fn stop(mut self) -> WeakHub {
        self.stop
            .take()
            .expect("it runs")
            .send(())
            .expect("it waits");
        self.serving.await.expect("axum has ended");
        self.hub.downgrade()
    }
}
