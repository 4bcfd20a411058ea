//! The task of one connection: reads, decodes, asks the application, waits for writability.
//!
//! It owns no buffer while nothing has arrived: bytes are read into a buffer that all tasks of a
//! thread share, and only what cannot be used at once is kept.

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};

use switchboard_core::response::PageResponse;
use switchboard_core::{
    Answer, ConnectionId, Decoder, DecoderLimits, Event, Handshake, Incoming, Intake, Limits,
    Request,
};

use crate::backlog::Held;
use crate::hooks::Hooks;
use crate::mailbox::Arrived;
use crate::runtime::{BoxFuture, Runtime};
use crate::shared::Shared;
use crate::shield::{shielded, trace};
use crate::socket::{AnySocket, BLOCKED, ENDED, GONE, INTAKE, Link, NoSocket, Socket};
use crate::sync::Arc;
use crate::waiting::Item;

/// Makes the answers to requests that are no upgrade.
pub(crate) type Pages = Arc<dyn Fn(Request) -> BoxFuture<PageResponse> + Send + Sync>;

/// How a stream comes.
pub(crate) enum Arrival {
    /// From its first byte on: a request is expected. Without pages, one that is no upgrade is
    /// answered with 404.
    Fresh(Option<Pages>),
    /// The application has read the request and sent the 101 response.
    Upgraded(Box<Request>),
}

/// Bytes that are read at a time.
const SCRATCH: usize = 64 << 10;
/// The same where much waits for hooks: the first message may make a hook busy, and what follows it in
/// the buffer has to be kept.
const SMALL: usize = 4 << 10;
/// Reads before everybody else gets a turn.
const READS: usize = 8;
/// Messages before everybody else gets a turn.
const FRAMES: usize = 64;

