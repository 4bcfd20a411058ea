//! The calls of the application for one connection: one at a time, in the order of arrival.

use std::any::Any;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use switchboard_core::protocol::{self, RequestId};
use switchboard_core::response::{self, PageResponse};
use switchboard_core::{
    CloseFrame, CloseReason, ConnectionId, Denied, Event, Identity, Question, Refused, Request,
    Rooms, Token, Wire,
};

use crate::application::{Client, DynApplication, Entry, Message};
use crate::hub::Hub;
use crate::machine;
use crate::runtime::{BoxFuture, Runtime, Timer};
use crate::shared::Shared;
use crate::shield::error;
use crate::socket::Ended;
use crate::sync::Arc;
use crate::task::Pages;
use crate::waiting::{Item, Waiting};
use crate::writer::flush_now;

/// Messages that wait for a hook before reading pauses.
pub(crate) const BACKLOG: usize = 32;

/// What a hook's answer leads to.
enum Outcome {
    Identified(Result<Identity, Refused>, Option<RequestId<'static>>),
    /// Its first message must say; that will be asked about with this request.
    Unidentified(Request, Option<RequestId<'static>>),
    Answered(Question, Result<(), Denied>),
    Page(Vec<u8>),
    Connected,
    Took(Result<(), Denied>),
    Disconnected,
}

struct Hook {
    future: BoxFuture<Outcome>,
    /// It is for somebody who is not in yet: nobody cares once that is refused.
    entrance: bool,
    /// The core knows that it takes its time.
    told: bool,
}

/// The hooks of one connection, and what waits for them.
pub(crate) struct Hooks<R: Runtime> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: ConnectionId,
    peer: IpAddr,
    hook: Option<Box<Hook>>,
    waiting: Waiting<R::Timer>,
    user: Option<Arc<str>>,
    paused: bool,
}

impl<R: Runtime> Hooks<R> {
    pub(crate) fn new(shared: Arc<Shared>, id: ConnectionId, peer: IpAddr) -> Self {
        Self {
            shared,
            id,
            peer,
            hook: None,
            waiting: Waiting::new(),
            user: None,
            paused: false,
        }
    }

    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.hook.is_some()
    }

    /// Whether reading pauses because too much waits, for this hook or for those of all, or because a
    /// Close does: nothing counts after that, and whoever has sent one need not answer pings any more.
    pub(crate) fn is_full(&mut self) -> bool {
        let waits = self.is_busy() || self.waiting.items() > 0;
        let full = self.waits_for_its_own() || waits && self.shared.backlog.is_full();
        if full != self.paused {
            self.paused = full;
            if !full {
                self.waiting.forget_place();
            }
            self.event(if full { Event::Paused } else { Event::Resumed });
        }
        full
    }

    /// [`Self::is_full`]; if so, the task is woken when it is worth asking again.
    pub(crate) fn must_wait(&mut self, context: &Context<'_>) -> bool {
        if !self.is_full() {
            return false;
        }
        // Where its own hook is what it waits for, that wakes it.
        let for_others = !self.waits_for_its_own();
        let shared = self.shared.clone();
        if for_others && !shared.backlog.await_room(self.waiting.place(), context) {
            return self.is_full();
        }
        true
    }

    fn waits_for_its_own(&mut self) -> bool {
        self.waiting.items() >= BACKLOG || self.waiting.farewell().is_some()
    }

