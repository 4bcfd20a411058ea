//! Server-sent events, for clients that cannot open a WebSocket (WHATWG HTML, section 9.2).
//!
//! Such a connection is treated like a WebSocket, except that its frames are written as events. An
//! event stream has no bytes in the other direction: its client posts its messages (docs/protocol.md,
//! section 6).

use std::fmt;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::wire::frame::Opcode;
use crate::{Frame, Position};

/// What a Close frame without a body means (RFC 6455, section 7.1.5).
const NO_CODE: u16 = 1005;

/// The event that announces the end of the stream.
#[derive(Serialize)]
struct Close<'a> {
    code: u16,
    reason: &'a str,
}

/// Appends a frame as it is written to an event stream. `id` is the position after a message.
///
/// | frame | on the stream |
/// |---|---|
/// | text | an event with the text as its data; a line break of any kind separates lines of data |
/// | binary | the event `binary`, whose data is base64 |
/// | Close | the event `close`, whose data is an object with `code` and `reason` |
/// | ping, pong | a comment |
/// | none: an HTTP response, or events | unchanged |
pub(crate) fn write(out: &mut Vec<u8>, frame: &Frame, id: Option<&str>) {
    let payload = frame.payload();
    match frame.opcode() {
        None => return out.extend_from_slice(frame.as_bytes()),
        // A line by itself, so that it may stand within an event.
        Some(Opcode::Ping | Opcode::Pong) => return out.extend_from_slice(b":\n"),
        Some(Opcode::Text) => {
            out.reserve(payload.len() + 16);
            if let Some(id) = id {
                write_id(out, id);
            }
            write_data(out, payload);
        }
        Some(Opcode::Binary) => {
            out.extend_from_slice(b"event: binary\n");
            write_data(out, STANDARD.encode(payload).as_bytes());
        }
        Some(Opcode::Close) => {
            out.extend_from_slice(b"event: close\n");
            write_json(out, &close(payload));
        }
    }
    out.push(b'\n');
}

/// Returns the line that makes a position the id of the event that follows it.
pub(crate) fn id_line(id: &str) -> Frame {
    let mut line = Vec::new();
    write_id(&mut line, id);
    Frame::raw(line)
}

/// Returns a frame as it is written to an event stream, with the position after it.
pub(crate) fn event(frame: &Frame, position: Option<&Position>) -> Frame {
    let mut bytes = Vec::new();
    let id = position.map(Position::to_string);
    write(&mut bytes, frame, id.as_deref());
    Frame::raw(bytes)
}

/// Appends the first event, which tells the client where to post its messages.
pub(crate) fn write_session(out: &mut Vec<u8>, secret: &impl fmt::Display) {
    #[derive(Serialize)]
    struct Session {
        session: String,
    }
    out.extend_from_slice(b"event: session\n");
    let session = secret.to_string();
    write_json(out, &Session { session });
    out.push(b'\n');
}

fn write_id(out: &mut Vec<u8>, id: &str) {
    let _ = writeln!(out, "id: {id}");
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    // A vector takes everything, and these values can all be written.
    let _ = serde_json::to_writer(&mut *out, value);
    out.push(b'\n');
}

/// Appends a line for each line of the data.
fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    let mut rest = data;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let line = &rest[..end.unwrap_or(rest.len())];
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
        let Some(end) = end else {
            return;
        };
        let length = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + length..];
    }
}

fn close(body: &[u8]) -> Close<'_> {
    let Some((code, reason)) = body.split_first_chunk() else {
        let (code, reason) = (NO_CODE, "");
        return Close { code, reason };
    };
    Close {
        code: u16::from_be_bytes(*code),
        reason: str::from_utf8(reason).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(frame: &Frame, id: Option<&str>) -> String {
        let mut out = Vec::new();
        write(&mut out, frame, id);
        String::from_utf8(out).expect("events are text")
    }

    #[test]
    fn a_text_is_an_event_and_its_position_the_id() {
        let frame = Frame::text(r#"{"seq":7}"#);
        assert_eq!(written(&frame, None), "data: {\"seq\":7}\n\n");
        let with_id = written(&frame, Some("5f-1.7"));
        assert_eq!(with_id, "id: 5f-1.7\ndata: {\"seq\":7}\n\n");
        assert_eq!(written(&Frame::text(""), None), "data: \n\n");
    }

    #[test]
    fn no_text_breaks_out_of_its_event() {
        for (text, lines) in [
            ("a\nb", "data: a\ndata: b\n\n"),
            ("a\r\nb", "data: a\ndata: b\n\n"),
            ("a\rb", "data: a\ndata: b\n\n"),
            (
                "a\n\nevent: close",
                "data: a\ndata: \ndata: event: close\n\n",
            ),
            ("\n", "data: \ndata: \n\n"),
            ("a\r\n", "data: a\ndata: \n\n"),
        ] {
            assert_eq!(written(&Frame::text(text), None), lines, "{text:?}");
        }
    }

    #[test]
    fn other_frames_are_named_events_or_comments() {
        let binary = Frame::binary(&[0, 255, 10]);
        assert_eq!(written(&binary, None), "event: binary\ndata: AP8K\n\n");
        let close = Frame::close(4004, "ki\"cked\n").expect("a legal code");
        let told = r#"{"code":4004,"reason":"ki\"cked\n"}"#;
        let told = format!("event: close\ndata: {told}\n\n");
        assert_eq!(written(&close, None), told);
        let empty = r#"{"code":1005,"reason":""}"#;
        let empty = format!("event: close\ndata: {empty}\n\n");
        assert_eq!(written(&Frame::close_empty(), None), empty);
        for control in [Frame::ping(b"x"), Frame::pong(b"x")] {
            assert_eq!(written(&control, None), ":\n");
        }
    }

    #[test]
    fn what_is_no_frame_goes_out_unchanged() {
        let response = "HTTP/1.1 200 OK\r\n\r\nevent: session\ndata: {}\n\n";
        assert_eq!(written(&Frame::raw(response.as_bytes()), None), response);
        let twice = event(&event(&Frame::text("a"), None), None);
        assert_eq!(twice.as_bytes(), b"data: a\n\n");
    }
}
