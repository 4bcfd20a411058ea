//! How large a message may be.

/// The limits of a decoder. Larger values than 2³² − 1 are reduced to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// The maximum size of a message, in bytes of payload over all fragments.
    pub message_bytes: usize,
    /// The maximum number of fragments of one message; an unfragmented message counts as one.
    pub fragments: usize,
}

/// Returns how long the payload of a message may be whose content has at most `bytes`.
///
/// Data that does not compress grows by 5 bytes per block, and a sender that saves memory makes
/// blocks of 512 bytes.
pub(super) const fn payload_max(bytes: u32, deflated: bool) -> u32 {
    if deflated {
        bytes.saturating_add(bytes / 64).saturating_add(64)
    } else {
        bytes
    }
}

pub(super) const fn saturated(limit: usize) -> u32 {
    if limit > u32::MAX as usize {
        u32::MAX
    } else {
        limit as u32
    }
}
