//! [`EventStreams`]: a tower service for clients that can open no WebSocket.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Buf, Bytes, Frame};
use switchboard_core::{Admission, Refused};
use tower_service::Service;

use super::attach::{HyperIo, unknown};
use super::framework;
use super::pipe::{LibraryEnd, pipe};
use super::refusal::refusal;
use crate::hub::Hub;
use crate::net::{AnySocket, PolledSocket};
use crate::node::Arrival;
use crate::runtime::BoxFuture;
use crate::shield::error;

/// Bytes of a response's body that are taken from the hub at a time.
const CHUNK: usize = 16 << 10;

/// Headers that concern the connection to the library, or that the hub must not see, since it receives
/// the request as HTTP/1.1 on a separate stream.
const OMITTED: [&str; 8] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A tower service that passes requests for event streams, and the posts of their clients, to a hub.
///
/// The path has to be that of [`Config::sse`](switchboard_core::Config::sse), as for a listener of the
/// hub itself, so it needs two routes, such as `/sse` and `/sse/{room}`. Admission, responses, posts
/// and preflight requests of browsers behave as on such a listener.
///
/// A middleware can supply the client's identity as an [`Admission`] among the request's extensions.
/// The application's hook `admit` is then not called.
pub struct EventStreams<R> {
    hub: Hub,
    peer: Option<IpAddr>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: HyperIo> EventStreams<R> {
    /// Creates a service. Where the addresses of clients are not known to the framework, each needs a clone
    /// with its [`peer`](Self::peer).
    pub fn new(hub: Hub) -> Self {
        Self {
            hub,
            peer: None,
            runtime: PhantomData,
        }
    }

    /// Sets the address of the peer, as [`Upgrade::peer`](super::Upgrade::peer) does.
    #[must_use]
    pub fn peer(mut self, peer: IpAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Opens a stream to the hub, and sends the head of the request on it.
    fn begin(&self, parts: &mut Parts) -> io::Result<LibraryEnd> {
        let (theirs, ours) = pipe();
        let peer = self.peer.or_else(|| framework::peer(&parts.extensions));
        let admission = parts.extensions.remove::<Admission>();
        let arrival = admission.map_or(Arrival::Fresh(None), |it| Arrival::Stated(Box::new(it)));
        let socket = AnySocket::new(PolledSocket::new(theirs));
        let peer = peer.unwrap_or_else(unknown);
        self.hub.attach::<R>(socket, peer, arrival, head(parts))?;
        Ok(ours)
    }
}

impl<R> Clone for EventStreams<R> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            peer: self.peer,
            runtime: PhantomData,
        }
    }
}

impl<R> fmt::Debug for EventStreams<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStreams")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl<R, B> Service<Request<B>> for EventStreams<R>
where
    R: HyperIo,
    B: Body<Data: Send> + Send + 'static,
{
    type Response = Response<EventStreamBody>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Response<EventStreamBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let stream = self.begin(&mut parts);
        Box::pin(async move {
            let response = match stream {
                Ok(stream) => exchange(stream, body).await,
                Err(error) => {
                    error!(%error, "failed to hand over a request for an event stream");
                    None
                }
            };
            Ok(response.unwrap_or_else(|| refusal(Refused::Internal)))
        })
    }
}

/// The body of a response: an event stream, or the answer to a post.
pub struct EventStreamBody {
    /// What has been taken from the hub already.
    first: Vec<u8>,
    rest: Option<LibraryEnd>,
}

impl From<String> for EventStreamBody {
    fn from(text: String) -> Self {
        Self {
            first: text.into(),
            rest: None,
        }
    }
}

impl fmt::Debug for EventStreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStreamBody").finish_non_exhaustive()
    }
}

impl Body for EventStreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut bytes = std::mem::take(&mut self.first);
        if bytes.is_empty()
            && let Some(stream) = &self.rest
        {
            bytes.resize(CHUNK, 0);
            let taken = ready!(stream.poll_receive(context, &mut bytes));
            bytes.truncate(taken);
        }
        if bytes.is_empty() {
            self.rest = None;
            return Poll::Ready(None);
        }
        bytes.shrink_to_fit();
        Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
    }
}

/// Returns the head of a request as the hub reads it.
fn head(parts: &Parts) -> Vec<u8> {
    let uri = framework::original(&parts.extensions).unwrap_or(&parts.uri);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut head = format!("{} {target} HTTP/1.1\r\n", parts.method).into_bytes();
    let mut add = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            head.extend_from_slice(part);
        }
    };
    if let Some(authority) = uri.authority()
        && !parts.headers.contains_key(HOST)
    {
        add("host", authority.as_str().as_bytes());
    }
    for (name, value) in &parts.headers {
        if !OMITTED.contains(&name.as_str()) {
            add(name.as_str(), value.as_bytes());
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Sends the body of a request until the response to it begins. Returns `None` if none does.
async fn exchange<B: Body>(stream: LibraryEnd, body: B) -> Option<Response<EventStreamBody>> {
    let mut body = pin!(Some(body));
    let (mut unsent, mut received) = (None::<B::Data>, Vec::new());
    let head = poll_fn(|context| {
        while let Poll::Ready(goes_on) = poll_forward(&stream, context, &mut body, &mut unsent) {
            if !goes_on {
                body.set(None);
                break;
            }
        }
        poll_head(&stream, context, &mut received)
    });
    let (mut response, length) = head.await?;
    let body = EventStreamBody {
        first: received.split_off(length),
        rest: Some(stream),
    };
    response.headers_mut().remove(CONNECTION);
    // An event stream has none.
    if response.status() == StatusCode::NO_CONTENT {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    Some(response.map(|()| body))
}

/// Sends some of the body. Returns whether there may be more.
fn poll_forward<B: Body>(
    stream: &LibraryEnd,
    context: &mut Context<'_>,
    body: &mut Pin<&mut Option<B>>,
    unsent: &mut Option<B::Data>,
) -> Poll<bool> {
    if let Some(data) = unsent
        && data.has_remaining()
    {
        let Ok(sent) = ready!(stream.poll_send(context, data.chunk())) else {
            return Poll::Ready(false);
        };
        data.advance(sent);
        return Poll::Ready(true);
    }
    let Some(body) = body.as_mut().as_pin_mut() else {
        return Poll::Ready(false);
    };
    match ready!(body.poll_frame(context)) {
        Some(Ok(frame)) => {
            *unsent = frame.into_data().ok();
            Poll::Ready(true)
        }
        Some(Err(_)) | None => Poll::Ready(false),
    }
}

/// Receives the head of the response. Returns also its length.
fn poll_head(
    stream: &LibraryEnd,
    context: &mut Context<'_>,
    received: &mut Vec<u8>,
) -> Poll<Option<(Response<()>, usize)>> {
    loop {
        let end = received.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let response = parse(&received[..end]);
            return Poll::Ready(response.map(|response| (response, end + 4)));
        }
        let mut bytes = [0; 1 << 10];
        match ready!(stream.poll_receive(context, &mut bytes)) {
            0 => return Poll::Ready(None),
            length => received.extend_from_slice(&bytes[..length]),
        }
    }
}

/// Parses the head of a response of the hub.
fn parse(head: &[u8]) -> Option<Response<()>> {
    let mut lines = str::from_utf8(head).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).ok()?;
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_str(value).ok()?;
        response.headers_mut().append(name, value);
    }
    Some(response)
}
