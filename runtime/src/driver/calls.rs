//! Calls the application's hooks on behalf of a session, and polls their futures.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Instant;

use switchboard_core::response::{self, HttpDate, PageResponse};
use switchboard_core::session::{Call, Reply, Session};
use switchboard_core::{Data, Question, Refused};
use tracing::debug_span;

use super::Host;
use crate::hub::{Connection, Delivery, Entry, Hooks, Message};
use crate::machine;
use crate::node::{Link, Pages};
use crate::runtime::{BoxFuture, Timer};
use crate::shield::{HookSpan, error};
use crate::sync::Arc;
use crate::waiters::{Place, Waiters};

/// A pending hook. `T` is a timer.
pub(crate) struct Hook<T> {
    pub(crate) future: BoxFuture<Reply>,
    pub(crate) span: HookSpan,
    /// Fires at the next deadline of the hook; the time is the one that it is set to.
    pub(crate) timer: Option<(Instant, T)>,
    /// The task's place among the tasks that wait until the backlog of hooks has shrunk.
    pub(crate) place: Option<Place<Arc<Waiters>>>,
}

impl<T: Timer> Hook<T> {
    pub(crate) const fn new(future: BoxFuture<Reply>, span: HookSpan) -> Self {
        Self {
            future,
            span,
            timer: None,
            place: None,
        }
    }

    /// Completes at `at`.
    pub(crate) fn poll_until(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let (set, timer) = self.timer.get_or_insert_with(|| (at, T::new(at)));
        if *set != at {
            *set = at;
            timer.set(at);
        }
        timer.poll(context)
    }
}

/// The state of a call after its first poll. Most complete at once.
pub(crate) enum Begun {
    Ready(Reply),
    Pending(BoxFuture<Reply>),
    Panicked(Box<dyn Any + Send>),
}

/// Creates the span in which a call and its future run.
pub(crate) fn hook_span(session: &Session, link: &Link, call: &Call) -> HookSpan {
    let user = || match call {
        Call::Lobby(lobby) => Some(&lobby.user),
        _ => session.user(),
    };
    HookSpan::new(|| {
        debug_span!(
            "hook",
            hook = name(call),
            conn = %session.id(),
            peer = %link.peer(),
            user = user().map(tracing::field::display),
        )
    })
}

/// Returns the name of the hook that a call is for.
const fn name(call: &Call) -> &'static str {
    match call {
        Call::Page(_) => "page",
        Call::Authenticate(_) | Call::Ask(Question::Token { .. }) => "authenticate",
        Call::Lobby(_) | Call::Ask(Question::Join { .. }) => "authorize_join",
        Call::Ask(Question::Direct { .. }) => "authorize_direct",
        Call::Ask(Question::Message { .. }) | Call::Text(_) | Call::Binary(_) => "on_message",
        Call::Ask(Question::Call { .. }) => "on_call",
        Call::Connect => "on_connect",
        Call::Joined(_) => "on_join",
        Call::Left(_) => "on_leave",
        Call::Disconnect(_) => "on_disconnect",
    }
}

/// Calls the application, and catches a panic.
pub(crate) fn begin(
    host: &Arc<Host>,
    session: &Session,
    pages: Option<Pages>,
    context: &mut Context<'_>,
    call: Call,
) -> Begun {
    let begun = catch_unwind(AssertUnwindSafe(|| {
        call_application(host, session, pages, context, call)
    }));
    begun.unwrap_or_else(Begun::Panicked)
}

