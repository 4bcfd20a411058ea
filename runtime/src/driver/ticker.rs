//! Sleeps until the core's next deadline, then ticks it.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::listen::Listen;
use crate::node::{Locked, Shared};
use crate::runtime::Timer;
use crate::sync::Arc;

/// Sleep time without a deadline.
const IDLE: Duration = Duration::from_secs(3_600);
/// Beyond this delay, all accumulated input is read before deadlines are judged.
const LATE: Duration = Duration::from_millis(500);

pub(crate) async fn tick<R: Listen>(shared: Arc<Shared>) {
    let mut set = R::Timer::now() + IDLE;
    let mut timer = R::Timer::new(set);
    shared.set_alarm();
    while !shared.is_closed() {
        poll_fn(|context| {
            shared.ticker.register(context.waker());
            if shared.is_closed() {
                return Poll::Ready(());
            }
            let due = shared.alarm().map(|at| shared.instant(at));
            let wanted = due.unwrap_or_else(|| R::Timer::now() + IDLE);
            if due.is_some() && wanted <= R::Timer::now() {
                return Poll::Ready(());
            }
            if wanted != set {
                set = wanted;
                timer.set(wanted);
            }
            // A timer may fire early by its granularity, so compare with the clock.
            if timer.poll(context).is_ready() {
                set = R::Timer::now();
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        // Input that already waits in the sockets is handled before deadlines.
        let late = shared
            .alarm()
            .is_some_and(|due| shared.now().since(due) > LATE);
        for _ in 0..if late { 64 } else { 2 } {
            R::yield_now().await;
        }
        shared.with(Locked::tick);
        shared.set_alarm();
    }
}
