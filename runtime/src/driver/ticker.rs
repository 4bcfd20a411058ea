//! Sleeps until the next deadline.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::node::Shared;
use crate::runtime::{Runtime, Timer};
use crate::sync::Arc;

/// How long it sleeps when there is no deadline.
const IDLE: Duration = Duration::from_secs(3_600);
/// Later than this, everything that has piled up meanwhile is read before deadlines are judged.
const LATE: Duration = Duration::from_millis(500);

pub(crate) async fn tick<R: Runtime>(shared: Arc<Shared>) {
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
            // A timer may be early by its own granularity: the clock decides.
            if timer.poll(context).is_ready() {
                set = R::Timer::now();
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        // Input that is in the sockets already comes before deadlines.
        let late = shared
            .alarm()
            .is_some_and(|due| shared.now().since(due) > LATE);
        for _ in 0..if late { 64 } else { 2 } {
            R::yield_now().await;
        }
        shared.with(|locked, now| locked.switchboard.tick(now));
        shared.set_alarm();
    }
}
