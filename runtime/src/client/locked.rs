//! The state behind the lock of a client: its state machine, and the effects of its calls.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use futures_channel::oneshot;
use switchboard_core::Time;
use switchboard_core::client::{
    Failure, Input, Machine, Output, Presence, Report, ServerText, State, TokenReason,
};

use super::events::Event;
use super::gate::Gate;
use super::options::{Options, Token};
use super::streams::Streams;
use crate::shield::debug;

/// Number of unacknowledged messages, beyond those that may wait for a connection, from which on
/// publishers wait.
const IN_FLIGHT: usize = 1_024;
/// Unsent bytes above which publishers wait and reading pauses.
const OUTBOX: usize = 256 << 10;

pub(super) struct Locked {
    machine: Machine,
    pub(super) state: State,
    pub(super) streams: Streams,
    /// Decisions for the driver to carry out.
    pub(super) todo: VecDeque<Todo>,
    /// The driver is carrying out a decision that it has taken from `todo`.
    pub(super) working: bool,
    /// Messages for the socket of this generation.
    pub(super) outbox: VecDeque<String>,
    outbox_bytes: usize,
    /// Counts sockets that were abandoned or have closed.
    pub(super) generation: u64,
    /// The latest token.
    pub(super) token: Option<String>,
    /// Counts state changes, and tokens that were set, so that a token request can be matched to the state it
    /// was made in.
    pub(super) states: u64,
    waiters: BTreeMap<u64, Waiter>,
    entering: BTreeMap<Box<str>, Vec<Entrant>>,
    max_waiters: usize,
    pub(super) gate: Gate,
    /// Number of sockets that are being closed.
    pub(super) lingering: usize,
    /// The last handle was dropped.
    pub(super) closed: bool,
    /// The driver has ended.
    pub(super) ended: bool,
}

pub(super) enum Todo {
    /// Open a socket, with this `session` and `since`.
    Dial(String, Option<String>),
    /// Close the socket, after sending the rest of the outbox.
    Close(&'static str, VecDeque<String>),
    GetToken(TokenReason),
    ForgetToken,
}

pub(super) type Waiter = oneshot::Sender<Result<Answer, Failure>>;
pub(super) type Entrant = oneshot::Sender<Result<(), Failure>>;

/// What a request was answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The number of a message, or of the connections that a `direct` reached.
    Number(u64),
    /// The result of a call.
    Result(ServerText),
}

/// Effects of an event, to be carried out without the lock.
#[derive(Default)]
pub(super) struct Effects {
    answers: Vec<(Waiter, Result<Answer, Failure>)>,
    entries: Vec<(Entrant, Result<(), Failure>)>,
    wakers: Vec<Waker>,
}

impl Effects {
    pub(super) fn run(self) {
        for (waiter, answer) in self.answers {
            let _ = waiter.send(answer);
        }
        for (entrant, answer) in self.entries {
            let _ = entrant.send(answer);
        }
        self.wakers.into_iter().for_each(Waker::wake);
    }
}

impl Locked {
    pub(super) fn new(options: &Options, seed: u32, session: String) -> Self {
        let config = options.config(seed, session);
        Self {
            max_waiters: config.count.saturating_add(IN_FLIGHT),
            machine: Machine::new(config),
            state: State::Idle,
            streams: Streams::new(options.into()),
            todo: VecDeque::new(),
            working: false,
            outbox: VecDeque::new(),
            outbox_bytes: 0,
            generation: 0,
            token: None,
            states: 0,
            waiters: BTreeMap::new(),
            entering: BTreeMap::new(),
            gate: Gate::default(),
            lingering: 0,
            closed: false,
            ended: false,
        }
    }

    /// Passes an event to the machine. `Shared::with` collects the effects.
    pub(super) fn handle(&mut self, now: Time, event: Input<'_>) {
        if !self.ended {
            self.machine.handle(now, event);
        }
    }

