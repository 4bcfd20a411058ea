//! Asking sentinels where the master is.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use redis::Value;

use super::config::Config;
use super::connection::Connection;
use super::inbound::Inbound;
use super::problem::Problem;
use super::reach::Reach;
use super::target::Host;
use super::value::to_reply;
use crate::redis::names::Names;
use crate::redis::reply::Reply;
use crate::runtime::Timer;

/// Bytes of what a sentinel answers.
const ANSWER: usize = 64 << 10;

/// Asks one sentinel after the other, beginning with the one of this number. Returns the master, and
/// the number of the sentinel that knew it.
///
/// # Errors
///
/// The problem with the last one.
pub(super) async fn find<R: Reach>(
    config: &Config,
    name: &str,
    first: usize,
) -> Result<(Host, usize), Problem> {
    let hosts = &config.target.hosts;
    let mut last = None;
    for turn in 0..hosts.len() {
        let number = (first + turn) % hosts.len();
        let host = &hosts[number];
        match within::<R::Timer, _>(config.sentinel_timeout, ask::<R>(config, host, name)).await {
            Some(Ok(master)) => return Ok((master, number)),
            Some(Err(problem)) => last = Some(problem),
            None => last = Some(Problem::NoAnswer(host.clone())),
        }
    }
    // A target has at least one host.
    Err(last.unwrap_or(Problem::NoTls))
}

async fn ask<R: Reach>(config: &Config, host: &Host, name: &str) -> Result<Host, Problem> {
    let inbound = Inbound::new(Names::new(&config.prefix), ANSWER, 0);
    let login = config.target.sentinel_login.as_ref();
    let mut sentinel = Connection::open::<R>(config, host, login, 0, inbound).await?;
    let mut request = redis::pipe();
    request
        .cmd("SENTINEL")
        .arg("get-master-addr-by-name")
        .arg(name);
    let answer = sentinel.send(request, 1);
    let answer = sentinel.until(answer).await;
    let answer = answer.map_err(|error| sentinel.problem(&error))?;
    match answer.into_iter().next() {
        Some(Value::ServerError(error)) => Err(sentinel.refusal(&error)),
        Some(Value::Nil) => Err(Problem::NoMaster(host.clone(), name.into())),
        answer => answer.and_then(to_host).ok_or_else(|| {
            Problem::Garbled(host.clone(), "it does not answer as a sentinel does".into())
        }),
    }
}

fn to_host(answer: Value) -> Option<Host> {
    let Some(Reply::List(elements)) = to_reply(answer) else {
        return None;
    };
    let [Reply::Text(name), Reply::Text(port)] = <[Reply; 2]>::try_from(elements).ok()? else {
        return None;
    };
    Some(Host {
        name: String::from_utf8(name).ok().filter(|it| !it.is_empty())?,
        port: str::from_utf8(&port).ok()?.parse().ok()?,
    })
}

/// Runs a future for some time at most.
pub(super) async fn within<T: Timer, F: Future>(time: Duration, future: F) -> Option<F::Output> {
    let mut timer = T::new(T::now() + time);
    let mut future = pin!(future);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        timer.poll(context).map(|()| None)
    })
    .await
}
