//! A slow member of a room that keeps the latest value of each key (`docs/behaviour.md`, section 3).

use std::collections::BTreeMap;

use serde_json::Value;
use switchboard_core::Time;

use crate::values::ticker;
use crate::world::{World, millis};

/// 500 keys, of which one changes each millisecond.
struct Ticker {
    rng: fastrand::Rng,
    /// By key: the values, each with the time from which it was the latest.
    published: BTreeMap<String, Vec<(u64, Time)>>,
}

impl Ticker {
    fn update(&mut self, world: &mut World, key: usize) {
        let key = format!("K{key:03}");
        let price = self.rng.u64(1_000_000..10_000_000);
        let content = format!(r#"{{"price":{price},"at":"12:00:00"}}"#);
        world.put("prices", &key, &content);
        let at = world.now;
        self.published.entry(key).or_default().push((price, at));
    }

    /// Returns how long a value had not been the latest any more.
    fn age(&self, now: Time, key: &str, content: &Value) -> Option<std::time::Duration> {
        let published = &self.published[key];
        let price = content["price"].as_u64().expect("a price");
        let at = published.iter().position(|&(it, _)| it == price);
        let next = published.get(at.expect("it was published") + 1)?;
        Some(now.since(next.1))
    }
}

#[test]
fn a_reader_of_20_kb_per_second_of_500_keys_and_1000_updates_stays_and_is_up_to_date() {
    const PER_MILLI: usize = 20;
    let mut world = ticker(500);
    let mut ticker = Ticker {
        rng: fastrand::Rng::with_seed(12),
        published: BTreeMap::new(),
    };
    for key in 0..500 {
        ticker.update(&mut world, key);
    }
    let fast = world.connect("ann", "prices");
    let slow = world.connect("bob", "prices");
    let (mut table, mut last, mut sent) = (BTreeMap::new(), 0, 0);
    for (key, content, _) in world.values(slow) {
        table.insert(key, content);
    }
    assert_eq!(table.len(), 500);
    world.forget();
    world.stops_reading_after(slow, 0);
    // A frame has up to 108 bytes, so its socket takes all keys in 2.7 s.
    let turn = millis(500 * 108 / PER_MILLI as u64);
    for step in 0..8_000_u64 {
        let key = ticker.rng.usize(..500);
        ticker.update(&mut world, key);
        world.advance(millis(1));
        if step % 10 < 9 {
            continue;
        }
        world.reads(slow, 10 * PER_MILLI);
        for (key, content, seq) in world.values(slow) {
            assert!(seq > last, "in order, and none twice");
            last = seq;
            sent += 1;
            // It was the latest when the turn began, or comes at once.
            let age = ticker.age(world.now, &key, &content).unwrap_or_default();
            assert!(age <= turn, "{key} was {age:?} out of date");
            table.insert(key, content);
        }
        if step % 1_000 == 999 && step > 5_500 {
            let known = |key: &String| ticker.age(world.now, key, &table[key]);
            let oldest = ticker.published.keys().filter_map(known).max();
            assert!(oldest.unwrap_or_default() <= 2 * turn, "{oldest:?}");
        }
    }
    assert!((1_300..2_000).contains(&sent), "{sent} values in 8 s");
    assert_eq!(world.values(fast).len(), 8_000);
    world.reads_all(slow);
    for (key, content, seq) in world.values(slow) {
        assert!(seq > last);
        last = seq;
        table.insert(key, content);
    }
    assert!(world.is_open(slow));
    for (key, content) in &table {
        assert_eq!(ticker.age(world.now, key, content), None, "{key}");
    }
    assert_eq!(table.len(), 500);
    let stats = world.stats();
    assert_eq!((stats.history.messages, stats.queued_bytes), (500, 0));
    assert!(stats.dropped.is_empty(), "{:?}", stats.dropped);
}