    /// Returns whether the machine is due, and whether the gate is.
    pub(super) fn due(&self, now: Time) -> (bool, bool) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        let gate = self.gate.next_deadline();
        (due(self.machine.next_deadline()), due(gate))
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let machine = self.machine.next_deadline();
        machine.into_iter().chain(self.gate.next_deadline()).min()
    }

    /// Uses a token from now on. An answer to an earlier request is no longer needed.
    pub(super) fn set_token(&mut self, now: Time, token: Token) {
        self.token = Some(token.text);
        self.states += 1;
        self.todo.push_back(Todo::ForgetToken);
        let expires_in = token.expires_in;
        self.handle(now, Input::Token { expires_in });
    }

    /// Posts a message; `waiter` gets the answer.
    pub(super) fn post(&mut self, now: Time, event: Input<'_>, waiter: Waiter) -> u64 {
        let id = self.machine.next_id();
        self.waiters.insert(id, waiter);
        self.handle(now, event);
        id
    }

    /// Subscribes to a channel; `entrant` gets the answer.
    pub(super) fn enter(&mut self, now: Time, channel: &str, event: Input<'_>, entrant: Entrant) {
        self.handle(now, event);
        let entrants = self.entering.entry(channel.into()).or_default();
        entrants.retain(|entrant| !entrant.is_canceled());
        entrants.push(entrant);
    }

    /// Takes those that wait for an answer, when none will come.
    pub(super) fn take_unanswered(
        &mut self,
    ) -> (BTreeMap<u64, Waiter>, BTreeMap<Box<str>, Vec<Entrant>>) {
        let waiters = std::mem::take(&mut self.waiters);
        (waiters, std::mem::take(&mut self.entering))
    }

    pub(super) fn presence(&self, channel: &str) -> Option<Presence> {
        self.machine.presence(channel).cloned()
    }

    pub(super) fn is_active(&self, channel: &str) -> bool {
        self.machine.is_active(channel)
    }

    /// Whether every decision has been carried out and no socket is being closed.
    pub(super) fn is_quiet(&self) -> bool {
        self.todo.is_empty() && !self.working && self.lingering == 0
    }

    /// Whether publishers have to wait.
    pub(super) fn is_congested(&self) -> bool {
        self.waiters.len() >= self.max_waiters || self.is_clogged()
    }

    /// Whether the socket accepts bytes more slowly than they are sent.
    pub(super) fn is_clogged(&self) -> bool {
        self.outbox_bytes > OUTBOX
    }

    pub(super) fn next_to_write(&mut self, generation: u64) -> Option<String> {
        if self.generation != generation {
            return None;
        }
        let text = self.outbox.pop_front()?;
        self.outbox_bytes -= text.len();
        if !self.is_clogged() {
            self.gate.open();
        }
        Some(text)
    }

    pub(super) fn take_outbox(&mut self) -> VecDeque<String> {
        self.outbox_bytes = 0;
        self.gate.open();
        std::mem::take(&mut self.outbox)
    }

    pub(super) fn collect(&mut self, effects: &mut Effects) {
        while let Some(action) = self.machine.poll_output() {
            match action {
                Output::Dial { session, since } => {
                    self.todo.push_back(Todo::Dial(session, since));
                }
                Output::Close { reason } => {
                    self.generation += 1;
                    let rest = self.take_outbox();
                    self.todo.push_back(Todo::Close(reason, rest));
                }
                Output::GetToken(reason) => self.todo.push_back(Todo::GetToken(reason)),
                Output::Send(text) => self.send(text),
                Output::Authenticate => {
                    let token = self.token.as_deref().unwrap_or_default();
                    let token = serde_json::Value::from(token);
                    self.send(format!(r#"{{"type":"auth","token":{token}}}"#));
                }
                Output::Done { id, value } => self.answer(effects, id, Ok(Answer::Number(value))),
                Output::Result { id, frame } => self.answer(effects, id, Ok(Answer::Result(frame))),
                Output::Failed { id, failure } => self.answer(effects, id, Err(failure)),
                Output::Notify(notice) => self.notify(effects, notice),
            }
        }
        effects.wakers.extend(self.gate.pass());
    }

    fn send(&mut self, text: String) {
        self.outbox_bytes += text.len();
        self.outbox.push_back(text);
    }

    fn answer(&mut self, effects: &mut Effects, id: u64, answer: Result<Answer, Failure>) {
        if let Some(waiter) = self.waiters.remove(&id) {
            effects.answers.push((waiter, answer));
            self.gate.open();
        }
    }

    fn notify(&mut self, effects: &mut Effects, notice: Report) {
        match &notice {
            Report::State(state) => {
                log(state);
                self.state = state.clone();
                self.states += 1;
                self.gate.open();
                self.todo.push_back(Todo::ForgetToken);
                if matches!(state, State::Stopped { .. }) {
                    let all = std::mem::take(&mut self.entering).into_values().flatten();
                    let stopped = all.map(|entrant| (entrant, Err(Failure::Stopped)));
                    effects.entries.extend(stopped);
                }
            }
            // Before `welcome`, a `subscribed` does not count.
            Report::Deliver(frame)
                if frame.kind() == "subscribed"
                    && self.machine.is_active(frame.channel().unwrap_or_default()) =>
            {
                self.let_in(effects, frame.channel(), &Ok(()));
            }
            Report::Entered { channel } => self.let_in(effects, Some(channel), &Ok(())),
            Report::Refused { channel, frame } => {
                let refused = Failure::Refused {
                    code: frame.code().unwrap_or_default().to_owned().into(),
                    frame: Some(frame.clone()),
                };
                self.let_in(effects, Some(channel), &Err(refused));
            }
            Report::Unanswered { channel } => {
                self.let_in(effects, Some(channel), &Err(Failure::TimedOut));
            }
            _ => {}
        }
        self.streams.push(&Event::of(notice), &mut effects.wakers);
    }

    fn let_in(
        &mut self,
        effects: &mut Effects,
        channel: Option<&str>,
        answer: &Result<(), Failure>,
    ) {
        let entrants = channel.and_then(|channel| self.entering.remove(channel));
        let answers = entrants.into_iter().flatten();
        let answers = answers.map(|entrant| (entrant, answer.clone()));
        effects.entries.extend(answers);
    }

    /// Unsubscribes from a channel. Returns those that waited to enter it.
    pub(super) fn leave(&mut self, now: Time, channel: &str) -> Vec<Entrant> {
        self.handle(now, Input::Unsubscribe { channel });
        self.entering.remove(channel).unwrap_or_default()
    }

    /// Returns the `welcome`, while connected.
    pub(super) fn welcome(&self) -> Option<&ServerText> {
        match &self.state {
            State::Connected { welcome, .. } => Some(welcome),
            _ => None,
        }
    }
}

fn log(state: &State) {
    match state {
        State::Connecting { .. } => debug!("connecting"),
        State::Connected { .. } => debug!("connected"),
        State::Waiting { why, last, .. } => {
            let code = last.as_ref().map(|last| last.code);
            debug!(?why, code, "waiting");
        }
        State::Stopped { why, last } => {
            let code = last.as_ref().map(|last| last.code);
            debug!(?why, code, "stopped");
        }
        _ => {}
    }
}
