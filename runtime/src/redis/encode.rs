//! From a command to the arguments of a request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::cluster::{
    Append, Beat, Channel, Command, Direct, Keep, Kick, Login, Logout, Lookup, Position, Presence,
    Range, Seats, Sync, Values, Writer,
};

use super::names::Names;
use super::script::Script;

/// Returns the arguments of the request that carries out a command, its name first. Bodies and
/// payloads are borrowed.
pub fn encode<'a>(names: &Names, command: &'a Command) -> Vec<Cow<'a, [u8]>> {
    match command {
        Command::Append(append) => encode_append(names, append),
        Command::Sync(sync) => encode_sync(names, sync),
        Command::Presence(presence) => encode_presence(names, presence),
        Command::Occupants(it) => Request::script(
            Script::Occupants,
            [names.numbers(&it.room), names.users(&it.room)],
        )
        .text(&it.incarnation)
        .done(),
        Command::Position(position) => encode_position(names, position),
        Command::Range(range) => encode_range(names, range),
        Command::Values(values) => encode_values(names, values),
        Command::Seats(seats) => encode_seats(names, seats),
        Command::Login(login) => encode_login(names, login),
        Command::Logout(logout) => encode_logout(names, logout),
        Command::Kick(kick) => encode_kick(names, kick),
        Command::Lookup(lookup) => encode_lookup(names, lookup),
        Command::Direct(direct) => encode_direct(names, direct),
        Command::Beat(beat) => encode_beat(names, beat),
        Command::Retire(it) => Request::script(
            Script::Retire,
            [names.lease(&it.registration), names.nodes()],
        )
        .text(&it.registration)
        .own(names.channel(&Channel::Everyone))
        .bytes(&it.payload)
        .done(),
        Command::Notify { channel, payload } => Request::named("PUBLISH")
            .own(names.channel(channel))
            .bytes(payload)
            .done(),
        Command::Ping => Request::named("PING").done(),
    }
}

fn encode_append<'a>(names: &Names, it: &'a Append) -> Vec<Cow<'a, [u8]>> {
    Request::script(Script::Append, room_keys(names, &it.room))
        .head(&it.fresh, &it.writer)
        .number(it.first)
        .number(it.retention.messages)
        .millis(it.retention.numbers)
        .millis(it.retention.log)
        .own(names.channel(&Channel::Room(Arc::clone(&it.room))))
        .number(it.keys)
        .all(it.bodies.iter().map(|body| Cow::Borrowed(&**body)))
        .done()
}

fn encode_sync<'a>(names: &Names, it: &'a Sync) -> Vec<Cow<'a, [u8]>> {
    let (epoch, seq) = match &it.since {
        Some((epoch, seq)) => (&**epoch, *seq),
        None => ("", 0),
    };
    Request::script(Script::Sync, room_keys(names, &it.room))
        .head(&it.fresh, &it.writer)
        .text(epoch)
        .number(seq)
        .number(it.most)
        .millis(it.retention.numbers)
        .number(it.done)
        .done()
}

fn encode_presence<'a>(names: &Names, it: &'a Presence) -> Vec<Cow<'a, [u8]>> {
    let line = |sign: char, user: &str, info: Option<&str>| {
        let tab = if info.is_some() { "\t" } else { "" };
        Cow::Owned(format!("{sign}{user}{tab}{}", info.unwrap_or_default()).into_bytes())
    };
    let joined = it.joined.iter();
    Request::script(Script::Presence, room_keys(names, &it.room))
        .head(&it.fresh, &it.writer)
        .text(&it.registration)
        .millis(it.numbers)
        .millis(it.list)
        .own(names.channel(&Channel::Room(Arc::clone(&it.room))))
        .all(it.left.iter().map(|user| line('-', user, None)))
        .all(joined.map(|(user, info)| line('+', user, info.as_deref())))
        .done()
}

fn encode_position<'a>(names: &Names, it: &'a Position) -> Vec<Cow<'a, [u8]>> {
    Request::script(
        Script::Position,
        [
            names.numbers(&it.room),
            names.users(&it.room),
            names.values(&it.room),
            names.keys(&it.room),
        ],
    )
    .text(&it.incarnation)
    .millis(it.numbers)
    .millis(it.list)
    .texts(&it.forget)
    .done()
}

fn encode_range<'a>(names: &Names, it: &'a Range) -> Vec<Cow<'a, [u8]>> {
    Request::script(
        Script::Range,
        [names.numbers(&it.room), names.log(&it.room)],
    )
    .text(&it.incarnation)
    .text(&it.epoch)
    .number(it.after)
    .number(it.most)
    .done()
}

fn encode_values<'a>(names: &Names, it: &'a Values) -> Vec<Cow<'a, [u8]>> {
    Request::script(
        Script::Values,
        [
            names.numbers(&it.room),
            names.values(&it.room),
            names.keys(&it.room),
        ],
    )
    .text(&it.incarnation)
    .text(&it.epoch)
    .number(it.after)
    .number(it.most)
    .done()
}

