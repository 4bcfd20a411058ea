//! A client that does not read: closed, and evicted if the Close frame cannot be written.

use std::time::Duration;

use shuttle::thread;

use super::explore::{explore, probe};
use super::node::{Node, config, pass_time_until};

const STEP: Duration = Duration::from_millis(100);

#[test]
fn a_connection_that_does_not_read_ends_in_time_and_costs_the_others_nothing() {
    explore("slow", &["a socket was full", "somebody was slow"], || {
        let mut config = config();
        config.limits.queue_messages = 4;
        let mut node = Node::new(config, 2);
        let deaf = node.enter("ann", "blue", 10);
        let mut quick = node.enter("bob", "blue", 1 << 20);
        for seq in 1..=8 {
            let receipt = node.hub.broadcast("blue", "0").expect("JSON");
            assert_eq!(receipt.seq, Some(seq));
            assert_eq!(quick.hear("blue").seq(), seq);
        }
        if node.hub.stats().closes.get("slow_consumer") == Some(&1) {
            probe("somebody was slow");
        }
        pass_time_until(STEP, || deaf.pipe.is_dropped());
        let publisher = {
            let hub = node.hub.clone();
            thread::spawn(move || hub.broadcast("blue", "1").expect("JSON").accepted)
        };
        assert_eq!(publisher.join().expect("it ran"), 1);
        assert_eq!(quick.hear("blue").seq(), 9);
        drop((deaf, quick));
        node.until_empty(2);
        node.finish();
    });
}
