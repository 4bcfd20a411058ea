//! Rate limits and strikes.

use switchboard_core::{ConnectionId, Rate};

use super::ending::close_item;
use super::queue::{Is, Item, Kind, framed};
use super::{Model, Nanos, nanos};

impl Model {
    /// Counts a strike; the error of the last tolerated one is sent with the Close frame.
    pub(crate) fn strike(&mut self, id: ConnectionId, error: String) {
        let (now, rates) = (self.now, self.config.rates);
        if rates.messages.is_none() && rates.bytes.is_none() {
            return self.tell(id, error);
        }
        let window = nanos(rates.strike_window);
        let Some(conn) = self.conn(id) else { return };
        conn.strikes.push(now);
        let open = conn.is_open();
        let recent = conn.strikes.iter().filter(|&&at| now - at < window);
        if recent.count() < rates.strikes as usize {
            self.tell(id, error);
        } else if open {
            let last = Item::new(framed(error.len()), Is::Json(error), Kind::Last);
            let last = self.json().then_some(last);
            let close = close_item(Some((4102, "rate_limited".to_owned())));
            self.close(id, "rate_limited", last, Some(close));
        } else {
            self.tell(id, error);
            self.end(id, "rate_limited", None);
        }
    }
}

/// Charges a bucket of the generic cell rate algorithm, kept as a level that drains at a constant
/// rate: `units` are taken if the level stays within the burst.
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
