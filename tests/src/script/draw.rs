//! Strategies that draw scripts.

use proptest::collection::vec;
use proptest::prelude::*;

use super::setup::pick;
use super::{Case, Except, Family, Kind, Message, Op, Reply, Setup, Stream, Who};

fn who() -> impl Strategy<Value = Who> {
    let expires = prop_oneof![8 => Just(None), 1 => (1..4_000_u16).prop_map(Some)];
    prop_oneof![
        12 => (0..5_u8, expires).prop_map(|(user, expires)| Who::User(user, expires)),
        2 => Just(Who::Anonymous),
        2 => Just(Who::First),
        1 => (0..3_u8).prop_map(Who::No),
    ]
}

fn room() -> impl Strategy<Value = u8> {
    prop_oneof![30 => 0..5_u8, 1 => 5..8_u8]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        8 => who().prop_map(Reply::Yes),
        1 => any::<bool>().prop_map(Reply::No),
        1 => Just(Reply::Later),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        5 => (room(), 0..7_u8).prop_map(|(room, from)| Message::Subscribe(room + 8 * from)),
        3 => room().prop_map(Message::Unsubscribe),
        8 => (proptest::option::weighted(0.8, room()), 0..400_u16, any::<bool>())
            .prop_map(|(room, size, echo)| Message::Message { room, size, echo }),
        3 => (0..6_u8, 0..300_u16).prop_map(|(user, size)| Message::Direct { user, size }),
        2 => proptest::option::of(any::<u8>()).prop_map(Message::Ping),
        2 => any::<bool>().prop_map(Message::HealthPong),
        1 => Just(Message::Auth),
        4 => any::<u8>().prop_map(Message::Garbage),
    ]
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![
        2 => Just(Stream::Heard),
        1 => Just(Stream::Leaving),
        3 => Just(Stream::Eof),
        2 => Just(Stream::Reset),
        1 => (0..4_u8).prop_map(Stream::Violation),
        2 => (0..200_000_u32).prop_map(Stream::Discarded),
        1 => Just(Stream::Paused),
        2 => Just(Stream::Resumed),
        1 => Just(Stream::HookStarted),
        1 => Just(Stream::HookDone),
        1 => Just(Stream::HookFailed),
    ]
}

fn except() -> impl Strategy<Value = Except> {
    prop_oneof![
        4 => Just(Except::Nobody),
        1 => any::<u8>().prop_map(Except::One),
        1 => (0..5_u8).prop_map(Except::User),
        1 => (any::<u8>(), 0..5_u8).prop_map(|(c, user)| Except::Both(c, user)),
    ]
}

fn written() -> impl Strategy<Value = u16> {
    prop_oneof![5 => Just(u16::MAX), 3 => 0..300_u16, 1 => Just(0_u16)]
}

fn coming() -> BoxedStrategy<Op> {
    let lobby = || proptest::option::weighted(0.7, room());
    prop_oneof![
        10 => (0..5_u8, lobby(), who()).prop_map(|(ip, lobby, who)| Op::Enter { ip, lobby, who }),
        3 => (any::<u8>(), 0..5_u8, 0..900_u16).prop_map(|(c, ip, ms)| Op::Return { c, ip, ms }),
        2 => (0..5_u8).prop_map(|ip| Op::Connect { ip }),
        3 => (any::<u8>(), 0..5_u8, lobby(), any::<u8>()).prop_map(|(c, ip, lobby, choice)| {
            let kind = pick([Kind::Http, Kind::Http, Kind::Http, Kind::Upgraded, Kind::Page], choice);
            Op::Request { c, ip, lobby, origin: choice % 7 != 0, kind }
        }),
        1 => any::<u8>().prop_map(|c| Op::Malformed { c }),
        1 => any::<u8>().prop_map(|c| Op::AnswerPage { c }),
        1 => (any::<u8>(), who()).prop_map(|(c, who)| Op::Verdict { c, who }),
    ]
    .boxed()
}