    /// Whether [`Self::is_full`] has said so, and it still is.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn event(&self, event: Event<'_>) {
        // Stale: the connection went meanwhile, and the task is about to hear of it.
        let _ = self
            .shared
            .with(|locked, now| locked.switchboard.handle(now, self.id, event));
    }

    /// Asks who it is.
    pub(crate) fn identify(&mut self, request: Request) {
        self.start(true, identify(self.context(), request, None));
    }

    /// Makes a page.
    pub(crate) fn make_page(&mut self, pages: &Pages, request: Request) {
        let head_only = request.method() == "HEAD";
        let page = catch_unwind(AssertUnwindSafe(|| pages(request)));
        let Ok(page) = page else {
            return self.event(Event::HookFailed);
        };
        self.start(true, async move {
            Outcome::Page(render(&page.await, head_only))
        });
    }

    /// The connection has ended: what waits is not done any more, except to say so.
    pub(crate) fn end(&mut self, ended: Box<Ended>) {
        self.forget_input();
        if ended.reason == CloseReason::Internal {
            // Its hook took too long.
            self.drop_hook();
        }
        self.waiting.set_ended(ended);
    }

    /// What came in and waits is not done any more.
    pub(crate) fn forget_input(&mut self) {
        let waited = self.waiting.take_items();
        // That the peer has ended is not said twice: the core waits for it, to let the socket go.
        if waited.iter().any(|item| matches!(item, Item::Eof)) {
            self.event(Event::Eof);
        }
    }

    /// The connection is not to be let in any more.
    pub(crate) fn abandon_entrance(&mut self) {
        if self.hook.as_ref().is_some_and(|hook| hook.entrance) {
            self.drop_hook();
        }
    }

    /// Something came in: now, or after what came before it.
    pub(crate) fn take(&mut self, context: &mut Context<'_>, item: Item) {
        if !self.is_busy() && self.waiting.items() == 0 {
            self.process(context, item);
        } else if let Item::Close(_) = item {
            let deadline = machine::now() + self.shared.config.timeouts.close;
            self.keep(item);
            self.waiting.set_farewell(R::Timer::new(deadline));
        } else {
            self.keep(item);
        }
    }

    /// A text came in; it is borrowed where it can be used at once.
    pub(crate) fn take_text(&mut self, context: &mut Context<'_>, text: &str) {
        if self.is_busy() || self.waiting.items() > 0 {
            self.keep(Item::Text(text.to_owned()));
        } else {
            self.process_text(context, text);
        }
    }

    fn keep(&mut self, item: Item) {
        let held = self.shared.backlog.hold(item.bytes());
        self.waiting.push(item, held);
    }

    /// Runs what can be run. Says whether the application has nothing left to hear.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            if self.hook.is_some() {
                if !self.poll_hook(context) {
                    return false;
                }
            } else if let Some(item) = self.waiting.pop() {
                self.process(context, item);
                if self.paused {
                    self.is_full();
                }
            } else if let Some(ended) = self.waiting.take_ended() {
                self.disconnect(*ended);
            } else {
                return true;
            }
        }
    }

    /// Says whether the hook is over.
    fn poll_hook(&mut self, context: &mut Context<'_>) -> bool {
        let Some(hook) = &mut self.hook else {
            return true;
        };
        let polled = catch_unwind(AssertUnwindSafe(|| hook.future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Ready(outcome)) => {
                let told = hook.told;
                self.hook = None;
                self.waiting.forget_patience();
                self.conclude(context, outcome, told);
                true
            }
            Ok(Poll::Pending) => {
                if !hook.told {
                    hook.told = true;
                    self.event(Event::HookStarted);
                }
                self.hasten_close(context);
                self.lose_patience(context)
            }
            Err(panic) => {
                self.hook = None;
                self.waiting.forget_patience();
                self.panicked(&*panic);
                true
            }
        }
    }

    /// A Close waits for the answers to what came before it, but not for ever: then it is answered
    /// first, and they are not given any more.
    fn hasten_close(&mut self, context: &mut Context<'_>) {
        let timer = self.waiting.farewell();
        if timer.is_none_or(|timer| timer.poll(context).is_pending()) {
            return;
        }
        let mut waited = self.waiting.take_items().into_iter();
        if let Some(close) = waited.find(|item| matches!(item, Item::Close(_))) {
            self.process(context, close);
        }
    }

    /// The core watches over the hooks of connections that are there; for one that has ended, the
    /// same time is given here.
    fn lose_patience(&mut self, context: &mut Context<'_>) -> bool {
        let over = self.waiting.has_ended() || self.user.is_none();
        if !over {
            return false;
        }
        let limit = self.shared.config.timeouts.hook;
        let timer = self
            .waiting
            .patience(|| R::Timer::new(machine::now() + limit));
        if timer.poll(context).is_pending() {
            return false;
        }
        self.drop_hook();
        self.waiting.forget_patience();
        error!(id = %self.id, "a hook takes too long");
        true
    }

    /// Drops a hook that has not ended. What it holds may panic then, which is the hook's panic: it
    /// must not be the task's.
    fn drop_hook(&mut self) {
        let hook = self.hook.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(hook))) {
            error!(id = %self.id, panic = panic_message(&*panic), "a hook panicked");
        }
    }

    fn conclude(&mut self, context: &mut Context<'_>, outcome: Outcome, told: bool) {
        let id = self.id;
        match outcome {
            Outcome::Identified(verdict, answers) => {
                self.waiting.set_request(None);
                self.identified(context, verdict, answers.as_ref());
            }
            Outcome::Unidentified(request, answers) => {
                self.waiting.set_request(Some(request));
                self.identified(context, Ok(Identity::FirstMessage), answers.as_ref());
            }
            Outcome::Answered(question, answer) => {
                let _ = self
                    .shared
                    .with(|locked, now| locked.switchboard.answer(now, id, question, answer));
            }
            Outcome::Page(page) => {
                let _ = self
                    .shared
                    .with(|locked, now| locked.switchboard.answer_page(now, id, page));
            }
            Outcome::Took(Err(denied)) => {
                let reason = match denied {
                    Denied::Unauthorized => CloseReason::Unauthorized,
                    Denied::Forbidden => CloseReason::Forbidden,
                };
                let _ = self
                    .shared
                    .with(|locked, now| locked.switchboard.close(now, id, reason));
            }
            Outcome::Connected | Outcome::Took(Ok(())) => {
                if told {
                    self.event(Event::HookDone);
                }
            }
            Outcome::Disconnected => self.user = None,
        }
    }

    fn identified(
        &mut self,
        context: &mut Context<'_>,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) {
        let id = self.id;
        let user = self.shared.with(|locked, now| {
            let _ = locked.switchboard.authenticated(now, id, verdict, request);
            locked.switchboard.user_of(id)
        });
        if self.user.is_none()
            && let Some(user) = user
        {
            self.user = Some(user);
            if let Some(client) = self.client() {
                let call = self.shared.application.clone().on_connect(client);
                self.call(context, call, |()| Outcome::Connected);
            }
        }
    }

    fn disconnect(&mut self, ended: Ended) {
        let Some(client) = self.client() else { return };
        let application = self.shared.application.clone();
        let Ended {
            rooms,
            reason,
            farewell,
        } = ended;
        // From here on it is nobody's connection: the time of the hook is watched over here.
        self.user = None;
        self.start(false, async move {
            let _farewell = farewell;
            application.on_disconnect(client, rooms, reason).await;
            Outcome::Disconnected
        });
    }

    fn process(&mut self, context: &mut Context<'_>, item: Item) {
        match item {
            Item::Text(text) => self.process_text(context, &text),
            Item::Binary(bytes) => self.hand_over(context, Message::Binary(bytes)),
            Item::Close(close) => self.event(Event::Close(close.as_ref().map(|(code, reason)| {
                CloseFrame {
                    code: *code,
                    reason,
                }
            }))),
            Item::Violation(violation) => {
                // What was answered before goes out, as if the peer had waited for it.
                flush_now(&self.shared);
                self.event(Event::Violation(violation));
            }
            Item::Eof => self.event(Event::Eof),
        }
    }

    fn process_text(&mut self, context: &mut Context<'_>, text: &str) {
        if self.shared.config.wire == Wire::Raw {
            return self.hand_over(context, Message::Text(text.to_owned()));
        }
        let command = protocol::parse(text);
        let id = self.id;
        let question = self
            .shared
            .with(|locked, now| locked.switchboard.command(now, id, command));
        if let Ok(Some(question)) = question {
            self.ask(context, question);
        }
    }

    fn hand_over(&mut self, context: &mut Context<'_>, message: Message) {
        let Some(client) = self.client() else { return };
        let call = self.shared.application.clone().on_message(client, message);
        self.call(context, call, Outcome::Took);
    }

    fn ask(&mut self, context: &mut Context<'_>, question: Question) {
        if let Question::Token { token, request } = question {
            return self.ask_token(token, request);
        }
        let Some(client) = self.client() else { return };
        let application = self.shared.application.clone();
        let call = match &question {
            Question::Join { room, lobby, .. } => {
                let entry = if *lobby {
                    Entry::Lobby
                } else {
                    Entry::Subscribe
                };
                application.authorize_join(client, room.clone(), entry)
            }
            Question::Direct { to, .. } => application.authorize_direct(client, to.clone()),
            Question::Message { room, content, .. } => {
                let message = Message::Room {
                    room: room.clone(),
                    content: content.as_json().to_owned(),
                };
                application.on_message(client, message)
            }
            Question::Token { .. } => return,
        };
        self.call(context, call, |answer| Outcome::Answered(question, answer));
    }

    fn ask_token(&mut self, token: Token, request: Option<RequestId<'static>>) {
        let entrance = self.user.is_none();
        let asked = match self.waiting.request() {
            Some(request) => request.clone().with_token(token),
            None => Request::for_refresh(self.peer, token),
        };
        self.start(entrance, identify(self.context(), asked, request));
    }

    /// Calls the application. Most answer at once; whoever does not is kept.
    fn call<T: Send + 'static>(
        &mut self,
        context: &mut Context<'_>,
        mut call: BoxFuture<T>,
        outcome: impl FnOnce(T) -> Outcome + Send + 'static,
    ) {
        match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))) {
            Ok(Poll::Ready(answer)) => self.conclude(context, outcome(answer), false),
            Ok(Poll::Pending) => self.start(false, async move { outcome(call.await) }),
            Err(panic) => self.panicked(&*panic),
        }
    }

    fn panicked(&self, panic: &(dyn Any + Send)) {
        self.event(Event::HookFailed);
        error!(id = %self.id, panic = panic_message(panic), "a hook panicked");
    }

    fn start(&mut self, entrance: bool, call: impl Future<Output = Outcome> + Send + 'static) {
        self.hook = Some(Box::new(Hook {
            future: Box::pin(call),
            entrance,
            told: false,
        }));
    }

    fn client(&self) -> Option<Client> {
        let user = self.user.clone()?;
        Some(Client {
            id: self.id,
            user,
            hub: Hub::of(&self.shared),
        })
    }

    fn context(&self) -> Asker {
        Asker {
            application: self.shared.application.clone(),
            hub: Hub::of(&self.shared),
            id: self.id,
            ask_lobby: self.shared.config.rooms == Rooms::Ask && self.user.is_none(),
        }
    }
}

