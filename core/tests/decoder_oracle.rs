//! tungstenite is the oracle: the same bytes come to the same messages and the same class of
//! verdict, apart from a list of differences that are meant.

mod support;

use std::io::{self, Read, Write};

use proptest::prelude::*;
use tungstenite::error::Error;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use support::scripts::{SMALL, reads, script, split};
use support::*;
use switchboard_core::{CloseReason, DecoderLimits};

/// The oracle knows no limit of fragments.
const ORACLE_LIMITS: DecoderLimits = DecoderLimits {
    fragments: usize::MAX,
    ..SMALL
};

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It goes on, or was closed in the way it should be.
    Fine,
    Protocol,
    Utf8,
    TooBig,
}

fn ours(reads: Vec<&[u8]>) -> (Vec<Event>, Verdict) {
    let outcome = decode(ORACLE_LIMITS, reads);
    let verdict = match outcome.error.map(switchboard_core::ProtocolError::close) {
        None => Verdict::Fine,
        Some(CloseReason::ProtocolError) => Verdict::Protocol,
        Some(CloseReason::InvalidUtf8) => Verdict::Utf8,
        Some(CloseReason::TooBig) => Verdict::TooBig,
        Some(other) => panic!("no limit of fragments was set, and yet: {other}"),
    };
    (outcome.events, verdict)
}

/// Gives bytes, then would block; takes everything.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            other => other,
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(bytes: &[u8]) -> (Vec<Event>, Verdict) {
    let config = WebSocketConfig::default()
        .read_buffer_size(1_024)
        .max_message_size(Some(ORACLE_LIMITS.message_bytes))
        .max_frame_size(Some(ORACLE_LIMITS.message_bytes));
    let mut socket = WebSocket::from_raw_socket(Wire(bytes), Role::Server, Some(config));
    let mut events = Vec::new();
    let verdict = loop {
        events.push(match socket.read() {
            Ok(Message::Text(text)) => Event::Text(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => Event::Binary(bytes.to_vec()),
            Ok(Message::Ping(bytes)) => Event::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Event::Pong(bytes.to_vec()),
            // How it says that the code was wrong.
            Ok(Message::Close(Some(body))) if body.reason.as_str() == "Protocol violation" => {
                break Verdict::Protocol;
            }
            Ok(Message::Close(body)) => {
                Event::Close(body.map(|body| (body.code.into(), body.reason.as_str().to_owned())))
            }
            Ok(Message::Frame(_)) => unreachable!("reading gives whole messages"),
            Err(Error::ConnectionClosed) => break Verdict::Fine,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                break Verdict::Fine;
            }
            Err(Error::Protocol(_)) => break Verdict::Protocol,
            Err(Error::Utf8(_)) => break Verdict::Utf8,
            Err(Error::Capacity(_)) => break Verdict::TooBig,
            Err(other) => panic!("{other}"),
        });
    };
    (events, verdict)
}

/// Differences that are meant, for whole frames: which of two broken rules is told. We tell the
/// first in the order of the bytes.
const MEANT: [(Verdict, Verdict, &str); 2] = [
    (
        Verdict::Protocol,
        Verdict::TooBig,
        "the oracle looks at the size before the mask, the bits and the rules for control frames",
    ),
    (
        Verdict::Protocol,
        Verdict::Utf8,
        "the oracle looks at the reason of a Close before its code",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn whole_frames_come_to_what_they_come_to_in_tungstenite(
        frames in script(), lengths in reads(),
    ) {
        let bytes = wire(&frames);
        let (our_events, our_verdict) = ours(split(&bytes, &lengths));
        let (their_events, their_verdict) = theirs(&bytes);
        prop_assert_eq!(our_events, their_events);
        let meant = MEANT
            .iter()
            .any(|(ours, theirs, _)| (*ours, *theirs) == (our_verdict, their_verdict));
        prop_assert!(
            our_verdict == their_verdict || meant,
            "we say {:?}, the oracle says {:?}", our_verdict, their_verdict
        );
    }
}

/// The header of a frame that declares this length and has no payload.
fn declaring(opcode: u8, length: u64) -> Vec<u8> {
    let length = Length::Declared(length);
    ClientFrame {
        length,
        ..frame(opcode, "")
    }
    .header()
}

fn unmasked(payload: &[u8]) -> ClientFrame {
    ClientFrame {
        mask: None,
        ..frame(TEXT, payload)
    }
}

#[test]
fn of_two_broken_rules_the_first_is_told_where_tungstenite_tells_the_second() {
    for (why, bytes, theirs_is) in [
        (
            "no mask, then size",
            unmasked(&[b'x'; 301]).bytes(),
            Verdict::TooBig,
        ),
        (
            "code, then reason",
            close(999, b"\xFF").bytes(),
            Verdict::Utf8,
        ),
        (
            "top bit, not size",
            declaring(BINARY, 1 << 63),
            Verdict::TooBig,
        ),
        (
            "control length, not size",
            declaring(PING, 301),
            Verdict::TooBig,
        ),
    ] {
        assert_eq!(ours(vec![&bytes]), (vec![], Verdict::Protocol), "{why}");
        assert_eq!(theirs(&bytes), (vec![], theirs_is), "{why}");
    }
}

#[test]
fn a_broken_rule_is_told_at_once_where_tungstenite_waits_for_the_payload() {
    let rsv = ClientFrame {
        rsv: 4,
        ..frame(TEXT, "hello")
    };
    let sum = [
        part(BINARY, [7; 200]).bytes(),
        frame(CONTINUATION, [7; 101]).header(),
    ];
    let mut surrogate = frame(TEXT, b"\xED\xA0\x80").bytes();
    surrogate.pop();
    for (why, bytes, ours_is) in [
        ("reserved bit", rsv.header(), Verdict::Protocol),
        ("no mask", unmasked(b"hello").header(), Verdict::Protocol),
        (
            "control length",
            frame(PING, [0; 126]).header(),
            Verdict::Protocol,
        ),
        (
            "control without FIN",
            part(PING, "hello").header(),
            Verdict::Protocol,
        ),
        (
            "nothing to continue",
            frame(CONTINUATION, "x").header(),
            Verdict::Protocol,
        ),
        ("sum of fragments", sum.concat(), Verdict::TooBig),
        ("half a surrogate (Autobahn 6.4)", surrogate, Verdict::Utf8),
    ] {
        assert_eq!(ours(vec![&bytes]), (vec![], ours_is), "{why}");
        assert_eq!(theirs(&bytes), (vec![], Verdict::Fine), "{why}");
    }
}

#[test]
fn a_control_frame_with_a_length_in_a_longer_form_is_refused_where_tungstenite_takes_it() {
    let bytes = ClientFrame {
        length: Length::Bits16,
        ..frame(PING, "")
    }
    .bytes();
    assert_eq!(ours(vec![&bytes]), (vec![], Verdict::Protocol));
    assert_eq!(theirs(&bytes), (vec![Event::Ping(vec![])], Verdict::Fine));
}