thread_local! {
    /// Where all connections of a thread are read into.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What the bytes mean.
enum Input {
    Head(Box<Head>),
    /// Kept only where something has begun: at rest, one decoder is as good as another.
    Frames(Option<Box<Decoder>>),
    Nothing,
}

struct Head {
    handshake: Handshake,
    pages: Option<Pages>,
}

/// Bytes that were read and not used.
struct Leftover {
    bytes: Vec<u8>,
    at: usize,
    _held: Held,
}

impl Leftover {
    fn new(shared: &Shared, bytes: Vec<u8>) -> Self {
        let held = shared.backlog.hold(bytes.capacity());
        Self {
            bytes,
            at: 0,
            _held: held,
        }
    }
}

/// The task of one connection.
pub(crate) struct Task<R: Runtime> {
    link: Arc<Link>,
    hooks: Hooks<R>,
    input: Input,
    leftover: Option<Box<Leftover>>,
    intake: Intake,
    blocked: bool,
    gone: bool,
    /// Its socket has been let go.
    hung_up: bool,
    /// The read side has ended, and that has been passed on.
    ended: bool,
    /// The core has been told of a message that is not complete.
    partial: bool,
}

impl<R: Runtime> Task<R> {
    pub(crate) fn new(shared: Arc<Shared>, arrived: Arrived) -> Self {
        // One lives for every connection (architecture: at most 1.25 KiB of process memory each).
        const { assert!(size_of::<Self>() <= 144) };
        let Arrived {
            link,
            id,
            peer,
            arrival,
            early,
        } = arrived;
        let leftover = (!early.is_empty()).then(|| Box::new(Leftover::new(&shared, early)));
        let (input, request) = match arrival {
            Arrival::Fresh(pages) => {
                let handshake = Handshake::new(shared.handshake(pages.is_some()));
                (Input::Head(Box::new(Head { handshake, pages })), None)
            }
            Arrival::Upgraded(request) => (Input::Nothing, Some(request)),
        };
        let mut task = Self {
            link,
            hooks: Hooks::new(shared, id, peer),
            input,
            leftover,
            intake: Intake::Head,
            blocked: false,
            gone: false,
            hung_up: false,
            ended: false,
            partial: false,
        };
        if let Some(request) = request {
            task.take_upgraded(peer, *request);
        }
        task
    }

    /// Does what can be done now; ready when the connection has gone and the application knows it.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.heed();
        self.link.socket.drive_writes(context);
        self.ask_writable(context);
        let mut idle = self.hooks.poll(context);
        self.heed();
        if !self.gone {
            self.read(context);
            self.heed();
            let paused = self.hooks.is_paused();
            idle = self.hooks.poll(context);
            self.heed();
            if paused && !self.hooks.is_full() {
                // There is room again, and nobody else who would say so.
                context.waker().wake_by_ref();
            }
        }
        if !self.gone {
            Poll::Pending
        } else if idle && self.hooks.poll(context) {
            Poll::Ready(())
        } else {
            self.hang_up();
            Poll::Pending
        }
    }

    fn ask_writable(&mut self, context: &mut Context<'_>) {
        if !self.blocked {
            return;
        }
        match self.link.socket.poll_writable(context) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                self.blocked = false;
                self.hooks.event(Event::Writable);
            }
            Poll::Ready(Err(_)) => {
                self.blocked = false;
                self.hooks.event(Event::Reset);
            }
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.hooks.id
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Whether it waits for its socket to take bytes again.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.hooks.shared
    }

    /// Takes note of what others have told this task.
    fn heed(&mut self) {
        let flags = self.link.take_flags();
        if flags == 0 {
            return;
        }
        self.blocked |= flags & BLOCKED != 0;
        self.gone |= flags & GONE != 0;
        if flags & ENDED != 0 {
            self.heed_end();
        }
        if flags & (INTAKE | GONE) != 0 {
            self.ask_intake();
        }
    }

    fn heed_end(&mut self) {
        if let Some(ended) = self.link.take_ended() {
            self.hooks.end(ended);
        }
    }

    fn ask_intake(&mut self) {
        let id = self.id();
        let intake = self.shared().read(|switchboard| switchboard.intake(id));
        let Ok(intake) = intake else {
            self.gone = true;
            self.hooks.abandon_entrance();
            // The signal of its end may still be on its way.
            self.heed_end();
            return;
        };
        self.intake = intake;
        match intake {
            Intake::Frames if !matches!(self.input, Input::Frames(_)) => {
                self.input = Input::Frames(None);
            }
            Intake::Discard => {
                self.input = Input::Nothing;
                self.hooks.abandon_entrance();
                // The word of its end may have come before this, and something in between.
                self.hooks.forget_input();
                if let Some(leftover) = self.leftover.take() {
                    self.hooks
                        .event(Event::Discarded(leftover.bytes.len() - leftover.at));
                }
            }
            _ => {}
        }
    }

    /// The application still has to hear of the end. The peer need not wait for that, and a socket that
    /// nobody counts any more must not stay open for it.
    fn hang_up(&mut self) {
        if !std::mem::replace(&mut self.hung_up, true) {
            self.blocked = false;
            self.leftover = None;
            let mailbox = self.link.bell.mailbox().clone();
            let none = Arc::new(Link::new(AnySocket::new(NoSocket), mailbox));
            let link = std::mem::replace(&mut self.link, none);
            // A stream may be somebody else's code, and its panic must not cost the hook.
            shielded(|| drop(link));
        }
    }

    /// Reads what there is, but not for ever.
    fn read(&mut self, context: &mut Context<'_>) {
        let mut frames = FRAMES;
        for _ in 0..READS {
            if !self.may_read(context) {
                return;
            }
            if let Some(mut leftover) = self.leftover.take() {
                let used = self.receive(context, &mut leftover.bytes[leftover.at..], &mut frames);
                leftover.at += used;
                if leftover.at < leftover.bytes.len() && !self.gone {
                    self.leftover = Some(leftover);
                }
            } else if !self.read_once(context, &mut frames) {
                return;
            }
            self.heed();
            if frames == 0 {
                break;
            }
        }
        context.waker().wake_by_ref();
    }

    fn may_read(&mut self, context: &Context<'_>) -> bool {
        if self.shared().config.limits.pause_reading.is_some() {
            self.ask_intake();
        }
        match self.intake {
            Intake::Wait => false,
            _ if self.gone || self.ended => false,
            Intake::Frames => !self.hooks.must_wait(context) && !self.shared().gated(context),
            Intake::Head | Intake::Discard => true,
        }
    }

    /// Says whether it is worth reading once more.
    fn read_once(&mut self, context: &mut Context<'_>, frames: &mut usize) -> bool {
        let mut buffer = BUFFER.take();
        buffer.resize(SCRATCH, 0);
        let most = if self.shared().backlog.is_full() {
            SMALL
        } else {
            SCRATCH
        };
        let polled = self.link.socket.poll_read(context, &mut buffer[..most]);
        let more = match polled {
            Poll::Pending => false,
            Poll::Ready(Ok(0)) => {
                self.ended = true;
                self.end_of_input(context);
                false
            }
            Poll::Ready(Ok(bytes)) => {
                let used = self.receive(context, &mut buffer[..bytes], frames);
                if used < bytes && !self.gone {
                    let bytes = buffer[used..bytes].to_vec();
                    self.leftover = Some(Box::new(Leftover::new(self.shared(), bytes)));
                }
                true
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => true,
            Poll::Ready(Err(_)) => {
                self.ended = true;
                self.hooks.event(Event::Reset);
                false
            }
        };
        BUFFER.set(buffer);
        if !more {
            self.heed();
        }
        more
    }

    fn end_of_input(&mut self, context: &mut Context<'_>) {
        if matches!(self.input, Input::Frames(_)) {
            // After what came before it.
            self.hooks.take(context, Item::Eof);
        } else {
            self.hooks.event(Event::Eof);
        }
    }

    /// Uses bytes; says how many. What is not used is to be offered again.
    fn receive(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut [u8],
        frames: &mut usize,
    ) -> usize {
        match (&mut self.input, self.intake) {
            (_, Intake::Discard) | (Input::Nothing, _) => {
                self.hooks.event(Event::Discarded(bytes.len()));
                bytes.len()
            }
            (Input::Head(head), _) => {
                let outcome = head.handshake.receive(bytes);
                let used = bytes.len() - head.handshake.unread();
                match outcome {
                    Ok(None) => {}
                    Ok(Some(request)) => {
                        let pages = head.pages.take();
                        self.take_request(request, pages);
                    }
                    Err(bad) => {
                        let id = self.id();
                        let _ = self
                            .shared()
                            .with(|locked, now| locked.switchboard.malformed(now, id, bad));
                    }
                }
                used
            }
            (Input::Frames(kept), _) => {
                let mut kept = kept.take();
                let mut fresh = None;
                let decoder = match &mut kept {
                    Some(kept) => &mut **kept,
                    None => fresh.insert(new_decoder(&self.hooks.shared.config.limits)),
                };
                let used = decode(decoder, &mut self.hooks, &self.link, context, bytes, frames);
                // What was lent is given back, also where the turn ended before the input did: it is
                // nothing that waits for its rest.
                let _ = decoder.decode(&mut []);
                let (in_message, held) = (decoder.in_message(), decoder.buffered());
                if !decoder.is_at_rest() {
                    self.input = Input::Frames(kept.or_else(|| fresh.map(Box::new)));
                }
                if in_message || self.partial {
                    self.partial = in_message;
                    self.hooks.event(Event::Partial {
                        in_message,
                        bytes: held,
                    });
                }
                used
            }
        }
    }

    fn take_request(&mut self, mut request: Request, pages: Option<Pages>) {
        let id = self.id();
        let peer = self.hooks.peer();
        let answer = self.shared().with(|locked, now| {
            request.set_peer(locked.switchboard.client_address(peer, &request));
            locked.switchboard.request(now, id, &request)
        });
        self.input = Input::Nothing;
        self.ask_intake();
        match (answer, pages) {
            (Ok(Answer::Authenticate), _) => self.hooks.identify(request),
            (Ok(Answer::Page), Some(pages)) => self.hooks.make_page(&pages, request),
            _ => {}
        }
    }

    fn take_upgraded(&mut self, peer: IpAddr, mut request: Request) {
        let id = self.id();
        let answer = self.shared().with(|locked, now| {
            request.set_peer(locked.switchboard.client_address(peer, &request));
            locked.switchboard.upgraded(now, id, &request)
        });
        self.ask_intake();
        if answer == Ok(Answer::Authenticate) {
            self.hooks.identify(request);
        }
    }
}