/// What it takes to find out who somebody is.
struct Asker {
    application: Arc<dyn DynApplication>,
    hub: Hub,
    id: ConnectionId,
    ask_lobby: bool,
}

/// Who it is, and whether the lobby is open to it.
async fn identify(asker: Asker, request: Request, answers: Option<RequestId<'static>>) -> Outcome {
    let Asker {
        application,
        hub,
        id,
        ask_lobby,
    } = asker;
    let refused = |denied| match denied {
        Denied::Unauthorized => Refused::Unauthorized,
        Denied::Forbidden => Refused::Forbidden,
    };
    let lobby: Option<Arc<str>> = request.lobby().filter(|_| ask_lobby).map(Into::into);
    let shared = request.clone();
    let identity = match application.clone().authenticate(request).await {
        Ok(identity) => identity,
        Err(denied) => return Outcome::Identified(Err(refused(denied)), answers),
    };
    if identity == Identity::FirstMessage {
        return Outcome::Unidentified(shared, answers);
    }
    if let Some(lobby) = lobby {
        let user: Arc<str> = match &identity {
            Identity::User { name, .. } => name.as_str().into(),
            _ => format!("anon-{id}").into(),
        };
        let client = Client { id, user, hub };
        if let Err(denied) = application
            .authorize_join(client, lobby, Entry::Lobby)
            .await
        {
            return Outcome::Identified(Err(refused(denied)), answers);
        }
    }
    Outcome::Identified(Ok(identity), answers)
}

fn render(page: &PageResponse, head_only: bool) -> Vec<u8> {
    response::page(page, head_only).unwrap_or_else(|bad| {
        error!(%bad, "a page cannot be sent");
        response::refusal(Refused::Internal, 0)
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(not a text)")
}