fn encode_seats<'a>(names: &Names, it: &'a Seats) -> Vec<Cow<'a, [u8]>> {
    Request::script(Script::Seats, [names.seats(&it.room)])
        .text(&it.registration)
        .number(it.session)
        .number(it.held)
        .number(it.wanted)
        .number(it.total)
        .own(it.stale.as_micros().to_string())
        .millis(it.table)
        .texts(&it.dead)
        .done()
}

fn encode_login<'a>(names: &Names, it: &'a Login) -> Vec<Cow<'a, [u8]>> {
    Request::script(Script::Login, [names.claims(&it.user)])
        .text(&it.writer.incarnation)
        .text(&it.writer.node)
        .number(it.writer.session)
        .text(&it.registration)
        .text(&it.connection)
        .own(it.at.map(|at| at.0.to_string()).unwrap_or_default())
        .number(it.most)
        .text(match it.keep {
            Keep::Newest => "newest",
            Keep::Oldest => "oldest",
        })
        .millis(it.expiry)
        .own(names.inboxes())
        .text(&it.user)
        .text(&it.reason)
        .own(
            it.since
                .map(|since| since.0.to_string())
                .unwrap_or_default(),
        )
        .texts(&it.dead)
        .done()
}

fn encode_logout<'a>(names: &Names, it: &'a Logout) -> Vec<Cow<'a, [u8]>> {
    Request::script(Script::Logout, [names.claims(&it.user)])
        .text(&it.writer.incarnation)
        .text(&it.writer.node)
        .number(it.writer.session)
        .text(&it.registration)
        .text(&it.connection)
        .millis(it.rest)
        .done()
}

fn encode_kick<'a>(names: &Names, it: &'a Kick) -> Vec<Cow<'a, [u8]>> {
    Request::script(Script::Kick, [names.claims(&it.user)])
        .text(&it.incarnation)
        .own(names.inboxes())
        .text(&it.user)
        .text(&it.reason)
        .millis(it.expiry)
        .done()
}

fn encode_lookup<'a>(names: &Names, it: &'a Lookup) -> Vec<Cow<'a, [u8]>> {
    Request::script(Script::Lookup, [names.claims(&it.user)])
        .text(&it.incarnation)
        .millis(it.expiry)
        .done()
}

fn encode_direct<'a>(names: &Names, it: &'a Direct) -> Vec<Cow<'a, [u8]>> {
    Request::script(Script::Direct, [names.claims(&it.user)])
        .text(&it.incarnation)
        .own(names.inboxes())
        .text(&it.node)
        .bytes(&it.payload)
        .texts(&it.dead)
        .done()
}

fn encode_beat<'a>(names: &Names, it: &'a Beat) -> Vec<Cow<'a, [u8]>> {
    Request::script(Script::Beat, [names.lease(&it.registration), names.nodes()])
        .text(&it.registration)
        .text(if it.renew { "1" } else { "0" })
        .millis(it.lease)
        .text(&it.info)
        .millis(it.list)
        .own(names.channel(&Channel::Everyone))
        .bytes(&it.payload)
        .texts(&it.forget)
        .done()
}

fn room_keys(names: &Names, room: &str) -> [String; 5] {
    [
        names.numbers(room),
        names.log(room),
        names.users(room),
        names.values(room),
        names.keys(room),
    ]
}

/// The arguments so far.
struct Request<'a>(Vec<Cow<'a, [u8]>>);

impl<'a> Request<'a> {
    fn named(name: &'static str) -> Self {
        Self(vec![Cow::Borrowed(name.as_bytes())])
    }

    fn script<const N: usize>(script: Script, keys: [String; N]) -> Self {
        let mut request = Self::named("EVALSHA")
            .text(script.digest())
            .number(N as u64);
        for key in keys {
            request = request.own(key);
        }
        request
    }

    /// The arguments that room.lua takes.
    fn head(self, fresh: &'a str, writer: &'a Writer) -> Self {
        self.text(fresh)
            .text(&writer.incarnation)
            .text(&writer.node)
            .number(writer.session)
    }

    fn bytes(mut self, bytes: &'a [u8]) -> Self {
        self.0.push(Cow::Borrowed(bytes));
        self
    }

    fn text(self, text: &'a str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn own(mut self, text: String) -> Self {
        self.0.push(Cow::Owned(text.into_bytes()));
        self
    }

    fn number(self, number: impl Into<u64>) -> Self {
        self.own(number.into().to_string())
    }

    /// Redis takes whole milliseconds, and for 0 it deletes the key.
    fn millis(self, duration: Duration) -> Self {
        self.own(duration.as_millis().to_string())
    }

    fn texts(self, texts: &'a [Arc<str>]) -> Self {
        self.all(texts.iter().map(|text| Cow::Borrowed(text.as_bytes())))
    }

    fn all(mut self, arguments: impl Iterator<Item = Cow<'a, [u8]>>) -> Self {
        self.0.extend(arguments);
        self
    }

    fn done(self) -> Vec<Cow<'a, [u8]>> {
        self.0
    }
}
