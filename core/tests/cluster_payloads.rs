//! What nodes publish is read by others as it was meant.

use switchboard_core::cluster::{NodeState, Push};

#[test]
fn each_push_is_read_as_it_was_written() {
    let pushes = [
        Push::Message {
            seq: 7,
            epoch: "e1",
            node: "a-0",
            own: 3,
            body: b"line\n\tline",
        },
        Push::Local {
            node: "a-0",
            stay: 2,
            own: 0,
            body: b"",
        },
        Push::Presence {
            version: 4,
            epoch: "e1",
            registration: "a-0.1",
            joined: vec![("+alice", None)],
            left: vec!["-bob", "c\u{f6}"],
        },
        Push::Presence {
            version: 5,
            epoch: "e1",
            registration: "a-0.1",
            joined: vec![("alice", None), ("bob", Some(r#"{"a": 1}"#)), ("cem", None)],
            left: vec!["dan"],
        },
        Push::Beat {
            registration: "a-0.1",
            count: 9,
            protocol: 1,
            state: NodeState::Gone,
            figures: b"rooms 1\n",
        },
        Push::Direct {
            node: "a-0",
            question: 5,
            user: "alice",
            body: b"hi",
        },
        Push::Taken {
            node: "b-0",
            question: 5,
            queues: u64::MAX,
        },
        Push::Close {
            registration: "a-0.1",
            reason: "replaced",
            user: "alice",
            connections: vec!["0-1", "2-1"],
        },
        Push::Everyone {
            node: "a-0",
            body: b"\n",
        },
    ];
    for push in pushes {
        let payload = push.to_payload();
        assert_eq!(Push::parse(&payload), Ok(push));
    }
}
