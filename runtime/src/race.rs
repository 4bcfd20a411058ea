//! Connects to a host with several addresses (Happy Eyeballs, RFC 8305), so that an unresponsive
//! address does not delay the others for long.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::runtime::Timer;

/// Delay before the next address is tried.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first address that answers.
///
/// Starts the attempts in order, alternating between IPv6 and IPv4: the next one starts when the last
/// has failed, or after 250 ms. The first success cancels the others.
///
/// # Errors
///
/// The error of the attempt that failed last, or `NotFound` without an address.
pub async fn race<T: Timer, C, F: Future<Output = io::Result<C>>>(
    addresses: impl IntoIterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<C> {
    let mut race = Race {
        addresses: by_turns(addresses),
        connect,
        runners: Vec::new(),
        timer: T::new(T::now()),
    };
    poll_fn(|context| race.poll(context)).await
}

struct Race<T, A, F> {
    addresses: VecDeque<SocketAddr>,
    connect: A,
    runners: Vec<Pin<Box<F>>>,
    /// Fires when the next attempt is due.
    timer: T,
}

impl<T: Timer, C, F: Future<Output = io::Result<C>>, A: Fn(SocketAddr) -> F> Race<T, A, F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<C>> {
        let mut failed = None;
        let mut winner = None;
        self.runners.retain_mut(|runner| {
            if winner.is_some() {
                return true;
            }
            match runner.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(Ok(connection)) => {
                    winner = Some(connection);
                    false
                }
                Poll::Ready(Err(error)) => {
                    failed = Some(error);
                    false
                }
            }
        });
        if let Some(connection) = winner {
            return Poll::Ready(Ok(connection));
        }
        while failed.is_some() || self.timer.poll(context).is_ready() {
            let Some(address) = self.addresses.pop_front() else {
                break;
            };
            self.timer.set(T::now() + HEAD_START);
            let mut runner = Box::pin((self.connect)(address));
            match runner.as_mut().poll(context) {
                Poll::Pending => {
                    self.runners.push(runner);
                    failed = None;
                }
                Poll::Ready(Ok(connection)) => return Poll::Ready(Ok(connection)),
                Poll::Ready(Err(error)) => failed = Some(error),
            }
        }
        if self.runners.is_empty() && self.addresses.is_empty() {
            let nowhere = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
            return Poll::Ready(Err(failed.unwrap_or_else(nowhere)));
        }
        Poll::Pending
    }
}

/// Interleaves the two address families, keeping the order within each.
fn by_turns(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let all: Vec<SocketAddr> = addresses.into_iter().collect();
    let first = all.first().map(SocketAddr::is_ipv4);
    let (mut ours, mut others): (VecDeque<_>, VecDeque<_>) = all
        .into_iter()
        .partition(|address| Some(address.is_ipv4()) == first);
    let mut by_turns = VecDeque::new();
    while !ours.is_empty() || !others.is_empty() {
        by_turns.extend(ours.pop_front());
        by_turns.extend(others.pop_front());
    }
    by_turns
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::{Ready, ready};
    use std::pin::pin;
    use std::task::Waker;

    use super::*;
    use crate::schedules::alarm::Alarm;
    use crate::schedules::machine::advance;

    /// The outcome of an attempt.
    #[derive(Clone, Copy)]
    enum Fate {
        Answers,
        Refuses,
        Swallows,
    }

    /// An attempt with a predetermined outcome.
    enum Attempt {
        Over(Ready<io::Result<u16>>),
        Never,
    }

    impl Future for Attempt {
        type Output = io::Result<u16>;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            match &mut *self {
                Self::Over(answer) => Pin::new(answer).poll(context),
                Self::Never => Poll::Pending,
            }
        }
    }

    fn address(port: u16) -> SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, port).into()
    }

    /// Races attempts with these fates; their ports are their indices. Returns the result, if there is one
    /// within `head_starts` delays, and the ports that were tried.
    fn run(fates: &[Fate], head_starts: u32) -> (Option<Result<u16, String>>, Vec<u16>) {
        let tried = RefCell::new(Vec::new());
        let connect = |address: SocketAddr| {
            let port = address.port();
            tried.borrow_mut().push(port);
            match fates[usize::from(port)] {
                Fate::Answers => Attempt::Over(ready(Ok(port))),
                Fate::Refuses => Attempt::Over(ready(Err(io::Error::other(format!("no {port}"))))),
                Fate::Swallows => Attempt::Never,
            }
        };
        let addresses = (0..fates.len() as u16).map(address);
        let mut context = Context::from_waker(Waker::noop());
        let mut result = None;
        {
            let mut race = pin!(race::<Alarm, _, _>(addresses, connect));
            for elapsed in 0..=head_starts {
                if elapsed > 0 {
                    advance(HEAD_START);
                }
                if let Poll::Ready(answer) = race.as_mut().poll(&mut context) {
                    result = Some(answer.map_err(|error| error.to_string()));
                    break;
                }
            }
        }
        (result, tried.into_inner())
    }

    #[test]
    fn an_address_that_swallows_packets_does_not_keep_us_from_the_next() {
        let fates = [Fate::Swallows, Fate::Swallows, Fate::Answers];
        assert_eq!(run(&fates, 1), (None, vec![0, 1]));
        assert_eq!(run(&fates, 2), (Some(Ok(2)), vec![0, 1, 2]));
    }

    #[test]
    fn an_address_that_refuses_costs_no_time() {
        let fates = [Fate::Refuses, Fate::Refuses, Fate::Answers, Fate::Answers];
        assert_eq!(run(&fates, 0), (Some(Ok(2)), vec![0, 1, 2]));
    }

    #[test]
    fn where_all_fail_the_last_failure_is_told() {
        let refused = Some(Err("no 1".to_owned()));
        let fates = [Fate::Refuses, Fate::Refuses];
        assert_eq!(run(&fates, 0), (refused, vec![0, 1]));
        let nowhere = Some(Err("the host has no address".to_owned()));
        assert_eq!(run(&[], 0), (nowhere, vec![]));
        // An attempt that is still pending is waited for.
        let fates = [Fate::Swallows, Fate::Refuses];
        assert_eq!(run(&fates, 100), (None, vec![0, 1]));
    }

    #[test]
    fn families_take_turns() {
        let four = address;
        let six = |port| SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port));
        let turns = by_turns([six(1), six(2), six(3), four(4), four(5)]);
        assert_eq!(turns, [six(1), four(4), six(2), four(5), six(3)]);
    }
}
