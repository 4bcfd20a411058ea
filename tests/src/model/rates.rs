//! How much a client may send.

use switchboard_core::Rate;

use super::Nanos;

/// A bucket of the generic cell rate algorithm, as a level that runs dry at a constant rate:
/// the cost of `units` is taken if the level stays within the burst.
pub(crate) fn charge(
    level: (Nanos, Nanos),
    now: Nanos,
    rate: Rate,
    units: u64,
) -> Result<(Nanos, Nanos), Nanos> {
    let cost = |units: u64| (units * 1_000_000_000).div_ceil(rate.per_second);
    let left = level.0.saturating_sub(now - level.1);
    let next = left + cost(units);
    if next > cost(rate.burst) {
        return Err(next - cost(rate.burst));
    }
    Ok((next, now))
}
