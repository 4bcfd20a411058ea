//! Parses the messages of clients.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{BadContent, check_nesting, check_strings};
use super::fields::{Field, Fields};
use super::{
    Command, Content, ErrorCode, MAX_ECHO_BYTES, MAX_NESTING, RequestId, Since, Timestamp,
};
use crate::{Token, check_name};

/// Why a message was rejected. Converts to a [`ServerMessage`](super::ServerMessage), which is the
/// answer to it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected<'a> {
    /// [`ErrorCode::BadRequest`] or [`ErrorCode::UnknownType`].
    pub code: ErrorCode,
    /// The broken rule, for people. It never quotes the message.
    pub message: &'static str,
    /// The id of the request, if the text is a JSON object with exactly one valid id.
    pub id: Option<RequestId<'a>>,
    /// The room of the request, if that is a valid name of at most [`MAX_ECHO_BYTES`] bytes.
    pub channel: Option<Cow<'a, str>>,
}

impl Rejected<'_> {
    /// Detaches the rejection from the text it was read from.
    pub(crate) fn into_owned(self) -> Rejected<'static> {
        Rejected {
            code: self.code,
            message: self.message,
            id: self.id.map(RequestId::into_owned),
            channel: self.channel.map(|name| Cow::Owned(name.into_owned())),
        }
    }
}

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Rejected<'_> {}

/// Parses one message of a client.
///
/// Takes time linear in the length of the text and does not recurse. Allocates only for names with
/// escapes, for a token, and one byte for each open bracket. Unknown fields are skipped; a known
/// field given twice is refused.
///
/// # Errors
///
/// [`Rejected`] contains the error code to answer with, and as much of the message as was
/// understood.
pub fn parse(text: &str) -> Result<Command<'_>, Rejected<'_>> {
    // serde_json's error would quote a value that is not an object, at up to six times its length.
    let object = text.trim_start_matches([' ', '\t', '\n', '\r']);
    let fields = object
        .starts_with('{')
        .then(|| serde_json::from_str(object));
    let fields: Fields<'_> = fields.and_then(Result::ok).ok_or(Rejected {
        code: ErrorCode::BadRequest,
        message: "the message must be one JSON object",
        id: None,
        channel: None,
    })?;
    check(text, &fields)
        .and_then(|()| command(&fields))
        .map_err(|Fault(code, message)| Rejected {
            code,
            message,
            id: fields.value(Field::Id).and_then(RequestId::new),
            channel: fields
                .value(Field::Channel)
                .and_then(string)
                .filter(|name| check_name(name, MAX_ECHO_BYTES).is_ok()),
        })
}

struct Fault(ErrorCode, &'static str);

const fn bad_request(message: &'static str) -> Fault {
    Fault(ErrorCode::BadRequest, message)
}

/// Checks the rules common to all message types.
fn check(text: &str, fields: &Fields<'_>) -> Result<(), Fault> {
    if let Some(field) = fields.repeated() {
        return Err(bad_request(given_twice(field)));
    }
    check_nesting(text, MAX_NESTING)
        .and_then(|()| check_strings(text))
        .map_err(|bad: BadContent| bad_request(bad.as_str()))
}

const fn given_twice(field: Field) -> &'static str {
    match field {
        Field::Type => "`type` must be given once only",
        Field::Id => "`id` must be given once only",
        Field::Channel => "`channel` must be given once only",
        Field::To => "`to` must be given once only",
        Field::Content => "`content` must be given once only",
        Field::Key => "`key` must be given once only",
        Field::Echo => "`echo` must be given once only",
        Field::Volatile => "`volatile` must be given once only",
        Field::Timestamp => "`timestamp` must be given once only",
        Field::Token => "`token` must be given once only",
        Field::Since => "`since` must be given once only",
        Field::Last => "`last` must be given once only",
        Field::Again => "`again` must be given once only",
        Field::Method => "`method` must be given once only",
        Field::Params => "`params` must be given once only",
        Field::Unknown => "a field must be given once only",
    }
}

