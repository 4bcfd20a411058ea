//! How large a message may be.

/// The limits of a decoder. Larger values than 2³² − 1 are reduced to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// The maximum size of a message, in bytes of payload over all fragments.
    pub message_bytes: usize,
    /// The maximum number of fragments of one message; an unfragmented message counts as one.
    pub fragments: usize,
}

pub(super) const fn saturated(limit: usize) -> u32 {
    if limit > u32::MAX as usize {
        u32::MAX
    } else {
        limit as u32
    }
}
