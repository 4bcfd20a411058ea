//! What nodes tell each other through channels.

use switchboard_core::cluster::{BadPush, NodeState, Push};

#[test]
fn each_kind_is_read_field_by_field() {
    let read = |text| Push::parse(str::as_bytes(text)).unwrap();
    assert_eq!(
        read("1\tM\t7\te1\ta-0\t3\nline\n\tline"),
        Push::Message {
            seq: 7,
            epoch: "e1",
            node: "a-0",
            own: 3,
            body: b"line\n\tline",
        }
    );
    assert_eq!(
        read("1\tL\ta-0\t3\t2\nx"),
        Push::Local {
            node: "a-0",
            stay: 2,
            own: 3,
            body: b"x",
        }
    );
    assert_eq!(
        read("1\tP\t4\te1\ta-0.1\n+alice\n-bob\n++"),
        Push::Presence {
            version: 4,
            epoch: "e1",
            registration: "a-0.1",
            joined: vec![("alice", None), ("+", None)],
            left: vec!["bob"],
        }
    );
    assert_eq!(
        read("1\tP\t4\te1\ta-0.1\t\t7\t{\"a\": 1}\t\tmore\n-bob\n+alice\n+cem\n+dan\n+eve"),
        Push::Presence {
            version: 4,
            epoch: "e1",
            registration: "a-0.1",
            joined: vec![
                ("alice", Some("7")),
                ("cem", Some("{\"a\": 1}")),
                ("dan", None),
                ("eve", Some("more")),
            ],
            left: vec!["bob"],
        }
    );
    assert_eq!(
        read("1\tB\ta-0.1\t9\t1\tdraining\n{}"),
        Push::Beat {
            registration: "a-0.1",
            count: 9,
            protocol: 1,
            state: NodeState::Draining,
            figures: b"{}",
        }
    );
    assert_eq!(
        read("1\tD\ta-0\t5\talice\nhi"),
        Push::Direct {
            node: "a-0",
            question: 5,
            user: "alice",
            body: b"hi",
        }
    );
    assert_eq!(
        read("1\tA\tb-0\t5\t2"),
        Push::Taken {
            node: "b-0",
            question: 5,
            queues: 2,
        }
    );
    assert_eq!(
        read("1\tX\ta-0.1\treplaced\talice\n0-1\n2-1"),
        Push::Close {
            registration: "a-0.1",
            reason: "replaced",
            user: "alice",
            connections: vec!["0-1", "2-1"],
        }
    );
    assert_eq!(
        read("1\tW\ta-0\n\n"),
        Push::Everyone {
            node: "a-0",
            body: b"\n",
        }
    );
}

#[test]
fn fields_of_later_versions_are_ignored() {
    assert_eq!(
        Push::parse(b"1\tA\tb-0\t5\t2\tlater\t\n"),
        Push::parse(b"1\tA\tb-0\t5\t2\n")
    );
}

#[test]
fn what_does_not_parse_says_why() {
    let why = |text: &[u8]| Push::parse(text).unwrap_err();
    assert_eq!(why(b"2\tM\t7\te1\ta-0\t3\nx"), BadPush::Version);
    assert_eq!(why(b"1\tN\t7\te1\ta-0\t3\nx"), BadPush::Kind);
    for malformed in [
        &b""[..],
        b"1",
        b"1\t",
        b"1\tM\t7\te1\ta-0\nx",
        b"1\tM\t+7\te1\ta-0\t3\nx",
        b"1\tM\t99999999999999999999\te1\ta-0\t3\nx",
        b"1\tM\t7\t\ta-0\t3\nx",
        b"1\tM\t7\t\xff\ta-0\t3\nx",
        b"1\tP\t4\te1\ta-0.1\n",
        b"1\tP\t4\te1\ta-0.1\nalice",
        b"1\tP\t4\te1\ta-0.1\n+",
        b"1\tP\t4\te1\ta-0.1\n+alice\n",
        b"1\tP\t4\te1\ta-0.1\n+\xff",
        b"1\tB\ta-0.1\t9\t1\tasleep\n",
        b"1\tX\ta-0.1\treplaced\talice\n",
    ] {
        assert_eq!(why(malformed), BadPush::Malformed, "{malformed:?}");
    }
}
