//! The Rust client against the server.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use super::app::Plain;
use super::guest::{Guest, hasty, lock};
use super::server::Server;
use crate::rt::client::{
    Event, Failure, NoToken, Options, SendOptions, State, StopReason, TokenReason,
};
use crate::rt::{CloseReason, Config, Direct, Health, HealthPing};

fn open() -> Config {
    Config {
        direct: Direct::Open,
        ..Config::default()
    }
}

fn stopped_for(state: &State, wanted: StopReason) -> bool {
    matches!(state, State::Stopped { why, .. } if *why == wanted)
}

#[test]
fn two_clients_talk_in_a_channel_and_to_each_other() {
    let server = Server::start(open(), Plain::default());
    let (ann, bob) = (
        Guest::of(server.address, "ann"),
        Guest::of(server.address, "bob"),
    );
    ann.enter("blue");
    bob.enter("blue");
    assert_eq!(ann.publish("blue", "one"), Ok(1));
    assert_eq!(bob.publish("blue", "two"), Ok(2));
    ann.until_texts(&["two"]);
    bob.until_texts(&["one"]);
    bob.find("it is ann's", |event| match event {
        Event::Message(message) => {
            let of = (message.channel(), message.sender(), message.seq());
            (of == (Some("blue"), Some("ann"), Some(1))).then_some(())
        }
        _ => None,
    });
    let sent = ann.run(|client| async move { client.direct("bob", &[1, 2]).await });
    assert_eq!(sent, Ok(1));
    let numbers = bob.find("a direct message", |event| match event {
        Event::Direct(message) => message.content::<Vec<u8>>().ok(),
        _ => None,
    });
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_client_that_asks_for_an_echo_gets_one() {
    let server = Server::start(open(), Plain::default());
    let ann = Guest::of(server.address, "ann");
    ann.enter("blue");
    let options = SendOptions {
        echo: true,
        ..SendOptions::default()
    };
    let sent =
        ann.run(move |client| async move { client.publish_with("blue", "heard", options).await });
    assert_eq!(sent, Ok(1));
    ann.until_texts(&["heard"]);
    let gap = ann
        .events()
        .into_iter()
        .find(|it| matches!(it, Event::Gap(_)));
    assert_eq!(gap, None, "the client's own messages are not a gap");
}

#[test]
fn a_refusal_names_its_code() {
    let server = Server::start(open(), Plain::default());
    let ann = Guest::of(server.address, "ann");
    let refused = ann.run(|client| async move { client.subscribe("private").await });
    assert_eq!(refused.unwrap_err().code(), "forbidden");
    assert_eq!(ann.publish("elsewhere", "x"), Err("not_in_channel".into()));
    let nobody = ann.run(|client| async move { client.direct("carl", "x").await });
    assert_eq!(nobody.unwrap_err().code(), "not_connected");
    let large = "x".repeat(70_000);
    let large = ann.run(|client| async move { client.publish("elsewhere", &large).await });
    assert_eq!(large.unwrap_err().code(), "too_large");
}

#[test]
fn a_channel_that_was_left_is_heard_no_more() {
    let server = Server::start(open(), Plain::default());
    let (ann, bob) = (
        Guest::of(server.address, "ann"),
        Guest::of(server.address, "bob"),
    );
    ann.enter("blue");
    bob.enter("blue");
    ann.client.unsubscribe("blue");
    server.until("ann has left", |_| server.hub.members("blue").len() == 1);
    assert_eq!(bob.publish("blue", "unheard"), Ok(1));
    ann.enter("blue");
    assert_eq!(bob.publish("blue", "heard"), Ok(2));
    ann.until_texts(&["heard"]);
}

#[test]
fn the_lobby_of_the_url_can_be_subscribed_late_and_left() {
    let server = Server::start(Config::default(), Plain::default());
    let of_lobby = |wanted: &'static str| {
        move |event: &Event| match event {
            Event::Subscribed(frame) | Event::Other(frame) if frame.kind() == wanted => Some(()),
            _ => None,
        }
    };
    let (ann, eve) = (
        Guest::at(server.address, "/ws/lobby?token=s3cr3t-ann", hasty()),
        Guest::at(server.address, "/ws/lobby?token=s3cr3t-eve", hasty()),
    );
    ann.find("it is in by its URL", of_lobby("subscribed"));
    let entered = ann.run(|client| async move { client.subscribe("lobby").await });
    assert_eq!(entered, Ok(()));
    assert_eq!(ann.publish("lobby", "one"), Ok(1));
    ann.client.unsubscribe("lobby");
    ann.find("it has left", of_lobby("unsubscribed"));

    // A client may also leave without having subscribed.
    eve.find("it is in by its URL", of_lobby("subscribed"));
    eve.client.unsubscribe("lobby");
    eve.find("it has left", of_lobby("unsubscribed"));
}

