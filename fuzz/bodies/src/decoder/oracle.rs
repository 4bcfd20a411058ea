//! tungstenite as the oracle: equal bytes give equal messages and the same class of verdict, except
//! for a list of deliberate differences.

use std::io::{self, Read, Write};

use switchboard_kit::Received;
use tungstenite::error::Error;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::frames::{FrameHead, MASKED, frame_at};
use super::{LIMITS, Run, Verdict, decode};

/// A deliberate difference.
#[derive(Debug)]
pub struct Difference {
    /// How the oracle differs.
    pub why: &'static str,
    /// Our verdict on the frame.
    pub ours: Verdict,
    /// The oracle's verdict on the whole frame.
    pub theirs: Verdict,
    /// The frames concerned.
    frame: fn(&FrameHead) -> bool,
}

/// All deliberate differences but one: we report a violation at its first byte, where the oracle
/// may wait for the end of the frame. Therefore the oracle is given the frame to its end.
pub const DIFFERENCES: [Difference; 3] = [
    Difference {
        why: "the oracle looks at the size before the mask, the bits and the rules for control frames",
        ours: Verdict::Protocol,
        theirs: Verdict::TooBig,
        frame: |frame| frame.length > LIMITS.message_bytes as u64,
    },
    Difference {
        why: "the oracle looks at the reason of a Close before its code",
        ours: Verdict::Protocol,
        theirs: Verdict::Utf8,
        frame: |frame| frame.opcode == 8,
    },
    Difference {
        why: "the oracle takes a control frame with a short length in a longer form",
        ours: Verdict::Protocol,
        theirs: Verdict::Fine,
        frame: |frame| frame.is_control() && frame.long_form,
    },
];

/// How the two agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Completely.
    Same,
    /// We report the same, but earlier in the frame.
    Earlier,
    /// As this entry of [`DIFFERENCES`] says.
    Meant(usize),
}

/// Compares both decoders on a stream, ours in any split.
///
/// # Errors
///
/// Returns a description of the disagreement.
pub fn compare<'a>(
    stream: &[u8],
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Agreement, String> {
    judge(stream, &decode(LIMITS, reads.into_iter(), None))
}

pub(super) fn judge(stream: &[u8], run: &Run) -> Result<Agreement, String> {
    let ours = (run.heard.clone(), run.verdict());
    let ambiguous =
        |heard: &Received| matches!(heard, Received::Close(Some((_, why))) if why == COMPLAINT);
    if ours.0.last().is_some_and(ambiguous) {
        return Ok(Agreement::Same);
    }
    let theirs_is = theirs(stream);
    if ours == theirs_is {
        return Ok(Agreement::Same);
    }
    let told = format!("we say {ours:?}, the oracle says {theirs_is:?}");
    if ours.1 == Verdict::Fine {
        return Err(told);
    }
    // Byte by byte, the number of reads is the position of the violation.
    let place = decode(LIMITS, stream.chunks(1), None).reads - 1;
    let frame = frame_at(stream, place);
    let whole = completed(stream, &frame);
    let of_the_frame = theirs(&whole);
    if ours == of_the_frame {
        return Ok(Agreement::Earlier);
    }
    let verdicts = (ours.1, of_the_frame.1);
    let taken = usize::from(of_the_frame.1 == Verdict::Fine);
    let same_events =
        of_the_frame.0.len() == ours.0.len() + taken && of_the_frame.0.starts_with(&ours.0);
    DIFFERENCES
        .iter()
        .position(|meant| (meant.ours, meant.theirs) == verdicts && (meant.frame)(&frame))
        .filter(|_| same_events)
        .map(Agreement::Meant)
        .ok_or_else(|| format!("{told}, and of the whole frame {of_the_frame:?}; {frame:?}"))
}

/// Returns the stream up to the end of this frame, with zeros for missing bytes. The header
/// suffices if the frame is too big.
fn completed(stream: &[u8], frame: &FrameHead) -> Vec<u8> {
    let end = frame.end(LIMITS.message_bytes);
    let mut whole = stream[..end.min(stream.len())].to_vec();
    if whole.len() == frame.start + 1 {
        whole.push(MASKED);
    }
    whole.resize(end, 0);
    whole
}

/// The reason that the oracle reports for a Close with a bad code. A client that sends this reason
/// cannot be distinguished.
const COMPLAINT: &str = "Protocol violation";

/// Supplies bytes, then would block; accepts all writes.
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

/// Runs tungstenite on a stream.
///
/// # Panics
///
/// Panics if it ends in an unexpected way.
pub fn theirs(bytes: &[u8]) -> (Vec<Received>, Verdict) {
    let config = WebSocketConfig::default()
        .read_buffer_size(1_024)
        .max_message_size(Some(LIMITS.message_bytes))
        .max_frame_size(Some(LIMITS.message_bytes));
    let mut socket = WebSocket::from_raw_socket(Wire(bytes), Role::Server, Some(config));
    let mut events = Vec::new();
    let verdict = loop {
        events.push(match socket.read() {
            Ok(Message::Text(text)) => Received::Text(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => Received::Binary(bytes.to_vec()),
            Ok(Message::Ping(bytes)) => Received::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Received::Pong(bytes.to_vec()),
            // How it reports a bad code.
            Ok(Message::Close(Some(body))) if body.reason.as_str() == COMPLAINT => {
                break Verdict::Protocol;
            }
            Ok(Message::Close(body)) => Received::Close(
                body.map(|body| (body.code.into(), body.reason.as_str().to_owned())),
            ),
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
