//! What nodes say of a room's message is read by others as it was meant.

use switchboard_core::cluster::{BadBody, Body, Form};

fn full() -> Body<'static> {
    Body {
        sender: Some("ann=1".into()),
        connection: Some("0-1"),
        session: Some("s-1"),
        request: Some("\"a\\tb\""),
        excluded_users: vec!["bob", "c\u{f6}"],
        excluded_sessions: vec!["s-2"],
        key: Some("k"),
        uncompressed: true,
        only_if_absent: true,
        form: Form::Binary,
        content: b"\n\tuntouched\0",
    }
}

#[test]
fn a_body_is_read_as_it_was_written() {
    let without = Body {
        content: b"1",
        ..Body::default()
    };
    for body in [full(), without] {
        let bytes = body.to_bytes();
        assert_eq!(Body::parse(&bytes), Ok(body));
    }
    assert_eq!(&*Body::default().to_bytes(), b"\n");
}

#[test]
fn fields_of_later_versions_are_ignored_and_what_is_no_body_is_refused() {
    let read = Body::parse(b"s=ann\ty=later\n1").unwrap();
    assert_eq!(
        (read.sender.as_deref(), read.content),
        (Some("ann"), &b"1"[..])
    );
    for bad in [
        &b""[..],
        b"s=ann",
        b"ann\n1",
        b"s=\xff\n1",
        b"f=later\n1",
        b"e=ann\n1",
    ] {
        assert_eq!(Body::parse(bad), Err(BadBody), "{bad:?}");
    }
}

/// Else a name could pretend to be another field, or content.
#[test]
fn a_value_with_control_characters_is_left_out() {
    let forged = Body {
        key: Some("k\n"),
        session: Some("s\tu=bob"),
        ..full()
    };
    let bytes = forged.to_bytes();
    let read = Body::parse(&bytes).unwrap();
    assert_eq!((read.session, read.key), (None, None));
    assert_eq!(read.excluded_users, full().excluded_users);
}

/// One node by itself tells its members any sender, so nodes of a cluster do.
#[test]
fn a_sender_with_control_characters_is_told_and_pretends_nothing() {
    for sender in ["ann\tu=bob", "ann\n[]", "\u{7f}\"\\\0"] {
        let forged = Body {
            sender: Some(sender.into()),
            ..full()
        };
        let bytes = forged.to_bytes();
        assert_eq!(Body::parse(&bytes), Ok(forged));
    }
}