#[test]
fn health_pings_are_answered() {
    let config = Config {
        health: Health {
            health_ping: HealthPing::All,
            ..Health::default()
        },
        ..open()
    };
    let server = Server::start(config, Plain::default());
    let ann = Guest::of(server.address, "ann");
    ann.enter("blue");
    let hub = server.hub.clone();
    let results = server
        .runtime
        .run(async move { hub.ping_user("ann", Duration::from_secs(5)).await });
    assert_eq!(results.len(), 1);
    assert!(results[0].rtt.is_some(), "{results:?}");
    ann.client.ping();
    ann.find("a round trip of ours", |event| {
        matches!(event, Event::RoundTrip(_)).then_some(())
    });
}

#[test]
fn the_older_of_two_logins_stays_away() {
    let server = Server::start(open(), Plain::default());
    let older = Guest::of(server.address, "ann");
    older.enter("blue");
    let newer = Guest::of(server.address, "ann");
    newer.enter("blue");
    older.until_state("it has stopped", |state| match state {
        State::Stopped { why, last } => {
            let last = last.as_ref().expect("a close");
            *why == StopReason::Code && (last.code, last.reason.as_str()) == (1000, "replaced")
        }
        _ => false,
    });
    assert_eq!(older.publish("blue", "x"), Err("stopped".into()));
    assert_eq!(newer.publish("blue", "mine"), Ok(1));
    server.until_connected(1);
    // Once started again, it is the newer one.
    older.client.start();
    newer.until_state("the other has stopped", |state| {
        stopped_for(state, StopReason::Code)
    });
}

#[test]
fn a_kicked_client_stays_away() {
    let app = Plain::default();
    let server = Server::start(open(), app.clone());
    let ann = Guest::of(server.address, "ann");
    ann.enter("blue");
    server.hub.disconnect_user("ann", CloseReason::Kicked);
    ann.until_state("it has stopped", |state| {
        stopped_for(state, StopReason::Code)
    });
    server.until_empty();
    assert_eq!(app.log.count("connect"), 1);
}

#[test]
fn a_closed_client_has_told_the_server_so() {
    let app = Plain::default();
    let server = Server::start(open(), app.clone());
    let ann = Guest::of(server.address, "ann");
    ann.enter("blue");
    ann.run(|client| async move { client.close().await });
    app.log.until_has("disconnect ann [blue] client_closed");
    assert!(stopped_for(&ann.client.state(), StopReason::Asked));
    ann.client.start();
    app.log.until(&[
        "connect ann",
        "disconnect ann [blue] client_closed",
        "connect ann",
    ]);
    server.until("it is in its channel again", |_| {
        server.hub.members("blue").len() == 1
    });
}

#[test]
fn closing_ends_where_there_is_no_socket_to_close() {
    let server = Server::start(open(), Plain::default());
    let options = hasty().with_token(|_| std::future::pending());
    let ann = Guest::at(server.address, "/ws", options);
    ann.run(|client| async move { client.close().await });
    ann.until_state("it has stopped", |state| {
        stopped_for(state, StopReason::Asked)
    });
}

#[test]
fn a_subscribe_on_a_stopped_client_is_reported_and_takes_effect_later() {
    let server = Server::start(Config::default(), Plain::default());
    let ann = Guest::of(server.address, "ann");
    ann.enter("red");
    let subscribed = ann.run(|client| async move {
        client.close().await;
        client.subscribe("blue").await
    });
    assert_eq!(subscribed, Err(Failure::Stopped));
    ann.client.start();
    ann.enter("blue");
}

#[test]
fn a_client_ends_with_its_last_handle() {
    let app = Plain::default();
    let server = Server::start(open(), app.clone());
    let ann = Guest::of(server.address, "ann");
    ann.enter("blue");
    ann.drop_client();
    app.log.until_has("disconnect ann [blue]");
    server.until_empty();
}

/// Returns options that supply these tokens in turn and record the reasons.
fn tokens(given: &'static [&'static str]) -> (Options, Reasons) {
    let reasons = Reasons::default();
    let asked = reasons.clone();
    let options = hasty().with_token(move |reason| {
        let mut asked = lock(&asked);
        asked.push(reason);
        let token = given.get(asked.len() - 1).map(|&token| token.to_owned());
        async move { token.ok_or(NoToken::Never) }
    });
    (options, reasons)
}

type Reasons = Arc<Mutex<Vec<TokenReason>>>;

