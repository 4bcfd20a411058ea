//! The task of an adapter.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use super::config::Config;
use super::connection::Connection;
use super::dial::Dialer;
use super::inbound::Pushes;
use super::introduction::Introduced;
use super::journal::Journal;
use super::link::{Event, Link, Order};
use super::live::{Live, Report};
use super::problem::Problem;
use super::reach::Reach;
use super::reading::Reading;
use crate::runtime::{BoxFuture, Timer};
use crate::sync::Arc;

/// Rounds before other tasks get their turn.
const ROUNDS: usize = 32;

/// Serves a machine until its link ends. Spawn it on the runtime `R`.
pub async fn run<R: Reach>(config: Config, link: impl Link) {
    let dialer = Dialer::new(config);
    let mut adapter = Adapter::<R, _> {
        reading: Reading::new(dialer.clone()),
        dialer,
        link,
        attempt: 0,
        state: State::Away,
        journal: Journal::default(),
    };
    poll_fn(|context| adapter.poll(context)).await;
}

struct Adapter<R: Reach, L> {
    dialer: Arc<Dialer>,
    link: L,
    /// The number of the last attempt.
    attempt: u64,
    state: State,
    reading: Reading<R>,
    journal: Journal,
}

type Dialed = Result<(Connection, Introduced), Problem>;

enum State {
    Away,
    Dialing(BoxFuture<Dialed>),
    Live(Box<Live>),
}

impl<R: Reach, L: Link> Adapter<R, L> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS {
            let mut worked = false;
            while let Poll::Ready(order) = self.link.poll_order(context) {
                let Some(order) = order else {
                    return Poll::Ready(());
                };
                self.obey(order);
                worked = true;
            }
            worked |= self.work(context);
            if !worked {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn obey(&mut self, order: Order) {
        match (order, &mut self.state) {
            (Order::Connect(attempt), _) => {
                self.attempt = attempt;
                self.reading.close();
                self.state = State::Dialing(Box::pin(self.dialer.clone().dial::<R>()));
            }
            (Order::Hangup, _) => self.hang_up(),
            (Order::Subscribe(channels), State::Live(live)) => live.subscribe(&channels, true),
            (Order::Unsubscribe(channels), State::Live(live)) => live.subscribe(&channels, false),
            (Order::Send(commands), State::Live(live)) => live.send(commands),
            (Order::Read(number, command), State::Live(_)) => self.reading.read(number, command),
            _ => {}
        }
    }

    fn hang_up(&mut self) {
        let silent = match &self.state {
            State::Away => None,
            State::Dialing(_) => Some(self.dialer.asked()),
            State::Live(live) => live.is_asked().then(|| live.host().clone()),
        };
        if let Some(host) = silent {
            let problem = Problem::NoAnswer(host);
            self.journal.problem(R::Timer::now(), &problem);
        }
        self.drop_connection();
    }

    /// Reads, writes and asks. Returns whether there was anything to do.
    fn work(&mut self, context: &mut Context<'_>) -> bool {
        let mut reports = Vec::new();
        let (mut dialed, mut read) = (None, Vec::new());
        // A panic of the client library must end the connection only.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            match &mut self.state {
                State::Away => {}
                State::Dialing(dialing) => {
                    if let Poll::Ready(it) = dialing.as_mut().poll(context) {
                        dialed = Some(it);
                    }
                }
                State::Live(live) => live.poll(context, &mut |report| reports.push(report)),
            }
            read.extend(std::iter::from_fn(|| self.reading.poll(context)));
        }));
        let worked = !reports.is_empty() || dialed.is_some() || !read.is_empty();
        if let Some(dialed) = dialed {
            self.dialed(dialed);
        }
        for report in reports {
            self.report(report);
        }
        for (number, done) in read {
            self.link.tell(self.attempt, Event::Read(number, done));
        }
        if polled.is_err() {
            let error = "the client library panicked";
            self.lost(Problem::Garbled(self.dialer.asked(), error.into()));
        }
        worked || polled.is_err()
    }

    fn dialed(&mut self, dialed: Dialed) {
        match dialed {
            Ok((connection, introduced)) => {
                self.journal.connected(&connection.host, &introduced);
                let live = Live::new(connection, self.dialer.names.clone());
                self.state = State::Live(Box::new(live));
                let incarnation = introduced.incarnation;
                self.link
                    .tell(self.attempt, Event::Connected { incarnation });
            }
            Err(problem) => self.lost(problem),
        }
    }

    fn report(&mut self, report: Report) {
        let event = match report {
            Report::Pushed(Pushes {
                messages: pushes,
                dropped,
            }) => Event::Pushed { pushes, dropped },
            Report::Answered(answers, problem) => {
                match problem {
                    None => self.journal.works(),
                    Some(problem) => self.journal.problem(R::Timer::now(), &problem),
                }
                Event::Answered(answers)
            }
            Report::Lost(problem) => return self.lost(problem),
        };
        self.link.tell(self.attempt, event);
    }

    fn lost(&mut self, problem: Problem) {
        self.drop_connection();
        self.journal.problem(R::Timer::now(), &problem);
        self.link.tell(self.attempt, Event::Lost(problem));
    }

    fn drop_connection(&mut self) {
        self.state = State::Away;
        self.reading.close();
    }
}
