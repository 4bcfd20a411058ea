//! The Rust client reconnects after its server ends, and restores its channels.

use std::time::{Duration, Instant};

use super::app::Plain;
use super::guest::{Guest, hasty, lock};
use super::server::{Server, until};
use crate::rt::client::{Event, Options, State, WaitReason};
use crate::rt::{CloseReason, Config};

/// Ends a server, at once or in an orderly way, and waits until its port is free.
fn end(server: &Server, window: Duration) {
    let deadline = window * 30;
    let hub = server.hub.clone();
    server.runtime.spawn(async move {
        hub.drain(window, deadline).await;
    });
    until(
        "serve returns",
        || server.report().is_some(),
        || server.hub.stats(),
    );
}

fn guests(server: &Server) -> Vec<Guest> {
    let guests: Vec<Guest> = ["ann", "bob", "carl"]
        .iter()
        .map(|name| {
            let path = format!("/ws?token=s3cr3t-{name}");
            Guest::at(server.address, &path, hasty())
        })
        .collect();
    for guest in &guests {
        guest.enter("blue");
        guest.enter("red");
    }
    guests
}

fn until_all_in(server: &Server, rooms: [&str; 2]) {
    server.until("everybody is back in every channel", |_| {
        rooms.iter().all(|room| server.hub.members(room).len() == 3)
    });
}

#[test]
fn when_the_server_comes_back_everybody_is_where_they_were() {
    let server = Server::start(Config::default(), Plain::default());
    let guests = guests(&server);
    assert_eq!(guests[0].publish("blue", "before"), Ok(1));
    end(&server, Duration::ZERO);
    let address = server.address;
    for guest in &guests {
        guest.until_state("it is away", |state| {
            !matches!(state, State::Connected { .. })
        });
    }
    // Published meanwhile, it arrives once all expected members are back.
    let sent = guests[0].publish_later("blue", "meanwhile");
    drop(server);
    let server = Server::start_at(address, Config::default(), Plain::default());
    until_all_in(&server, ["blue", "red"]);
    until(
        "it was sent",
        || lock(&sent).is_some(),
        || guests[0].events(),
    );
    assert_eq!(*lock(&sent), Some(Ok(1)));
    for guest in &guests {
        guest.find("a new life of the channel", |event| match event {
            Event::Epoch { channel, from, to } => {
                (&**channel == "blue" && from != to).then_some(())
            }
            _ => None,
        });
    }
    assert_eq!(guests[1].publish("blue", "after"), Ok(2));
    guests[0].until_texts(&["after"]);
}

#[test]
fn messages_sent_while_a_client_was_away_are_reported_as_a_gap() {
    let server = Server::start(Config::default(), Plain::default());
    let (ann, bob) = (
        Guest::of(server.address, "ann"),
        Guest::of(server.address, "bob"),
    );
    ann.enter("blue");
    bob.enter("blue");
    let id = server.hub.connections_of("ann")[0];
    server
        .hub
        .close(id, CloseReason::SlowConsumer)
        .expect("a connection");
    // From the decision to end it, the connection is not in the channel.
    let missed = bob.publish("blue", "missed");
    assert_eq!(missed, Ok(1));
    server.until("ann is back", |_| server.hub.members("blue").len() == 2);
    let gap = ann.find("a gap", |event| match event {
        Event::Gap(gap) => Some(gap.clone()),
        _ => None,
    });
    assert_eq!(
        (&*gap.channel, gap.from, gap.to, gap.away),
        ("blue", 1, 1, true)
    );
    assert_eq!(bob.publish("blue", "heard"), Ok(2));
    ann.until_texts(&["heard"]);
}

#[test]
fn without_a_queue_publishing_fails_while_there_is_no_connection() {
    let server = Server::start(Config::default(), Plain::default());
    let options = Options {
        queue: None,
        ..hasty()
    };
    let ann = Guest::at(server.address, "/ws?token=s3cr3t-ann", options);
    ann.enter("blue");
    end(&server, Duration::ZERO);
    ann.until_state("it is away", |state| {
        !matches!(state, State::Connected { .. })
    });
    assert_eq!(ann.publish("blue", "x"), Err("not_connected".into()));
}

#[test]
fn a_message_that_nobody_waits_for_any_more_is_not_sent() {
    let server = Server::start(Config::default(), Plain::default());
    let ann = Guest::at(server.address, "/ws?token=s3cr3t-ann", hasty());
    ann.enter("blue");
    let address = server.address;
    end(&server, Duration::ZERO);
    ann.until_state("it is away", |state| {
        !matches!(state, State::Connected { .. })
    });
    ann.run(|client| async move {
        let mut publish = Box::pin(client.publish("blue", "dropped"));
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(publish.as_mut().poll(context).is_pending())
        });
        assert!(polled.await, "it waits");
    });
    drop(server);
    let server = Server::start_at(address, Config::default(), Plain::default());
    assert_eq!(ann.publish("blue", "kept"), Ok(1));
    drop(server);
}

#[test]
fn in_a_drain_everybody_comes_back_when_told_and_not_before() {
    let server = Server::start(Config::default(), Plain::default());
    let guests = guests(&server);
    let address = server.address;
    end(&server, Duration::from_millis(300));
    drop(server);
    let told: Vec<Instant> = guests
        .iter()
        .map(|guest| {
            let until = guest.find("it was told when to come back", |event| match event {
                Event::State(State::Waiting {
                    until,
                    why: WaitReason::Told,
                    last: Some(last),
                }) if last.code == 1001 => *until,
                _ => None,
            });
            guest.client.instant(until).expect("an instant")
        })
        .collect();
    let server = Server::start_at(address, Config::default(), Plain::default());
    until_all_in(&server, ["blue", "red"]);
    let back = Instant::now();
    assert!(told.iter().all(|&told| told <= back), "nobody hurries");
}

#[test]
fn a_client_that_cannot_connect_gives_up_after_its_attempts() {
    let server = Server::start(Config::default(), Plain::default());
    let address = server.address;
    end(&server, Duration::ZERO);
    drop(server);
    let options = Options {
        max_attempts: 3,
        ..hasty()
    };
    let ann = Guest::at(address, "/ws", options);
    let connected = ann.run(|client| async move { client.connected().await });
    assert!(connected.is_err());
    ann.find("it has stopped", |event| {
        matches!(event, Event::State(State::Stopped { .. })).then_some(())
    });
    let dials = ann.events();
    let dials = dials
        .iter()
        .filter(|it| matches!(it, Event::State(State::Connecting { .. })));
    assert_eq!(dials.count(), 3);
}
