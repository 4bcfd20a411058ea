//! Any bytes after the upgrade: the same messages and the same verdict as tungstenite, in any split,
//! in little memory.

mod frames;
mod oracle;

use arbitrary::Unstructured;
use switchboard_core::{CloseReason, Decoder, DecoderLimits, Incoming, ProtocolError};
use switchboard_tests::wire::Heard;

pub use self::oracle::{Agreement, DIFFERENCES, Difference, compare, theirs};
use crate::heap::Heap;
use crate::reads::{lengths, split};

/// Small enough that inputs run into it; not smaller than a control frame, which the oracle counts.
/// The oracle knows no limit of fragments.
pub const LIMITS: DecoderLimits = DecoderLimits {
    message_bytes: 300,
    fragments: usize::MAX,
};

const FEW_FRAGMENTS: DecoderLimits = DecoderLimits {
    fragments: 5,
    ..LIMITS
};

/// Bytes that a decoder may hold whatever it received: its first buffer, and a control frame.
const CONSTANT: i64 = 512;

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, or was closed in the way it should be.
    Fine,
    /// 1002.
    Protocol,
    /// 1007.
    Utf8,
    /// 1009.
    TooBig,
}

/// The first bytes are the lengths of reads, and the rest comes over the wire.
pub fn decoder(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let lengths = lengths(&mut input);
    let stream = input.take_rest();
    for limits in [LIMITS, FEW_FRAGMENTS] {
        let whole = decode(limits, [stream].into_iter());
        let in_reads = decode(limits, split(stream, &lengths));
        assert_eq!(whole.events(), in_reads.events(), "in reads");
        let in_bytes = decode(limits, stream.chunks(1));
        assert_eq!(whole.events(), in_bytes.events(), "byte by byte");
    }
    if let Err(difference) = compare(stream, split(stream, &lengths)) {
        panic!("{difference}");
    }
}

/// What our decoder makes of these reads.
///
/// # Panics
/// If it ends a connection for a reason that cannot be: there is no limit of fragments.
pub fn ours<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Heard>, Verdict) {
    let decoded = decode(LIMITS, reads.into_iter());
    let verdict = decoded.verdict();
    (decoded.heard, verdict)
}

/// What came out of some reads.
struct Run {
    heard: Vec<Heard>,
    error: Option<ProtocolError>,
    /// Reads that were taken, the one with the error included.
    reads: usize,
}

impl Run {
    fn events(&self) -> (&[Heard], Option<ProtocolError>) {
        (&self.heard, self.error)
    }

    fn verdict(&self) -> Verdict {
        match self.error.map(ProtocolError::close) {
            None => Verdict::Fine,
            Some(CloseReason::ProtocolError) => Verdict::Protocol,
            Some(CloseReason::InvalidUtf8) => Verdict::Utf8,
            Some(CloseReason::TooBig) => Verdict::TooBig,
            Some(other) => panic!("it ends for {other}"),
        }
    }
}

/// Decodes reads up to the first error.
fn decode<'a>(limits: DecoderLimits, reads: impl Iterator<Item = &'a [u8]>) -> Run {
    let mut heap = Heap::default();
    let mut decoder = Decoder::new(limits);
    let mut run = Run {
        heard: Vec::new(),
        error: None,
        reads: 0,
    };
    let mut received = 0;
    for read in reads {
        run.reads += 1;
        received += read.len();
        let mut read = read.to_vec();
        let mut rest = &mut read[..];
        loop {
            let step = heap.during(|| match decoder.decode(rest) {
                Ok(step) => Ok((
                    step.consumed,
                    step.incoming.map(|it| uncounted(|| heard(it))),
                )),
                Err(error) => Err(error),
            });
            heap.check(received, CONSTANT);
            let (consumed, event) = match step {
                Ok(step) => step,
                Err(error) => {
                    run.error = Some(error);
                    assert_eq!(decoder.buffered(), 0, "bytes are held after an error");
                    return run;
                }
            };
            let whole = event.is_some();
            run.heard.extend(event);
            if !whole {
                assert_eq!(consumed, rest.len(), "nothing whole, yet bytes are left");
                break;
            }
            assert!(consumed > 0, "a frame out of nothing");
            rest = &mut rest[consumed..];
        }
    }
    run
}

/// What a test keeps for itself is not the decoder's.
fn uncounted<R>(make: impl FnOnce() -> R) -> R {
    let mut made = None;
    allocation_counter::opt_out(|| made = Some(make()));
    made.expect("it was made")
}

fn heard(incoming: Incoming<'_>) -> Heard {
    match incoming {
        Incoming::Text(text) => Heard::Text(text.to_owned()),
        Incoming::Binary(bytes) => Heard::Binary(bytes.to_vec()),
        Incoming::Ping(bytes) => Heard::Ping(bytes.to_vec()),
        Incoming::Pong(bytes) => Heard::Pong(bytes.to_vec()),
        Incoming::Close(body) => Heard::Close(body.map(|body| (body.code, body.reason.to_owned()))),
    }
}