#[test]
fn a_token_that_expired_is_replaced_by_a_new_one() {
    let server = Server::start(open(), Plain::default());
    let (options, reasons) = tokens(&["s3cr3t-ann,300", "s3cr3t-ann"]);
    let ann = Guest::at(server.address, "/ws", options);
    ann.enter("blue");
    server.until_closed("token_expired", 1);
    server.until("it is back in its channel", |_| {
        server.hub.members("blue").len() == 1
    });
    assert_eq!(
        *lock(&reasons),
        [TokenReason::Connect, TokenReason::Expired]
    );
}

#[test]
fn a_token_that_is_refused_is_asked_for_once_more() {
    let server = Server::start(open(), Plain::default());
    let (options, reasons) = tokens(&["bad", "s3cr3t-ann"]);
    let ann = Guest::at(server.address, "/ws", options);
    ann.enter("blue");
    assert_eq!(
        *lock(&reasons),
        [TokenReason::Connect, TokenReason::Unauthorized]
    );
    let (options, reasons) = tokens(&["bad", "worse", "s3cr3t-bob"]);
    let bob = Guest::at(server.address, "/ws", options);
    bob.until_state("it has stopped", |state| {
        stopped_for(state, StopReason::Code)
    });
    assert_eq!(lock(&reasons).len(), 2);
}

#[test]
fn a_token_may_travel_in_the_query() {
    let server = Server::start(open(), Plain::default());
    let (options, _) = tokens(&["s3cr3t-ann b\u{e9}+%&"]);
    let options = Options {
        token_in_query: true,
        ..options
    };
    let ann = Guest::at(server.address, "/ws?x=1", options);
    let welcome = ann.run(|client| async move { client.connected().await });
    assert_eq!(welcome.unwrap().user(), Some("ann b\u{e9}+%&"));
}

#[test]
fn without_a_token_it_stops() {
    let server = Server::start(open(), Plain::default());
    let (options, _) = tokens(&[]);
    let ann = Guest::at(server.address, "/ws", options);
    ann.until_state("it has stopped", |state| {
        stopped_for(state, StopReason::Token)
    });
}

#[test]
fn a_message_published_before_the_connection_is_up_waits_for_it() {
    let server = Server::start(open(), Plain::default());
    let (up, dial) = futures_util::future::abortable(std::future::pending::<()>());
    let up = Arc::new(Mutex::new(Some(up)));
    let options = hasty().with_token(move |_| {
        let up = lock(&up).take();
        async move {
            if let Some(up) = up {
                let _ = up.await;
            }
            Ok("s3cr3t-ann".to_owned())
        }
    });
    let ann = Guest::at(server.address, "/ws", options);
    let sent = ann.run(move |client| async move {
        drop(client.subscribe("blue"));
        let mut publish = Box::pin(client.publish("blue", "early"));
        let pending = poll_fn(|context| Poll::Ready(publish.as_mut().poll(context).is_pending()));
        assert!(pending.await, "it waits");
        dial.abort();
        publish.await
    });
    assert_eq!(sent, Ok(1));
}

#[test]
fn a_client_that_connects_after_a_close_asks_for_another_token() {
    let server = Server::start(open(), Plain::default());
    let (options, reasons) = tokens(&["s3cr3t-ann", "s3cr3t-bob"]);
    let guest = Guest::at(server.address, "/ws", options);
    let users = guest.run(|client| async move {
        let first = client.connected().await.expect("a welcome");
        client.close().await;
        client.start();
        let second = client.connected().await.expect("a welcome");
        [first, second].map(|welcome| welcome.user().map(str::to_owned))
    });
    assert_eq!(users, [Some("ann".to_owned()), Some("bob".to_owned())]);
    assert_eq!(*lock(&reasons), [TokenReason::Connect; 2]);
}

#[test]
fn a_token_source_that_never_answers_is_asked_again() {
    let server = Server::start(open(), Plain::default());
    let asked = Arc::new(Mutex::new(0));
    let options = Options {
        token_timeout: Duration::from_millis(50),
        ..hasty()
    };
    let ann = Guest::at(
        server.address,
        "/ws",
        options.with_token(move |_| {
            *lock(&asked) += 1;
            let first = *lock(&asked) == 1;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok("s3cr3t-ann".to_owned())
            }
        }),
    );
    let welcome = ann.run(|client| async move { client.connected().await });
    assert!(welcome.is_ok(), "{welcome:?}");
}

#[test]
fn a_token_source_that_panics_is_asked_again() {
    let server = Server::start(open(), Plain::default());
    let asked = Arc::new(Mutex::new(0));
    let options = hasty().with_token(move |_| {
        let asked = asked.clone();
        async move {
            let turn = {
                let mut asked = lock(&asked);
                *asked += 1;
                *asked
            };
            assert_ne!(turn, 1, "the first question is too much");
            Ok("s3cr3t-ann".to_owned())
        }
    });
    let ann = Guest::at(server.address, "/ws", options);
    ann.enter("blue");
}
