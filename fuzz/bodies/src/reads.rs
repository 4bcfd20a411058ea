//! Streams cut into reads.

use arbitrary::Unstructured;

/// Draws the lengths of up to seven reads, which repeat; empty means one read.
pub(crate) fn lengths(input: &mut Unstructured<'_>) -> Vec<usize> {
    let count = usize::from(input.arbitrary::<u8>().unwrap_or(0) % 8);
    let lengths = input.bytes(count.min(input.len())).unwrap_or(&[]);
    lengths
        .iter()
        .map(|&length| usize::from(length) + 1)
        .collect()
}

/// Cuts a stream into reads of these lengths.
pub(crate) fn split<'a>(stream: &'a [u8], lengths: &[usize]) -> impl Iterator<Item = &'a [u8]> {
    let whole = [stream.len().max(1)];
    let lengths = if lengths.is_empty() { &whole } else { lengths }.to_vec();
    let mut lengths = lengths.into_iter().cycle();
    let mut rest = stream;
    std::iter::from_fn(move || {
        let (read, after) = rest.split_at(lengths.next()?.min(rest.len()));
        rest = after;
        (!read.is_empty()).then_some(read)
    })
}
