//! What drives the connections of a hub: event loops with their tasks and writers, and the ticker.

mod calls;
#[cfg(any(feature = "redis-tokio", feature = "redis-smol"))]
mod cluster;
mod cold;
mod event_loop;
mod locking;
mod reading;
mod steps;
mod task;
mod ticker;
mod writer;

#[cfg(any(feature = "redis-tokio", feature = "redis-smol"))]
pub(crate) use self::cluster::adapter_config;

use std::io;
use std::net::IpAddr;

use switchboard_core::response::{self, HttpDate};
use switchboard_core::{Frame, Refused};

use crate::hub::Host;
use crate::listen::Listen;
use crate::machine;
use crate::net::{AnySocket, Socket};
use crate::node::{Arrival, Arrived, Link, Running};
use crate::runtime::Timer;
use crate::shield::debug;
use crate::sync::Arc;

/// Adds a socket to the node. `early` holds bytes that were already read from it.
pub(crate) fn attach<R: Listen>(
    host: &Arc<Host>,
    executor: impl FnOnce() -> io::Result<R::Executor>,
    socket: AnySocket,
    peer: IpAddr,
    arrival: Arrival,
    early: Vec<u8>,
) -> io::Result<()> {
    start::<R>(host, executor)?;
    let shared = host.shared();
    let inbox = shared.next_event_loop().ok_or_else(no_runtime)?;
    socket.limit_unsent(shared.config.limits.unsent_bytes);
    let link = Arc::new(Link::new(socket, peer, inbox.clone()));
    let upgraded = matches!(arrival, Arrival::Upgraded(_));
    let id = shared.with(|locked, now| {
        locked
            .switchboard
            .set_wall_clock(now, machine::wall_clock());
        let id = locked.switchboard.connect(now, peer)?;
        locked.insert(id, link.clone());
        Ok(id)
    });
    match id {
        Ok(id) => {
            inbox.arrive(Arrived {
                link,
                id,
                peer,
                arrival,
                early,
            });
            if !inbox.runs() {
                // The event loop may have ended before the connection arrived.
                shared.discard_inbox(inbox);
            }
        }
        Err(refused) => {
            debug!(%peer, %refused, "refused");
            let _ = link.socket.try_write(&refusal_response(refused, upgraded));
        }
    }
    Ok(())
}

/// Returns the bytes that refuse a stream for lack of a seat: a Close frame or an HTTP response.
fn refusal_response(refused: Refused, upgraded: bool) -> Vec<u8> {
    if upgraded {
        let reason = refused.close_upgraded();
        let code = reason.code().unwrap_or_default();
        let frame = Frame::close(code, reason.as_str());
        return frame.map_or(Vec::new(), |frame| frame.as_bytes().to_vec());
    }
    let date = HttpDate::from_unix_seconds(machine::wall_clock());
    response::dated(response::refusal(refused, 1), date)
}

/// Spawns the ticker and those event loops that are not running: all of them at first, later those
/// whose runtime has ended.
pub(crate) fn start<R: Listen>(
    host: &Arc<Host>,
    executor: impl FnOnce() -> io::Result<R::Executor>,
) -> io::Result<()> {
    let shared = host.shared();
    if shared.runs() {
        return Ok(());
    }
    let executor = executor()?;
    shared.clock.start(R::Timer::now);
    let (ticker, loops) = shared.start(R::threads(&executor).max(1));
    if let Some(running) = ticker {
        #[cfg(any(feature = "redis-tokio", feature = "redis-smol"))]
        cluster::start::<R>(shared, &executor)?;
        let ticker = ticker::tick::<R>(shared.clone());
        R::spawn(&executor, run_as(running, ticker));
    }
    for (index, running) in loops {
        let event_loop = event_loop::run::<R>(host.clone(), index);
        R::spawn(&executor, run_as(running, event_loop));
    }
    if shared.next_event_loop().is_none() {
        return Err(no_runtime());
    }
    Ok(())
}

/// Runs `future`. The guard is dropped at its end, even if it is never polled.
async fn run_as(running: Running, future: impl Future<Output = ()>) {
    future.await;
    drop(running);
}

fn no_runtime() -> io::Error {
    io::Error::other("the hub's runtime has shut down")
}
