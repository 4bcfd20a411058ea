//! An application that holds its hub.

use super::app::Log;
use super::peer::{Peer, upgrade};
use super::server::raw;
use crate::rt::{self, Application, Exclude, Frame, Hub, Notice, Runtime, WeakHub};

/// Greets those that enter a room, from the hook that gets no hub.
struct Greeter {
    hub: WeakHub,
    log: Log,
}

impl Application for Greeter {
    fn on_notice(&self, notice: &Notice) {
        match notice {
            Notice::Joined { room, .. } => {
                let hub = self.hub.upgrade().expect("a handle is left");
                let _ = hub.broadcast_raw(room, Frame::text("welcome"), Exclude::NOBODY);
            }
            Notice::Closed { .. } => {
                let gone = self.hub.upgrade().is_none();
                self.log.add(format!("closed, hub gone: {gone}"));
            }
            _ => {}
        }
    }
}

#[test]
fn a_hub_ends_though_its_application_holds_it() {
    super::logs::capture();
    let runtime = Runtime::new(1);
    let log = Log::default();
    let hub = Hub::new_with(raw(), |hub| {
        assert!(hub.upgrade().is_none(), "the hub is still being made");
        let log = log.clone();
        Greeter { hub, log }
    });
    let hub = hub.expect("a configuration").spawn_on(runtime.executor());
    let listener = runtime.run(rt::bind());
    let mut peer = Peer::connect(listener.local_addr().expect("an address"));
    let accepting = hub.clone();
    runtime.run(async move {
        let (stream, _) = listener.accept().await.expect("a stream");
        accepting.accept(stream, Vec::new()).expect("taken");
    });
    peer.send(&upgrade("/ws/blue", &[]));
    assert_eq!(peer.head().status, 101);
    assert_eq!(peer.text(), "welcome");

    let weak = hub.downgrade();
    assert!(weak.upgrade().is_some());
    drop(hub);
    peer.gone();
    log.until(&["closed, hub gone: true"]);
    assert!(weak.upgrade().is_none());
}
