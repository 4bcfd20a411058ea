//! Rate limits and timers, compared with naive implementations.

mod rates;
mod timers;

use std::iter::empty;
use std::net::{IpAddr, Ipv4Addr};

use arbitrary::Unstructured;
use switchboard_core::{ConnectionId, Request, Switchboard, Time};

/// The most steps of one run.
const STEPS: usize = 200;

/// Fuzzes rate limits or timers, as the first byte selects; the rest is the script.
///
/// # Panics
///
/// Panics if an invariant is violated.
pub fn limits(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let outcome = if input.arbitrary::<u8>().unwrap_or(0) & 1 == 0 {
        rates::run(&mut input)
    } else {
        timers::run(&mut input)
    };
    // Running out of bytes ends the run without a fault.
    let _ = outcome;
}

const fn address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
}

/// Hands in a request for an upgrade.
fn ask(
    board: &mut Switchboard,
    now: Time,
    id: ConnectionId,
    peer: IpAddr,
) -> switchboard_core::RequestOutcome {
    let mut request =
        Request::upgraded("/ws", None, empty::<(&str, &str)>()).expect("a valid request");
    request.set_peer(peer);
    board
        .upgraded(now, id, &request)
        .expect("a live connection")
}
