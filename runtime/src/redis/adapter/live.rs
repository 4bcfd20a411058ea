//! The connection for messages: one request at a time, and the pushes that arrive.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use redis::{RedisError, Value};
use switchboard_core::cluster::{Channel, Command, Done};

use super::connection::Connection;
use super::inbound::Pushes;
use super::problem::Problem;
use super::target::Host;
use super::value::{to_done, to_request};
use crate::redis::names::Names;
use crate::runtime::BoxFuture;

/// Channels of one SUBSCRIBE.
const CHANNELS: usize = 512;

/// What is asked of the server.
enum Request {
    Subscribe(Vec<String>, bool),
    Send(Vec<Command>),
}

/// A request whose answer has not come.
enum Asked {
    Subscription(BoxFuture<Result<(), RedisError>>),
    Commands(Vec<Command>, BoxFuture<Result<Vec<Value>, RedisError>>),
}

/// A report of a connection.
pub(super) enum Report {
    Pushed(Pushes),
    /// What became of each command, and the first problem among them.
    Answered(Vec<Done>, Option<Problem>),
    /// It is no longer usable.
    Lost(Problem),
}

/// A connection that serves a machine.
pub(super) struct Live {
    connection: Connection,
    names: Names,
    requests: VecDeque<Request>,
    asked: Option<Asked>,
}

impl Live {
    pub(super) fn new(connection: Connection, names: Names) -> Self {
        Self {
            connection,
            names,
            requests: VecDeque::new(),
            asked: None,
        }
    }

    pub(super) fn host(&self) -> &Host {
        &self.connection.host
    }

    /// Whether answers to commands are awaited.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self.asked, Some(Asked::Commands(..)))
    }

    /// Subscribes to channels, or unsubscribes. Neighbours go in one request.
    pub(super) fn subscribe(&mut self, channels: &[Channel], subscribed: bool) {
        for channel in channels {
            let name = self.names.channel(channel);
            match self.requests.back_mut() {
                Some(Request::Subscribe(names, to))
                    if *to == subscribed && names.len() < CHANNELS =>
                {
                    names.push(name);
                }
                _ => {
                    let request = Request::Subscribe(vec![name], subscribed);
                    self.requests.push_back(request);
                }
            }
        }
    }

    pub(super) fn send(&mut self, commands: Vec<Command>) {
        self.requests.push_back(Request::Send(commands));
    }

    /// Reads, writes and sends requests. Data is reported in the order of arrival, except that data
    /// read together with an answer may be reported before it.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, tell: &mut dyn FnMut(Report)) {
        loop {
            self.ask();
            // A request is given to the connection when it is polled for the first time.
            let mut answered = self.poll_asked(context);
            if answered.is_none() {
                let is_there = self.connection.poll(context);
                let pushes = self.connection.inbound.take();
                if !pushes.is_empty() {
                    tell(Report::Pushed(pushes));
                }
                answered = self.poll_asked(context);
                if answered.is_none() && !is_there {
                    return tell(Report::Lost(self.connection.end()));
                }
            }
            match answered {
                None => return,
                Some(Ok(None)) => {}
                Some(Ok(Some(report))) => tell(report),
                Some(Err(problem)) => return tell(Report::Lost(problem)),
            }
        }
    }

    /// Asks the next question, unless an answer is awaited: futures of the client library that are polled
    /// together may overtake each other.
    fn ask(&mut self) {
        if self.asked.is_some() {
            return;
        }
        self.asked = match self.requests.pop_front() {
            None => None,
            Some(Request::Subscribe(names, subscribed)) => {
                let request = self.connection.subscribe(names, subscribed);
                Some(Asked::Subscription(Box::pin(request)))
            }
            Some(Request::Send(commands)) => {
                let mut requests = redis::pipe();
                for command in &commands {
                    requests.add_command(to_request(&self.names, command));
                }
                let request = self.connection.send(requests, commands.len());
                Some(Asked::Commands(commands, Box::pin(request)))
            }
        };
    }

    /// Returns the outcome of a request, if there is one; subscriptions are not reported.
    fn poll_asked(&mut self, context: &mut Context<'_>) -> Option<Result<Option<Report>, Problem>> {
        let polled = match self.asked.as_mut()? {
            Asked::Subscription(request) => request.as_mut().poll(context).map_ok(|()| None),
            Asked::Commands(_, request) => request.as_mut().poll(context).map_ok(Some),
        };
        let Poll::Ready(answer) = polled else {
            return None;
        };
        self.connection.inbound.meter.understood();
        Some(match (self.asked.take(), answer) {
            (_, Err(error)) => Err(self.connection.problem(&error)),
            (Some(Asked::Commands(commands, _)), Ok(Some(values))) => {
                Ok(Some(self.to_report(&commands, values)))
            }
            (_, Ok(_)) => Ok(None),
        })
    }

    fn to_report(&self, commands: &[Command], values: Vec<Value>) -> Report {
        let mut first = None;
        let answers = commands.iter().zip(values).map(|(command, value)| {
            let (done, error) = to_done(command, value);
            if let Err(failure) = done {
                let error = error.unwrap_or_else(|| failure.to_string());
                first.get_or_insert_with(|| Problem::of_server(self.host(), failure, &error));
            }
            done
        });
        let answers = answers.collect();
        Report::Answered(answers, first)
    }
}
