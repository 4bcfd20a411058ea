//! One connection to a server: opening it, and asking it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, Pipeline, ProtocolVersion, PushInfo, RedisConnectionInfo,
    RedisError, ServerError, Value,
};
use switchboard_core::cluster::Failure;

use super::config::Config;
use super::inbound::Inbound;
use super::problem::Problem;
use super::reach::Reach;
use super::stream::Metered;
use super::target::{Host, Login};
use super::value::error_text;
use crate::redis::reply::failure;
use crate::runtime::BoxFuture;
use crate::sync::Arc;

/// A connection to a server. It does nothing unless it is polled.
pub(super) struct Connection {
    pub(super) host: Host,
    pub(super) inbound: Arc<Inbound>,
    requests: MultiplexedConnection,
    /// Reads and writes; `None` when it has ended.
    driver: Option<BoxFuture<()>>,
}

impl Connection {
    /// Connects to a server and logs in.
    pub(super) async fn open<R: Reach>(
        config: &Config,
        host: &Host,
        login: Option<&Login>,
        database: u32,
        inbound: Arc<Inbound>,
    ) -> Result<Self, Problem> {
        let stream = R::reach(config.address(host)?).await;
        let stream = stream.map_err(|error| unreachable(host, &error))?;
        let stream = Metered::new(stream, inbound.meter.clone());
        let receiver = inbound.clone();
        let settings = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_push_sender(move |push: PushInfo| {
                receiver.receive(push);
                Ok::<(), ()>(())
            });
        let info = info(login, database);
        let mut opening = pin!(MultiplexedConnection::new_with_config(
            &info, stream, settings
        ));
        let opened = poll_fn(|context| {
            inbound.meter.begin_turn();
            opening.as_mut().poll(context)
        });
        let (requests, driver) = opened
            .await
            .map_err(|error| to_problem(host, &inbound, &error))?;
        inbound.meter.understood();
        Ok(Self {
            host: host.clone(),
            inbound,
            requests,
            driver: Some(Box::pin(driver)),
        })
    }

    /// Sends requests in one write. There may be one such future at a time. The connection has to be
    /// polled until it is ready, and it must be dropped together with the connection.
    pub(super) fn send(
        &self,
        requests: Pipeline,
        count: usize,
    ) -> impl Future<Output = Result<Vec<Value>, RedisError>> + Send + 'static {
        let mut connection = self.requests.clone();
        async move { connection.send_packed_commands(&requests, 0, count).await }
    }

    /// Subscribes to channels, or unsubscribes, and waits for the confirmations. As for
    /// [`send`](Self::send).
    pub(super) fn subscribe(
        &self,
        channels: Vec<String>,
        subscribed: bool,
    ) -> impl Future<Output = Result<(), RedisError>> + Send + 'static {
        let mut connection = self.requests.clone();
        async move {
            if subscribed {
                connection.subscribe(channels).await
            } else {
                connection.unsubscribe(channels).await
            }
        }
    }

    /// Reads and writes what can be. Returns whether the connection is still there.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        self.inbound.meter.begin_turn();
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(context).is_ready()
        {
            self.driver = None;
        }
        self.driver.is_some()
    }

    /// Reads and writes until a request has been answered.
    pub(super) async fn until<T>(&mut self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        poll_fn(|context| {
            if let Poll::Ready(answer) = request.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            // Without a driver, the request fails.
            self.poll(context);
            request.as_mut().poll(context)
        })
        .await
    }

    /// Why it ended, where no request was answered with an error.
    pub(super) fn end(&self) -> Problem {
        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
        self.problem(&error.into())
    }

    /// What an error of a request means.
    pub(super) fn problem(&self, error: &RedisError) -> Problem {
        to_problem(&self.host, &self.inbound, error)
    }

    /// What an error reply means.
    pub(super) fn refusal(&self, error: &ServerError) -> Problem {
        let text = error_text(error);
        Problem::of_server(&self.host, failure(&text), &text)
    }
}

fn info(login: Option<&Login>, database: u32) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_db(database.into())
        // It would need a further permission.
        .set_skip_set_lib_name();
    if let Some(Login { user, password }) = login {
        info = info.set_password(password);
        if let Some(user) = user {
            info = info.set_username(user);
        }
    }
    info
}

fn unreachable(host: &Host, error: &io::Error) -> Problem {
    #[cfg(feature = "redis-tls")]
    if let Some(inner) = error.get_ref()
        && inner.is::<rustls::Error>()
    {
        return Problem::Tls(host.clone(), error.to_string().into());
    }
    Problem::Unreachable(host.clone(), error.to_string().into())
}

fn to_problem(host: &Host, inbound: &Inbound, error: &RedisError) -> Problem {
    if inbound.meter.is_exceeded() {
        let error = "an answer is larger than the limit";
        return Problem::Garbled(host.clone(), error.into());
    }
    if let Some(code) = error.code() {
        let text = match error.detail() {
            Some(details) => format!("{code} {details}"),
            None => code.to_owned(),
        };
        return Problem::of_server(host, failure(&text), &text);
    }
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Io => Problem::Ended(host.clone(), text.into()),
        ErrorKind::AuthenticationFailed => Problem::Login(host.clone()),
        ErrorKind::RESP3NotSupported => Problem::TooOld(host.clone(), "before 6.0".into()),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            Problem::Garbled(host.clone(), text.into())
        }
        _ => Problem::Server(host.clone(), Failure::Other, text.into()),
    }
}