fn command<'a>(fields: &Fields<'a>) -> Result<Command<'a>, Fault> {
    let id = match fields.optional(Field::Id) {
        None => None,
        Some(raw) => Some(RequestId::new(raw).ok_or(bad_request(
            "`id` must be an integer or a string of at most 128 bytes",
        ))?),
    };
    let kind = fields.value(Field::Type).and_then(string);
    let kind = kind.ok_or(bad_request("`type` must be given, as a string"))?;
    Ok(match &*kind {
        "subscribe" => subscribe(id, fields)?,
        "unsubscribe" => Command::Unsubscribe {
            id,
            channel: channel(fields)?,
        },
        "message" => message(id, fields)?,
        "direct" => Command::Direct {
            id,
            to: to(fields)?,
            content: content(fields)?,
        },
        "call" => Command::Call {
            id: id.ok_or(bad_request("`id` must be given"))?,
            method: method(fields)?,
            params: fields
                .value(Field::Params)
                .map_or(Content::NULL, Content::checked),
        },
        "ping" => Command::Ping {
            id,
            timestamp: ping_timestamp(fields)?,
        },
        "health_pong" => Command::HealthPong {
            timestamp: pong_timestamp(fields)?,
        },
        "auth" => Command::Auth {
            id,
            token: token(fields)?,
        },
        _ => {
            return Err(Fault(
                ErrorCode::UnknownType,
                "`type` must be subscribe, unsubscribe, message, direct, call, ping, health_pong or auth",
            ));
        }
    })
}

fn message<'a>(id: Option<RequestId<'a>>, fields: &Fields<'a>) -> Result<Command<'a>, Fault> {
    let echo = "`echo` must be true or false, or left out";
    let volatile = "`volatile` must be true or false, or left out";
    let volatile = flag(fields, Field::Volatile, volatile)?;
    let (key, again) = (map_key(fields)?, again(id.as_ref(), fields)?);
    if volatile && key.is_some() {
        return Err(bad_request("`volatile` and `key` exclude each other"));
    }
    if volatile && again.is_some() {
        return Err(bad_request("`volatile` and `again` exclude each other"));
    }
    Ok(Command::Message {
        channel: optional_channel(fields)?,
        content: content(fields)?,
        key,
        echo: flag(fields, Field::Echo, echo)?,
        volatile,
        again,
        id,
    })
}

fn subscribe<'a>(id: Option<RequestId<'a>>, fields: &Fields<'a>) -> Result<Command<'a>, Fault> {
    let since = since(fields)?;
    let last = count(
        fields,
        Field::Last,
        "`last` must be a whole number from 0, or left out",
    )?;
    if since.is_some() && last.is_some() {
        return Err(bad_request("`since` and `last` exclude each other"));
    }
    Ok(Command::Subscribe {
        id,
        channel: channel(fields)?,
        since,
        last,
    })
}

fn since<'a>(fields: &Fields<'a>) -> Result<Option<Since<'a>>, Fault> {
    #[derive(Deserialize)]
    struct Raw<'a> {
        #[serde(borrow)]
        epoch: &'a RawValue,
        seq: u64,
    }
    let Some(raw) = fields.optional(Field::Since) else {
        return Ok(None);
    };
    // serde would read an array as the fields in order.
    let object = Some(raw.get()).filter(|json| json.starts_with('{'));
    let read = object.and_then(|json| serde_json::from_str::<Raw<'a>>(json).ok());
    let since = read.and_then(|Raw { epoch, seq }| {
        let epoch = string(epoch).filter(|epoch| epoch.len() <= MAX_ECHO_BYTES)?;
        Some(Since { epoch, seq })
    });
    match since {
        None => Err(bad_request(
            "`since` must have an `epoch` of at most 128 bytes and a `seq` from 0",
        )),
        since => Ok(since),
    }
}

