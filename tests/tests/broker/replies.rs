//! What replies mean, hostile ones included, and the names of channels.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use switchboard_core::cluster::{Answer, Channel, Command, Failure, Range};
use switchboard_runtime::redis::{Names, Reply, Script, decode, encode, failure};

use crate::commands::Commands;

fn text(text: &str) -> Reply {
    Reply::Text(text.as_bytes().to_vec())
}

fn list<const N: usize>(elements: [Reply; N]) -> Reply {
    Reply::List(elements.into())
}

fn range() -> Command {
    Command::Range(Range {
        room: "lobby".into(),
        incarnation: "life-1".into(),
        epoch: "e1".into(),
        after: 0,
        most: 10,
    })
}

fn entry(id: &str, origin: &str) -> Reply {
    let fields = list([
        text("o"),
        text(origin),
        text("later"),
        text("x"),
        text("d"),
        text("hi"),
    ]);
    list([list([text(id), fields])])
}

#[test]
fn an_entry_of_a_log_is_read_whatever_fields_it_has_besides() {
    let Ok(Answer::Range(Some(entries))) = decode(&range(), entry("7-0", "a 1-0 12")) else {
        panic!("no entries");
    };
    assert_eq!((entries[0].seq, entries[0].own), (7, 12));
    assert_eq!(&*entries[0].node, "a 1-0");
    assert_eq!(&*entries[0].body, b"hi");
}

#[test]
fn what_is_no_entry_of_a_log_is_malformed() {
    for (id, origin) in [
        ("7-1", "a-0 1"),
        ("7", "a-0 1"),
        ("-7-0", "a-0 1"),
        ("99999999999999999999-0", "a-0 1"),
        ("7-0", "a-0"),
        ("7-0", "a-0 -1"),
        ("7-0", "a-0 "),
    ] {
        let done = decode(&range(), entry(id, origin));
        assert_eq!(done, Err(Failure::Malformed), "{id} {origin}");
    }
}

#[test]
fn an_error_says_what_befell_the_server_wrapped_or_not() {
    for (error, meaning) in [
        (
            "OOM command not allowed when used memory > 'maxmemory'.",
            Failure::OutOfMemory,
        ),
        (
            "READONLY You can't write against a read only replica.",
            Failure::ReadOnly,
        ),
        (
            "LOADING Redis is loading the dataset in memory",
            Failure::Loading,
        ),
        ("MASTERDOWN Link with MASTER is down", Failure::MasterDown),
        (
            "MISCONF Redis is configured to save RDB snapshots",
            Failure::CannotSave,
        ),
        (
            "NOSCRIPT No matching script. Please use EVAL.",
            Failure::NoScript,
        ),
        ("NOAUTH Authentication required.", Failure::NoAuth),
        ("WRONGPASS invalid username-password pair", Failure::NoAuth),
        (
            "NOPERM this user has no permissions to run the 'evalsha' command",
            Failure::NoPermission,
        ),
        ("BUSY Redis is busy running a script.", Failure::Busy),
        ("WRONGTYPE Operation against a key", Failure::WrongType),
        (
            "ERR Error running script (call to f_0): @user_script:15: @user_script: 15: -OOM command not allowed",
            Failure::OutOfMemory,
        ),
        (
            "ERR The user executing the script can't run this command or subcommand script: 1f, on @user_script:1.",
            Failure::NoPermission,
        ),
        (
            "ERR Error running script (call to f_0): @user_script:1: The user executing the script can't publish to the channel mentioned in the command",
            Failure::NoPermission,
        ),
        (
            "NOPERM ACL failure in script: User n has no permissions to run the 'xadd' command",
            Failure::NoPermission,
        ),
        (
            "ERR unknown command 'OOM', with args beginning with:",
            Failure::Other,
        ),
        ("", Failure::Other),
    ] {
        assert_eq!(failure(error), meaning, "{error}");
        let done = decode(&Command::Ping, Reply::Error(error.into()));
        assert_eq!(done, Err(meaning), "{error}");
    }
}

