//! Parses and checks what the servers send.

use std::io;
use std::mem::take;

use rustix::event::epoll;

use super::Load;
use super::connection::{Connection, Stage};
use super::dialect::Heard;
use super::publisher::Arrived;
use crate::wire::{self, CLOSE, PING, PONG, SUBSCRIBED, TEXT, To};

impl Load {
    /// Handles bytes read from a connection.
    pub(super) fn receive(&mut self, index: usize, bytes: &[u8]) -> io::Result<()> {
        self.tally.bytes += bytes.len() as u64;
        let mut rest = take(&mut self.connections[index].rest);
        if rest.is_empty() {
            let used = self.consume(index, bytes)?;
            if used < bytes.len() {
                rest.extend(&bytes[used..]);
            }
        } else {
            rest.extend(bytes);
            let used = self.consume(index, &rest)?;
            rest.drain(..used);
            if rest.is_empty() {
                rest = Vec::new();
            }
        }
        self.connections[index].rest = rest;
        Ok(())
    }

    fn consume(&mut self, index: usize, input: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        if self.connections[index].stage == Stage::Requested {
            let Some(used) = Connection::answer(input)? else {
                return Ok(0);
            };
            at = used;
            self.opened(index)?;
        }
        let now = self.nanos();
        while let Some(head) = wire::header(&input[at..]) {
            let start = at + head.bytes;
            let Some(payload) = input.get(start..start + head.payload) else {
                break;
            };
            at = start + head.payload;
            if head.deflated {
                self.deflated(index, payload, now);
            } else {
                self.frame(index, head.opcode, payload, now);
            }
        }
        Ok(at)
    }

    fn deflated(&mut self, index: usize, payload: &[u8], now: u64) {
        let mut inflating = self.inflating.take();
        match inflating.as_mut().and_then(|it| it.inflate(payload)) {
            Some(content) => self.frame(index, TEXT, content, now),
            None => self.tally.wrong += 1,
        }
        self.inflating = inflating;
    }

    fn opened(&mut self, index: usize) -> io::Result<()> {
        let connection = &mut self.connections[index];
        connection.stage = Stage::Open;
        self.opened += 1;
        if connection.plan.stalled {
            epoll::delete(&self.epoll, &connection.fd)?;
        }
        Ok(())
    }

    fn frame(&mut self, index: usize, opcode: u8, payload: &[u8], now: u64) {
        match opcode {
            TEXT => match self.dialect.hear(payload) {
                Heard::Delivery => self.delivered(index, payload, now),
                Heard::Question(answer) => self.answer(index, TEXT, answer),
                Heard::Notice => {
                    self.tally.notices += 1;
                    if payload.starts_with(SUBSCRIBED) && self.connections[index].plan.room == 0 {
                        self.position = wire::position(payload);
                    }
                }
            },
            PING => {
                self.tally.pings += 1;
                self.answer(index, PONG, payload);
            }
            // The end of the stream is counted.
            CLOSE => {}
            _ => self.tally.wrong += 1,
        }
    }

    fn answer(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        let out = &mut self.connections[index].out;
        if out.is_empty() {
            self.writing.push(index);
        }
        wire::put_client_frame(out, opcode, payload);
    }

    fn delivered(&mut self, index: usize, payload: &[u8], now: u64) {
        let read = self.reader.read(payload, self.content);
        let found = read.and_then(|(key, number)| {
            let publisher = self.publishers.get_mut(key)?;
            Some((publisher, key, number))
        });
        let Some((publisher, key, number)) = found else {
            self.tally.wrong += 1;
            return;
        };
        let connection = &mut self.connections[index];
        if connection.recovered < connection.plan.missed {
            self.tally.reordered += u64::from(number != connection.recovered);
            connection.recovered += 1;
            self.tally.deliveries += 1;
            self.tally.recovered += u64::from(connection.recovered == connection.plan.missed);
            return;
        }
        let meant = match publisher.to {
            To::Room(room) => connection.plan.room == room,
            To::User(user) => connection.plan.user == user,
        };
        let Some(next) = connection.next.get_mut(publisher.place).filter(|_| meant) else {
            self.tally.wrong += 1;
            return;
        };
        if number < *next {
            self.tally.reordered += 1;
            return;
        }
        self.tally.lost += u64::from(number - *next);
        *next = number + 1;
        let since = match publisher.arrived(number) {
            Arrived::Part(since) => since,
            Arrived::All(since) => {
                self.ready.push(key);
                since
            }
            Arrived::Unknown => {
                self.tally.wrong += 1;
                return;
            }
        };
        self.tally.deliveries += 1;
        self.tally.latency.add(now.saturating_sub(since));
    }
}