fn new_decoder(limits: &Limits) -> Decoder {
    Decoder::new(DecoderLimits {
        message_bytes: limits.message_bytes,
        fragments: limits.fragments,
    })
}

/// Decodes and hands on, up to a number of messages; says how many bytes are used.
fn decode<R: Runtime>(
    decoder: &mut Decoder,
    hooks: &mut Hooks<R>,
    link: &Link,
    context: &mut Context<'_>,
    bytes: &mut [u8],
    frames: &mut usize,
) -> usize {
    let (mut used, mut heard) = (0, false);
    while *frames > 0 && !hooks.is_full() && !hooks.shared.is_congested() && !link.is_signalled() {
        let step = match decoder.decode(&mut bytes[used..]) {
            Ok(step) => step,
            Err(violation) => {
                hooks.take(context, Item::Violation(violation));
                return bytes.len();
            }
        };
        used += step.consumed;
        let Some(incoming) = step.incoming else {
            break;
        };
        *frames -= 1;
        heard = true;
        hand_on(hooks, context, incoming);
        // Most hooks answer at once, and what follows need not be kept for later then.
        if hooks.is_busy() {
            hooks.poll(context);
        }
    }
    if !heard {
        hooks.event(Event::Heard);
    }
    used
}

fn hand_on<R: Runtime>(hooks: &mut Hooks<R>, context: &mut Context<'_>, incoming: Incoming<'_>) {
    let id = hooks.id;
    let admit = |binary: bool, bytes: usize| {
        trace!(%id, binary, bytes, "message");
        let admitted = hooks
            .shared
            .with(|locked, now| locked.switchboard.message(now, id, binary, bytes));
        admitted == Ok(true)
    };
    match incoming {
        Incoming::Text(text) => {
            if admit(false, text.len()) {
                hooks.take_text(context, text);
            }
        }
        Incoming::Binary(bytes) => {
            if admit(true, bytes.len()) {
                hooks.take(context, Item::Binary(bytes.to_vec()));
            }
        }
        Incoming::Ping(payload) => hooks.event(Event::Ping(payload)),
        Incoming::Pong(payload) => hooks.event(Event::Pong(payload)),
        Incoming::Close(close) => {
            let close = close.map(|close| (close.code, close.reason.to_owned()));
            hooks.take(context, Item::Close(close));
        }
    }
}
