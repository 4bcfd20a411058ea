//! Arbitrary bytes after the upgrade: the decoder must produce the same messages and verdict as
//! tungstenite, for any split, in bounded memory.

mod frames;
mod oracle;

use arbitrary::Unstructured;
use switchboard_core::{CloseReason, Decoder, DecoderLimits, Incoming, ProtocolError};
use switchboard_kit::Received;

pub use self::oracle::{Agreement, DIFFERENCES, Difference, compare, theirs};
use crate::heap::Heap;
use crate::reads::{lengths, split};

/// Small enough to be reached by inputs, but not smaller than a control frame, which the oracle
/// counts. The oracle has no limit of fragments.
pub const LIMITS: DecoderLimits = DecoderLimits {
    message_bytes: 300,
    fragments: usize::MAX,
};

const FEW_FRAGMENTS: DecoderLimits = DecoderLimits {
    fragments: 5,
    ..LIMITS
};

/// Bytes that a decoder may hold for any input: its first buffer, and a control frame.
const CONSTANT: i64 = 512;

/// The verdict on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It continues, or was closed regularly.
    Fine,
    /// 1002.
    Protocol,
    /// 1007.
    Utf8,
    /// 1009.
    TooBig,
}

/// Fuzzes the decoder. The first byte selects the limits, the next ones the lengths of reads, and
/// the rest is the input.
///
/// # Panics
///
/// Panics if an invariant is violated.
pub fn decoder(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let few = input.arbitrary::<u8>().unwrap_or(0) & 1 == 1;
    let limits = if few { FEW_FRAGMENTS } else { LIMITS };
    let lengths = lengths(&mut input);
    let stream = input.take_rest();
    let in_reads = decode(limits, split(stream, &lengths), Some(Heap::default()));
    let whole = decode(limits, [stream].into_iter(), None);
    assert_eq!(whole.events(), in_reads.events(), "in reads");
    let in_bytes = decode(limits, stream.chunks(1), None);
    assert_eq!(whole.events(), in_bytes.events(), "byte by byte");
    if few {
        return; // The oracle knows no such limit.
    }
    if let Err(difference) = oracle::judge(stream, &in_reads) {
        panic!("{difference}");
    }
}

/// Runs our decoder on these reads.
///
/// # Panics
///
/// Panics if it ends the connection for an impossible reason; there is no limit of fragments.
pub fn ours<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Received>, Verdict) {
    let decoded = decode(LIMITS, reads.into_iter(), None);
    let verdict = decoded.verdict();
    (decoded.heard, verdict)
}

/// The result of decoding some reads.
struct Run {
    heard: Vec<Received>,
    error: Option<ProtocolError>,
    /// Reads that were consumed, including the one with the error.
    reads: usize,
}

impl Run {
    fn events(&self) -> (&[Received], Option<ProtocolError>) {
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

/// Decodes reads up to the first error, and measures the heap if there is a counter.
fn decode<'a>(
    limits: DecoderLimits,
    reads: impl Iterator<Item = &'a [u8]>,
    mut heap: Option<Heap>,
) -> Run {
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
            let step = match &mut heap {
                None => step(&mut decoder, rest),
                Some(heap) => {
                    let step = heap.during(|| step(&mut decoder, rest));
                    heap.check(received, CONSTANT);
                    step
                }
            };
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
                assert_eq!(
                    consumed,
                    rest.len(),
                    "bytes are left although no frame is complete"
                );
                break;
            }
            assert!(consumed > 0, "a frame without input");
            rest = &mut rest[consumed..];
        }
    }
    run
}

fn step(
    decoder: &mut Decoder,
    input: &mut [u8],
) -> Result<(usize, Option<Received>), ProtocolError> {
    let step = decoder.decode(input)?;
    Ok((step.consumed, step.incoming.map(heard)))
}

/// The test's own copies are not counted.
fn heard(incoming: Incoming<'_>) -> Received {
    let mut kept = None;
    allocation_counter::opt_out(|| kept = Some(owned(incoming)));
    kept.expect("it was kept")
}

fn owned(incoming: Incoming<'_>) -> Received {
    match incoming {
        Incoming::Text(text) => Received::Text(text.to_owned()),
        Incoming::Binary(bytes) => Received::Binary(bytes.to_vec()),
        Incoming::Deflated(message) => panic!("{message:?} was not agreed on"),
        Incoming::Ping(bytes) => Received::Ping(bytes.to_vec()),
        Incoming::Pong(bytes) => Received::Pong(bytes.to_vec()),
        Incoming::Close(body) => {
            Received::Close(body.map(|body| (body.code, body.reason.to_owned())))
        }
    }
}