fn call_application(
    host: &Arc<Host>,
    session: &Session,
    pages: Option<Pages>,
    context: &mut Context<'_>,
    call: Call,
) -> Begun {
    let application = host.application.clone();
    let as_user = |user: Arc<str>, data: &Data| Connection {
        id: session.id(),
        user,
        data: data.clone(),
        hub: host.hub(),
    };
    let client = || as_user(session.user().cloned().unwrap_or_default(), session.data());
    match call {
        Call::Page(request) => {
            let head_only = request.method() == "HEAD";
            let page = match pages {
                Some(pages) => pages(request),
                None => return Begun::Ready(Reply::Page(no_page())),
            };
            poll_once(context, page, move |page| {
                Reply::Page(render(page, head_only))
            })
        }
        Call::Authenticate(login) => {
            let admitted = application.admit(login.request.clone());
            poll_once(context, admitted, |admitted| {
                Reply::Identity(login, admitted)
            })
        }
        Call::Lobby(lobby) => {
            let client = as_user(lobby.user.clone(), lobby.data());
            let (room, from) = (lobby.room.clone(), lobby.from.clone());
            let granted = application.authorize_join(client, room, Entry::Lobby, from);
            poll_once(context, granted, |granted| {
                let mut lobby = lobby;
                let granted = granted.map(|reach| lobby.limit(reach));
                Reply::Lobby(lobby, granted)
            })
        }
        Call::Connect => {
            let connected = application.on_connect(client());
            poll_once(context, connected, |()| Reply::Connected)
        }
        Call::Joined(room) => {
            let told = application.on_join(client(), room);
            poll_once(context, told, |()| Reply::Noted)
        }
        Call::Left(room) => {
            let told = application.on_leave(client(), room);
            poll_once(context, told, |()| Reply::Noted)
        }
        Call::Ask(question) => ask_application(application, client, context, question),
        Call::Text(text) => {
            let delivered = application.process_message(client(), Message::Text(text));
            poll_once(context, delivered, |delivered| {
                Reply::Delivered(delivered.map(drop))
            })
        }
        Call::Binary(bytes) => {
            let delivered = application.process_message(client(), Message::Binary(bytes));
            poll_once(context, delivered, |delivered| {
                Reply::Delivered(delivered.map(drop))
            })
        }
        Call::Disconnect(ended) => {
            let told = application.on_disconnect(client(), ended.rooms, ended.reason);
            poll_once(context, told, |()| Reply::Disconnected)
        }
    }
}

/// Asks the application about a request of an admitted client.
fn ask_application(
    application: Arc<dyn Hooks>,
    client: impl FnOnce() -> Connection,
    context: &mut Context<'_>,
    mut question: Question,
) -> Begun {
    let granted = match &question {
        Question::Join {
            room, lobby, from, ..
        } => {
            let entry = if *lobby {
                Entry::Lobby
            } else {
                Entry::Subscribe
            };
            let (room, from) = (room.clone(), from.clone());
            let granted = application.authorize_join(client(), room, entry, from);
            return poll_once(context, granted, |granted| {
                let granted = granted.map(|reach| question.limit(reach));
                Reply::Verdict(question, granted)
            });
        }
        Question::Direct { to, .. } => application.authorize_direct(client(), to.clone()),
        Question::Message {
            room,
            content,
            key,
            volatile,
            request,
            ..
        } => {
            let id = request.as_ref().map(|it| it.as_json().to_owned());
            let message = Message::Room {
                room: room.clone(),
                content: content.as_json().to_owned(),
                key: key.clone(),
                volatile: *volatile,
                id,
            };
            let delivery = application.process_message(client(), message);
            return poll_once(context, delivery, |delivery| {
                let granted = delivery.map(|delivery| match delivery {
                    Delivery::Deliver => {}
                    Delivery::Replace(with) => question.replace(with),
                    Delivery::Handled => question.handle(),
                });
                Reply::Verdict(question, granted)
            });
        }
        Question::Call { method, params, .. } => {
            let (method, params) = (method.clone(), params.as_json().to_owned());
            let result = application.on_call(client(), method, params);
            return poll_once(context, result, |result| {
                let granted = result.map(|result| question.resolve(result));
                Reply::Verdict(question, granted)
            });
        }
        Question::Token { .. } => return Begun::Ready(Reply::Verdict(question, Ok(()))),
    };
    poll_once(context, granted, |granted| {
        Reply::Verdict(question, granted)
    })
}

fn poll_once<T: Send + 'static>(
    context: &mut Context<'_>,
    mut future: BoxFuture<T>,
    reply: impl FnOnce(T) -> Reply + Send + 'static,
) -> Begun {
    match future.as_mut().poll(context) {
        Poll::Ready(answer) => Begun::Ready(reply(answer)),
        Poll::Pending => Begun::Pending(Box::pin(async move { reply(future.await) })),
    }
}

fn render(mut page: PageResponse, head_only: bool) -> Vec<u8> {
    let date = HttpDate::from_unix_seconds(machine::wall_clock());
    let is_date = |(name, _): &(String, String)| name.eq_ignore_ascii_case("date");
    if !page.headers.iter().any(is_date) {
        page.headers.push(("Date".into(), date.to_string()));
    }
    response::page(&page, head_only).unwrap_or_else(|bad| {
        error!(%bad, "invalid page response");
        let refusal = response::dated(response::refusal(Refused::Internal, 0), date);
        if head_only {
            response::without_body(refusal)
        } else {
            refusal
        }
    })
}

/// The handshake refuses such requests if there are no pages, so this is not expected to be sent.
fn no_page() -> Vec<u8> {
    response::refusal(Refused::Internal, 0)
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(not a text)")
}