/// A reply that starts like a good one, or is anything at all.
fn hostile(rng: &mut Rng, depth: u32) -> Reply {
    match rng.u32(0..if depth == 0 { 5 } else { 8 }) {
        0 => Reply::Nil,
        1 => Reply::Integer(rng.i64(..) >> rng.u32(0..63)),
        2 => text(["ok", "stale", "order", "fenced", "PONG", "o", "d"][rng.usize(0..7)]),
        3 => text(["7-0", "a-0 1", "a-0.1\talice", "1700000000000000", "-1"][rng.usize(0..5)]),
        4 => Reply::Text((0..rng.usize(0..6)).map(|_| rng.u8(..)).collect()),
        _ => Reply::List(
            (0..rng.usize(0..7))
                .map(|_| hostile(rng, depth - 1))
                .collect(),
        ),
    }
}

#[test]
fn no_reply_makes_the_translation_panic() {
    let mut commands = Commands::new(1);
    let (mut rng, mut understood) = (Rng::with_seed(1), 0);
    for _ in 0..100_000 {
        let command = commands.one();
        match decode(&command, hostile(&mut rng, 4)) {
            Ok(_) => understood += 1,
            Err(failure) => assert_eq!(failure, Failure::Malformed),
        }
    }
    // By chance some are replies: the others were not all refused for want of a first word.
    assert!(understood > 100, "{understood}");
}

#[test]
fn a_script_is_called_by_the_digest_of_its_source() {
    // That Redis computes the same digests is shown where one is installed, in `differential`.
    for script in Script::ALL {
        let digest = script.digest();
        assert_eq!(digest.len(), 40);
        assert!(
            digest
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
    }
    let command = range();
    let arguments = encode(&Names::new("x"), &command);
    let arguments: Vec<&str> = arguments
        .iter()
        .map(|a| str::from_utf8(a).unwrap())
        .collect();
    assert_eq!(
        arguments,
        [
            "EVALSHA",
            Script::Range.digest(),
            "2",
            "x:{lobby}:m",
            "x:{lobby}:s",
            "life-1",
            "e1",
            "0",
            "10"
        ]
    );
}

#[test]
fn bodies_are_not_copied() {
    let payload: Arc<[u8]> = [0; 1024].into();
    let command = Command::Notify {
        channel: Channel::Everyone,
        payload: payload.clone(),
    };
    let arguments = encode(&Names::new("sb1"), &command);
    assert_eq!(arguments[2].as_ptr(), payload.as_ptr());
}

#[test]
fn a_channel_is_found_again_by_its_name_and_foreign_ones_are_not() {
    let names = Names::new("sb1");
    for channel in [
        Channel::Everyone,
        Channel::Inbox("i:{b}".into()),
        Channel::Room("lobby".into()),
        Channel::Room("}:c".into()),
        Channel::Room("i:b".into()),
    ] {
        let name = names.channel(&channel);
        assert_eq!(names.to_channel(name.as_bytes()), Some(channel), "{name}");
    }
    for foreign in [
        "",
        "sb1",
        "sb1:",
        "sb10:b",
        "sb2:b",
        "sb1:bb",
        "sb1:{lobby}:m",
        "sb1:lobby}:c",
    ] {
        assert_eq!(names.to_channel(foreign.as_bytes()), None, "{foreign}");
    }
    assert_eq!(names.to_channel(b"sb1:i:\xff"), None);
}

#[test]
fn durations_are_whole_milliseconds() {
    let mut commands = Commands::new(1);
    let mut position = loop {
        if let Command::Position(position) = commands.one() {
            break position;
        }
    };
    position.numbers = Duration::from_micros(1_234_567);
    let command = Command::Position(position);
    assert_eq!(&*encode(&Names::new("sb1"), &command)[8], b"1234");
}
