//! Messages that are compressed after others, for clients that keep what they have inflated.

use fastrand::Rng;
use switchboard_core::{Compression, Config};

use super::keeping::KEEPING;

/// The first seed of each [`KEEPING`] whose node compresses the messages of rooms one after another. What else
/// is drawn from such a seed is what it would be without.
pub const CONTEXTS: u64 = 500_000;

/// Draws for how many rooms, if the seed is such a one.
pub(super) fn draw(seed: u64, config: &mut Config) {
    if seed % KEEPING < CONTEXTS {
        return;
    }
    let mut rng = Rng::with_seed(!seed);
    let compression = config.compression.get_or_insert(Compression {
        level: 1,
        from_bytes: rng.usize(1..=100),
        ..Compression::default()
    });
    compression.room_contexts = rng.usize(1..=4);
}