fn talking() -> BoxedStrategy<Op> {
    let c = any::<u8>;
    let code = prop_oneof![
        Just(None),
        Just(Some(1000)),
        Just(Some(1001)),
        Just(Some(4242))
    ];
    prop_oneof![
        14 => (c(), message(), any::<bool>(), reply())
            .prop_map(|(c, message, tagged, reply)| Op::Say { c, message, tagged, reply }),
        2 => (c(), reply()).prop_map(|(q, reply)| Op::Answer { q, reply }),
        1 => (c(), 0..5_000_u16).prop_map(|(c, len)| Op::Binary { c, len }),
        2 => (c(), 0..126_u8).prop_map(|(c, len)| Op::Ping { c, len }),
        2 => (c(), any::<bool>()).prop_map(|(c, right)| Op::Pong { c, right }),
        1 => (c(), code).prop_map(|(c, code)| Op::Close { c, code }),
        5 => (c(), stream()).prop_map(|(c, what)| Op::Stream { c, what }),
        2 => (c(), any::<bool>(), 0..5_000_u16)
            .prop_map(|(c, in_message, bytes)| Op::Partial { c, in_message, bytes }),
    ]
    .boxed()
}

fn writing() -> BoxedStrategy<Op> {
    let c = any::<u8>;
    prop_oneof![
        3 => Just(Op::Take),
        3 => (c(), written()).prop_map(|(w, bytes)| Op::Report { w, bytes }),
        5 => (1..9_u8, written()).prop_map(|(n, bytes)| Op::Flush { n, bytes }),
        3 => c().prop_map(|c| Op::Writable { c }),
    ]
    .boxed()
}

fn commanding() -> BoxedStrategy<Op> {
    let c = any::<u8>;
    let size = || 0..500_u16;
    prop_oneof![
        6 => (room(), size(), any::<bool>(), except())
            .prop_map(|(room, size, sender, except)| Op::Broadcast { room, size, sender, except }),
        2 => (room(), size(), except())
            .prop_map(|(room, size, except)| Op::Raw { room, size, except }),
        1 => (size(), except()).prop_map(|(size, except)| Op::All { size, except }),
        1 => (c(), size()).prop_map(|(c, size)| Op::Send { c, size }),
        1 => (0..6_u8, size()).prop_map(|(user, size)| Op::SendToUser { user, size }),
        4 => (c(), room()).prop_map(|(c, room)| Op::Join { c, room }),
        2 => (c(), room()).prop_map(|(c, room)| Op::Leave { c, room }),
        1 => (0..6_u8, any::<bool>()).prop_map(|(user, own)| Op::DisconnectUser { user, own }),
        1 => (c(), any::<bool>()).prop_map(|(c, own)| Op::End { c, own }),
        1 => (0..6_u8, 0..3_000_u16).prop_map(|(user, ms)| Op::PingUser { user, ms }),
    ]
    .boxed()
}

fn passing() -> BoxedStrategy<Op> {
    prop_oneof![
        6 => Just(Op::Step),
        6 => (0..2_500_u16).prop_map(|ms| Op::Wait { ms }),
        2 => (0..900_u16).prop_map(|ms| Op::Idle { ms }),
        1 => (0..20_000_u32).prop_map(|ms| Op::Jump { ms }),
        1 => (any::<u8>(), 1..5_000_u16).prop_map(|(c, ms)| Op::Back { c, ms }),
    ]
    .boxed()
}

fn op() -> impl Strategy<Value = Op> {
    let drain = (0..6_000_u16, 0..3_000_u16);
    prop_oneof![
        200 => coming(),
        200 => talking(),
        120 => writing(),
        160 => commanding(),
        120 => passing(),
        1 => drain.prop_map(|(window, more)| Op::Drain { window, more }),
    ]
}

/// Draws cases of all families.
pub fn cases(most: usize) -> impl Strategy<Value = Case> {
    let family = prop_oneof![
        5 => Just(Family::Exact),
        2 => Just(Family::Health),
        2 => Just(Family::Pressure),
    ];
    let setup = (
        family,
        any::<bool>(),
        any::<u64>(),
        any::<[u8; 8]>(),
        any::<[u8; 12]>(),
    );
    let setup = setup.prop_map(|(family, flush, seed, sizes, choices)| Setup {
        family,
        flush: flush || family == Family::Health,
        seed,
        sizes,
        choices,
    });
    (setup, vec(op(), 1..most)).prop_map(|(setup, ops)| Case { setup, ops })
}