fn again(id: Option<&RequestId<'_>>, fields: &Fields<'_>) -> Result<Option<u64>, Fault> {
    let rule = "`again` must be a whole number from 0, or left out";
    let again = count(fields, Field::Again, rule)?;
    if again.is_some() && id.is_none() {
        return Err(bad_request("`again` needs an `id`"));
    }
    Ok(again)
}

/// Returns an optional whole number.
fn count(fields: &Fields<'_>, field: Field, rule: &'static str) -> Result<Option<u64>, Fault> {
    let given = fields.optional(field).map(|raw| raw.get().parse());
    given.transpose().map_err(|_| bad_request(rule))
}

fn channel<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, Fault> {
    let channel = fields.value(Field::Channel).and_then(string);
    channel.ok_or(bad_request("`channel` must be given, as a string"))
}

fn optional_channel<'a>(fields: &Fields<'a>) -> Result<Option<Cow<'a, str>>, Fault> {
    match fields.optional(Field::Channel) {
        None => Ok(None),
        Some(raw) => match string(raw) {
            None => Err(bad_request("`channel` must be a string, or left out")),
            channel => Ok(channel),
        },
    }
}

fn to<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, Fault> {
    let to = fields.value(Field::To).and_then(string);
    to.ok_or(bad_request("`to` must be given, as a string"))
}

fn method<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, Fault> {
    let method = fields.value(Field::Method).and_then(string);
    method.ok_or(bad_request("`method` must be given, as a string"))
}

fn content<'a>(fields: &Fields<'a>) -> Result<Content<'a>, Fault> {
    let content = fields.value(Field::Content).map(Content::checked);
    content.ok_or(bad_request("`content` must be given, as any JSON value"))
}

fn map_key<'a>(fields: &Fields<'a>) -> Result<Option<Cow<'a, str>>, Fault> {
    match fields.optional(Field::Key) {
        None => Ok(None),
        Some(raw) => match string(raw) {
            None => Err(bad_request("`key` must be a string, or left out")),
            key => Ok(key),
        },
    }
}

/// Returns an optional truth value.
fn flag(fields: &Fields<'_>, field: Field, rule: &'static str) -> Result<bool, Fault> {
    match fields.optional(field).map(RawValue::get) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(bad_request(rule)),
    }
}

fn ping_timestamp<'a>(fields: &Fields<'a>) -> Result<Option<Timestamp<'a>>, Fault> {
    match fields.value(Field::Timestamp) {
        None => Ok(None),
        Some(raw) => match Timestamp::new(raw) {
            None => Err(bad_request(
                "`timestamp` must not be an array or an object, and may have at most 128 bytes",
            )),
            timestamp => Ok(timestamp),
        },
    }
}

fn pong_timestamp(fields: &Fields<'_>) -> Result<Option<u64>, Fault> {
    let number = fields.value(Field::Timestamp).map(RawValue::get);
    let number = number.filter(|json| json.starts_with(|c: char| c == '-' || c.is_ascii_digit()));
    let number = number.ok_or(bad_request(
        "`timestamp` must be the number of the `health_ping`",
    ))?;
    Ok(number.parse().ok().or_else(|| whole_float(number)))
}

/// Converts a number with a fraction or an exponent to an integer, if it is one and below 2^53, up
/// to which `f64` is exact.
fn whole_float(number: &str) -> Option<u64> {
    const LIMIT: f64 = (1_u64 << 53) as f64;
    if number.len() > MAX_ECHO_BYTES {
        return None;
    }
    let value: f64 = number.parse().ok()?;
    (value.fract() == 0.0 && (0.0..LIMIT).contains(&value)).then_some(value as u64)
}

fn token(fields: &Fields<'_>) -> Result<Token, Fault> {
    let token = fields.value(Field::Token).and_then(string);
    token
        .map(Token::new)
        .ok_or(bad_request("`token` must be given, as a string"))
}

/// Returns the value of a JSON string, or `None` if it is not a string.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}
