//! The listener of the HTTP API: a request per connection, and a thread for each. No call of a hub waits for
//! a client, so this needs no runtime, and is the same for each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use switchboard_core::response::{self, PageResponse};
use switchboard_runtime::http_api::{ApiRequest, HttpApi};

use super::callers::{Callers, Seat};

/// The time that a request, its answer and the end may take together.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time that is left to tell a client that its request took too long.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Pause after an error of `accept`, such as too many open files.
const REST: Duration = Duration::from_millis(50);

const HEAD_BYTES: usize = 16 << 10;
const FIELDS: usize = 64;

/// Input that is discarded after the answer, so that it does not turn the answer into a reset.
const DISCARD: usize = 256 << 10;

/// Listens for calls of the API until the process ends. Returns the address.
///
/// # Errors
///
/// Fails if the address cannot be listened on, or if no thread can be started.
pub fn listen(address: SocketAddr, api: HttpApi) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let thread = thread::Builder::new().name("api".into());
    thread.spawn(move || accept(&listener, &api))?;
    Ok(address)
}

fn accept(listener: &TcpListener, api: &HttpApi) {
    let callers = Arc::new(Callers::default());
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                if let Err(error) = start(stream, peer, api, &callers) {
                    tracing::warn!(%peer, %error, "cannot serve a call of the API");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                thread::sleep(REST);
            }
        }
    }
}

fn start(
    stream: TcpStream,
    peer: SocketAddr,
    api: &HttpApi,
    callers: &Arc<Callers>,
) -> io::Result<()> {
    let seat = callers.enter(stream.try_clone()?);
    let api = api.clone();
    let thread = thread::Builder::new().name("api call".into());
    thread.spawn(move || {
        let input = Input::new(stream, Instant::now() + PATIENCE);
        if let Err(error) = serve(input, &api, seat) {
            tracing::debug!(%peer, %error, "a call of the API was cut off");
        }
    })?;
    Ok(())
}

fn serve(mut input: Input, api: &HttpApi, mut seat: Seat) -> io::Result<()> {
    let page = match input.answer(api, &mut seat) {
        Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
            input.deadline = Instant::now() + LAST_WORD;
            refusal(408, "timeout", "the request did not arrive in time")
        }
        other => other?,
    };
    let answer = response::page(&page, input.is_head).map_err(io::Error::other)?;
    input.stream.set_write_timeout(Some(input.left()?))?;
    input.stream.write_all(&answer)?;
    input.stream.shutdown(Shutdown::Write)?;
    seat.release();
    input.buffer.clear();
    while input.buffer.len() < DISCARD && input.read()? > 0 {}
    Ok(())
}

/// What was read of a connection.
struct Input {
    stream: TcpStream,
    buffer: Vec<u8>,
    deadline: Instant,
    /// Whether the method is HEAD, whose answers have no body.
    is_head: bool,
}

/// What matters of the head of a request.
struct Head {
    method: String,
    path: String,
    fields: Vec<(String, String)>,
    /// Bytes of the head itself.
    len: usize,
}

impl Input {
    fn new(stream: TcpStream, deadline: Instant) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            deadline,
            is_head: false,
        }
    }

    fn answer(&mut self, api: &HttpApi, seat: &mut Seat) -> io::Result<PageResponse> {
        let head = match self.head()? {
            Ok(head) => head,
            Err(page) => return Ok(page),
        };
        self.is_head = head.method == "HEAD";
        let header = |name: &'static str| head.header(name);
        let request = ApiRequest::new(&head.method, &head.path, header);
        let length = match head.content_length() {
            Ok(length) => length,
            Err(page) => return Ok(page),
        };
        if let Err(page) = api.check(&request, length) {
            return Ok(page);
        }
        // It is at most `max_body`.
        let end = head.len + length as usize;
        if self.buffer.len() < end && head.header("Expect").is_some() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        while self.buffer.len() < end {
            if self.read()? == 0 {
                let rule = "the body is shorter than its Content-Length";
                return Ok(refusal(400, "bad_request", rule));
            }
        }
        // A caller that is cut off from here on may have been served.
        seat.keep()?;
        Ok(api.answer(&request, &self.buffer[head.len..end]))
    }

    /// Reads a head, or returns the answer to one that is illegal.
    fn head(&mut self) -> io::Result<Result<Head, PageResponse>> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS];
            let mut request = httparse::Request::new(&mut fields);
            match request.parse(&self.buffer) {
                Ok(httparse::Status::Complete(len)) => return Ok(Ok(Head::of(&request, len))),
                Ok(httparse::Status::Partial) if self.buffer.len() < HEAD_BYTES => {
                    if self.read()? == 0 {
                        return Ok(Err(refusal(400, "bad_request", "the head is not complete")));
                    }
                }
                Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                    let rule = "too many header fields, or too large";
                    return Ok(Err(refusal(431, "bad_request", rule)));
                }
                Err(_) => return Ok(Err(refusal(400, "bad_request", "the head is not HTTP/1"))),
            }
        }
    }

    /// Reads what has come; returns how much that is.
    fn read(&mut self) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        let mut some = [0; 16 << 10];
        let count = self.stream.read(&mut some)?;
        self.buffer.extend_from_slice(&some[..count]);
        Ok(count)
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Head {
    fn of(request: &httparse::Request<'_, '_>, len: usize) -> Self {
        let fields = request.headers.iter().map(|field| {
            let value = String::from_utf8_lossy(field.value);
            (field.name.to_owned(), value.trim().to_owned())
        });
        Self {
            method: request.method.unwrap_or_default().to_owned(),
            path: request.path.unwrap_or_default().to_owned(),
            fields: fields.collect(),
            len,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|field| field.0.eq_ignore_ascii_case(name));
        found.map(|field| &*field.1)
    }

    /// Returns the length of the body, or the answer to a request that does not tell it.
    fn content_length(&self) -> Result<u64, PageResponse> {
        if self.header("Transfer-Encoding").is_some() {
            let rule = "the length of the body must be in the header Content-Length";
            return Err(refusal(411, "length_required", rule));
        }
        let named = |field: &&(String, String)| field.0.eq_ignore_ascii_case("Content-Length");
        let mut lengths = self.fields.iter().filter(named).map(|field| &*field.1);
        let Some(length) = lengths.next() else {
            return Ok(0);
        };
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        match length.parse() {
            Ok(number) if digits && lengths.all(|other| other == length) => Ok(number),
            _ => Err(refusal(400, "bad_request", "an illegal Content-Length")),
        }
    }
}

fn refusal(status: u16, code: &str, message: &str) -> PageResponse {
    let error = json!({ "code": code, "message": message });
    PageResponse::json(status, &json!({ "error": error }))
}

#[cfg(test)]
mod tests {
    use switchboard_core::{Config, Token};
    use switchboard_runtime::{Application, Hub};

    use super::*;

    struct Plain;

    impl Application for Plain {}

    #[test]
    fn a_client_that_takes_too_long_is_told_so() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut client = TcpStream::connect(address).expect("a connection");
        client
            .write_all(b"POST /api/info HTTP/1.1\r\n")
            .expect("sent");
        client.shutdown(Shutdown::Write).expect("an end");
        let (stream, _) = listener.accept().expect("a connection");
        let hub = Hub::new(Config::default(), Plain).expect("a hub");
        let api = HttpApi::new(hub, Token::new("key"));
        let callers = Arc::new(Callers::default());
        let seat = callers.enter(stream.try_clone().expect("a copy"));
        let late = Input::new(stream, Instant::now());
        serve(late, &api, seat).expect("answered");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains(r#""code":"timeout""#), "{answer}");
    }
}
