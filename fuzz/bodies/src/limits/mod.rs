//! Rate limits and timers beside naive twins.

mod rates;
mod timers;

use std::iter::empty;
use std::net::{IpAddr, Ipv4Addr};

use arbitrary::Unstructured;
use switchboard_core::{ConnectionId, Request, Switchboard, Time};

/// The most steps of one run.
const STEPS: usize = 200;

/// The first byte chooses one of the two, and the rest is what happens.
///
/// # Panics
/// Where a promise is broken.
pub fn limits(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let outcome = if input.arbitrary::<u8>().unwrap_or(0) & 1 == 0 {
        rates::run(&mut input)
    } else {
        timers::run(&mut input)
    };
    // Too few bytes are the end of the run, and no fault.
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
    let mut request = Request::upgraded("/ws", None, empty::<(&str, &str)>()).expect("legal");
    request.set_peer(peer);
    board.upgraded(now, id, &request).expect("it is there")
}
