//! Joins and leaves channels, and reports missed messages.

use std::sync::Arc;

use serde_json::Value;

use super::channels::Entry;
use super::failure::Failure;
use super::frame::ServerText;
use super::machine::Machine;
use super::messages::Request;
use super::output::{Gap, Output, Report};
use super::phase::Phase;
use super::place::{Arrival, Lost};
use crate::protocol::Since;

impl Machine {
    pub(super) fn subscribe(&mut self, name: &str, since: Option<&Since<'_>>, last: Option<u64>) {
        self.channels.insert(name, since, last);
        // Subscribing again retries after a refusal.
        if let Some(channel) = self.channels.get_mut(name)
            && channel.entry == Entry::Refused
        {
            channel.entry = Entry::Unasked;
        }
        if matches!(self.phase, Phase::Ready(_)) {
            self.enter_channels();
        }
    }

    pub(super) fn unsubscribe(&mut self, name: &str) {
        let mut is_in = self.channels.forget_lobby(name);
        self.channels.forget_lobby_of_url(name);
        if let Some(channel) = self.channels.remove(name) {
            is_in |= channel.active;
            if let Entry::Asked(id) = channel.entry {
                self.messages.answered(id);
                is_in = true;
            }
            self.drop_held(|item| item.is_for(name), &Failure::Unsubscribed);
        }
        if matches!(self.phase, Phase::Ready(_)) && is_in {
            let id = self.take_id();
            self.act(Output::Send(unsubscribe(name, id)));
        }
    }

    /// Sends `subscribe` for all channels for which it is outstanding on this connection.
    pub(super) fn enter_channels(&mut self) {
        for channel in self.channels.unasked() {
            let id = self.next_id;
            self.next_id += 1;
            channel.entry = Entry::Asked(id);
            let request = Request::new(Some(channel.name.clone()), self.now);
            self.messages.ask(id, request);
            let text = channel.subscribe(id);
            self.actions.push_back(Output::Send(text));
        }
    }

    /// Activates a channel that the connection was already in, from its known position.
    pub(super) fn entered_before(&mut self, name: &Arc<str>) {
        let channel = name.clone();
        self.notify(Report::Entered { channel });
        let lobby = self.channels.take_lobby(name).unwrap_or_default();
        if let Some(channel) = self.channels.get_mut(name) {
            channel.active = true;
            let arrival = channel.place.move_to(lobby, false);
            self.arrived(name, arrival);
        }
    }

    /// Activates a channel, or moves an active one to a new position.
    pub(super) fn entered(&mut self, name: &str, subscribed: &ServerText) {
        self.channels.forget_lobby(name);
        if !self.channels.get(name).is_some_and(|it| it.active) {
            self.channels.forget_presence(name);
        }
        if let Some(channel) = self.channels.get_mut(name) {
            channel.active = true;
            let name = channel.name.clone();
            let arrival = channel.place.take(subscribed);
            self.arrived(&name, arrival);
        }
    }

    /// Reports the consequences of a new position, and sends the messages that waited for it: first
    /// those whose outcome is unknown, if the server can determine it.
    fn arrived(&mut self, name: &Arc<str>, arrival: Arrival) {
        let channel = self.channels.get(name);
        let epoch = channel.map_or_else(String::new, |it| it.place.epoch().to_owned());
        self.lost(name, arrival.lost, true);
        if let Some(from) = arrival.before {
            let channel = name.clone();
            let to = epoch.clone();
            self.notify(Report::Epoch { channel, from, to });
        }
        self.drop_unknown(name, arrival.recovered.then_some(&epoch));
        self.send_held(|item| item.is_for(name));
    }

    /// Records numbers of a channel, as `Place::advance` does. Returns whether any is new.
    pub(super) fn see(&mut self, name: &str, start: u64, from: u64, to: u64) -> bool {
        let place = self.channels.place(name);
        let Some(lost) = place.and_then(|place| place.advance(start, from, to)) else {
            return false;
        };
        self.lost(name, lost, false);
        true
    }

    /// Records the number of an own message.
    pub(super) fn see_own(&mut self, name: &str, seq: u64, echo: bool) {
        let Some(place) = self.channels.place(name) else {
            return;
        };
        // Without history the `ack` is queued before later messages of the room, so skipped numbers
        // were not delivered. With `echo` the message itself comes too.
        let lost = if !place.has_history() {
            place.advance(seq, seq, seq).unwrap_or_default()
        } else if echo {
            return;
        } else {
            place.own(seq)
        };
        self.lost(name, lost, false);
    }

    /// Reports numbers of an active channel as not delivered.
    fn lost(&mut self, name: &str, lost: Lost, away: bool) {
        if lost.is_empty() {
            return;
        }
        let channel = self.channels.get(name).filter(|it| it.active);
        let Some(channel) = channel.map(|it| it.name.clone()) else {
            return;
        };
        for (from, to) in lost {
            let channel = channel.clone();
            let gap = Gap {
                channel,
                from,
                to,
                away,
            };
            self.notify(Report::Gap(gap));
        }
    }
}

/// Encodes an `unsubscribe`.
fn unsubscribe(channel: &str, id: u64) -> String {
    let channel = Value::from(channel);
    format!(r#"{{"type":"unsubscribe","channel":{channel},"id":{id}}}"#)
}
