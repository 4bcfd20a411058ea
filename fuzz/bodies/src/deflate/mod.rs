//! Compressed messages: arbitrary data is inflated as by another implementation, or refused where that
//! refuses it, in bounded memory; and frames with RSV1 are decoded as by a naive decoder.

mod frames;
mod naive;

use arbitrary::Unstructured;
use switchboard_core::{Deflated, Incoming, Inflater, ProtocolError};
use switchboard_kit::deflate::{Malformed, inflate};

use crate::heap::Heap;

/// The state of an inflater, and its smallest buffer.
const STATE: i64 = 52 << 10;
/// Blocks that end exactly where the buffer does are not counted, and it grows less often than this.
const UNCOUNTED: usize = 16;

/// Fuzzes compressed messages. The first byte selects what: data, or frames.
///
/// # Panics
/// If an invariant is violated.
pub fn deflate(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    if input.arbitrary::<u8>().unwrap_or(0) & 1 == 0 {
        data(&mut input);
    } else {
        frames::frames(&mut input);
    }
}

/// Inflates a message, and compares the result.
fn data(input: &mut Unstructured<'_>) {
    let choice = input.arbitrary::<u8>().unwrap_or(0);
    let most = [0, 1, 300, 5_000, 70_000][usize::from(choice % 5)];
    let text = choice & 128 != 0;
    let fragments = u32::from(input.arbitrary::<u8>().unwrap_or(0)) + 1;
    let payload = input.bytes(input.len()).unwrap_or_default();
    let message = Deflated {
        payload,
        text,
        fragments,
    };
    let mut heap = Heap::default();
    let mut inflater = Inflater::default();
    let ours = heap.during(|| inflater.inflate(message, most));
    // While the buffer grows it exists twice.
    let bound = STATE + 2 * (most + 1).cast_signed() as i64;
    assert!(heap.peak() <= bound, "{} bytes of {bound}", heap.peak());

    let allowed = |bytes: &[u8]| {
        let some = 64 + 2 * fragments as usize + bytes.len() / 64;
        some.min(4_096.max(most / 1_024))
    };
    match (ours, inflate(payload, most)) {
        (Ok(ours), Ok(theirs)) => {
            let bytes = match ours.incoming {
                Incoming::Text(content) if text => content.as_bytes(),
                Incoming::Binary(content) if !text => content,
                other => panic!("a message became {other:?}"),
            };
            assert_eq!(bytes, theirs.bytes);
            assert!(theirs.blocks <= allowed(bytes) + UNCOUNTED);
            assert!(ours.cost >= bytes.len());
        }
        (Err(ProtocolError::InvalidUtf8), Ok(theirs)) => {
            assert!(text && str::from_utf8(&theirs.bytes).is_err());
        }
        (Err(ProtocolError::TooManyBlocks), Ok(theirs)) => {
            assert!(theirs.blocks > 64 + 2 * fragments as usize);
        }
        // Which of several faults is found first depends on how far an implementation looks ahead.
        (Err(ProtocolError::TooManyBlocks), Err(_))
        | (
            Err(ProtocolError::BadDeflate | ProtocolError::TooBig),
            Err(Malformed::Data | Malformed::Long),
        ) => {}
        (ours, theirs) => panic!("{ours:?} but {theirs:?}"),
    }
}
