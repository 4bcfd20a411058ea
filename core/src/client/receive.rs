//! What the server says.

use serde_json::Number;

use super::channels::Entry;
use super::config::{AGAIN, SILENCE};
use super::frame::{Frame, FrameId};
use super::liveness::Ready;
use super::{Action, Failure, Machine, Notice, Phase, State};

impl Machine {
    pub(super) fn receive(&mut self, text: &str) {
        if let Phase::Ready(ready) = &mut self.phase {
            ready.heard(self.now);
        }
        let Some(frame) = Frame::parse(text) else {
            return;
        };
        match frame.kind() {
            "" => return,
            "welcome" => return self.welcomed(frame),
            "health_ping" => {
                if let Some(timestamp) = frame.timestamp() {
                    let pong = format!(r#"{{"type":"health_pong","timestamp":{timestamp}}}"#);
                    self.act(Action::Send(pong));
                }
                return;
            }
            "pong" => return self.pong(frame.timestamp().and_then(Number::as_u64)),
            "ack" => return self.acknowledged(&frame),
            "subscribed" => return self.subscribed(&frame),
            "error" => return self.refused(frame),
            "bye" => self.last_bye = Some(frame.clone()),
            "unsubscribed" => self.put_out(&frame),
            "message" => self.see(frame.channel(), frame.seq()),
            _ => {}
        }
        self.notify(Notice::Deliver(frame));
    }

    fn welcomed(&mut self, welcome: Frame) {
        if !matches!(self.phase, Phase::Opened { .. }) {
            return;
        }
        let silence = welcome.ping_interval().filter(|ping| !ping.is_zero());
        let silence = silence.unwrap_or(SILENCE);
        self.phase = Phase::Ready(Ready::new(self.now, silence, welcome.max_bytes()));
        let last = self.last_close.clone();
        self.notify(Notice::State(State::Connected { welcome, last }));
        self.enter_channels();
        self.send_free();
    }

    fn acknowledged(&mut self, ack: &Frame) {
        let FrameId::Number(id) = ack.id() else {
            return;
        };
        // A `subscribe` has another answer.
        if self.is_entry(id) {
            return;
        }
        let Some(request) = self.messages.requests.remove(&id) else {
            return;
        };
        if !request.over {
            let value = ack.seq().or(ack.delivered()).unwrap_or_default();
            self.act(Action::Done { id, value });
        }
        self.see(request.channel.as_deref(), ack.seq());
    }

    /// Whether this is the `subscribe` that a channel waits for.
    fn is_entry(&self, id: u64) -> bool {
        let request = self.messages.requests.get(&id);
        let name = request.and_then(|request| request.channel.as_deref());
        let channel = name.and_then(|name| self.channels.get(name));
        channel.is_some_and(|channel| channel.entry == Entry::Asked(id))
    }

    fn subscribed(&mut self, frame: &Frame) {
        let id = frame.id();
        // It answers no message, whatever it says.
        if let FrameId::Number(id) = id
            && (self.is_entry(id) || self.messages.requests.get(&id).is_some_and(|it| it.over))
        {
            self.messages.requests.remove(&id);
        }
        let name = frame.channel().unwrap_or_default();
        // The answer to a `subscribe` that was taken back meanwhile says nothing of the one after it.
        let asked = self.channels.get(name).map(|channel| channel.entry);
        if let Some(Entry::Asked(ours)) = asked
            && id != FrameId::Absent
            && id != FrameId::Number(ours)
        {
            return;
        }
        self.notify(Notice::Deliver(frame.clone()));
        // Before `welcome` nobody is in anything.
        if matches!(self.phase, Phase::Ready(_)) {
            self.entered(name, frame.epoch().unwrap_or_default(), frame.seq());
        }
    }

    /// Without an id it answers nothing of ours: the application put us out. A `subscribe` that waits
    /// for its answer is answered all the same.
    fn put_out(&mut self, frame: &Frame) {
        let name = frame.channel().unwrap_or_default();
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        if frame.id() != FrameId::Absent {
            return;
        }
        channel.active = false;
        let requests = &self.messages.requests;
        if !matches!(channel.entry, Entry::Asked(id) if requests.contains_key(&id)) {
            channel.entry = Entry::Refused;
        }
    }

    fn refused(&mut self, frame: Frame) {
        let request = match frame.id() {
            FrameId::Number(id) => self.messages.requests.remove(&id).map(|it| (id, it)),
            FrameId::Absent | FrameId::Foreign => None,
        };
        let Some((id, request)) = request else {
            let limited = frame.code() == Some("rate_limited");
            self.notify(Notice::Deliver(frame.clone()));
            if limited {
                self.oldest_was_not_read(&frame);
            }
            return;
        };
        let channel = request.channel.as_deref();
        let channel = channel.and_then(|name| self.channels.get_mut(name));
        match channel.filter(|channel| channel.entry == Entry::Asked(id)) {
            // It was entered by the URL, as `subscribed` has told, and this is nobody's business.
            Some(channel) if channel.active && frame.code() == Some("already_subscribed") => {}
            Some(channel) => {
                channel.entry = Entry::Refused;
                let channel = channel.name.clone();
                let failure = Failure::Refused {
                    code: frame.code().unwrap_or_default().to_owned().into(),
                    frame: None,
                };
                let name = channel.clone();
                self.notify(Notice::Refused { channel, frame });
                self.drop_held(|item| item.is_for(&name), &failure);
            }
            None if !request.over => self.fail(id, Failure::refused(&frame)),
            None => {}
        }
    }

    /// The server did not read a request, so it cannot say which: answers come in order, so it was
    /// the oldest.
    fn oldest_was_not_read(&mut self, frame: &Frame) {
        let mut requests = self.messages.requests.iter_mut();
        let Some((&id, request)) = requests.find(|(_, request)| !request.over) else {
            return;
        };
        request.over = true;
        let name = request.channel.as_deref();
        let channel = name.and_then(|name| self.channels.get_mut(name));
        match channel.filter(|channel| channel.entry == Entry::Asked(id)) {
            Some(channel) => {
                channel.entry = Entry::Unasked;
                let delay = frame.retry_after().filter(|delay| !delay.is_zero());
                if let Phase::Ready(ready) = &mut self.phase {
                    ready.again_at = Some(self.now + delay.unwrap_or(AGAIN));
                }
            }
            None => self.fail(id, Failure::refused(frame)),
        }
    }
}
