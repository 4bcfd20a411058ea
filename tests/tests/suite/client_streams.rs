//! Streams of the events of one channel of the Rust client.

use super::app::Plain;
use super::guest::{Guest, hasty};
use super::server::Server;
use crate::rt;
use crate::rt::Config;
use crate::rt::client::{Client, Event, Events, SendOptions};

/// Returns the texts of the messages until the stream ends, or until one is `last`.
async fn texts_until(last: &str, stream: &mut Events) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(event) = stream.next().await {
        assert_eq!(event.channel(), Some("blue"), "{event:?}");
        let Event::Message(message) = event else {
            continue;
        };
        texts.push(message.content().expect("a text"));
        if texts.last().is_some_and(|text| text == last) {
            break;
        }
    }
    texts
}

#[test]
fn a_channel_has_a_stream_of_its_own() {
    let server = Server::start(Config::default(), Plain::default());
    let (ann, bob) = (
        Guest::of(server.address, "ann"),
        Guest::of(server.address, "bob"),
    );
    let mut blue = ann.client.events_of("blue");
    for channel in ["blue", "red"] {
        ann.enter(channel);
        bob.enter(channel);
    }
    for (channel, text) in [
        ("red", "one"),
        ("blue", "two"),
        ("red", "three"),
        ("blue", "four"),
    ] {
        bob.publish(channel, text).expect("a number");
    }
    let heard = ann.run(|_| async move { texts_until("four", &mut blue).await });
    assert_eq!(heard, ["two", "four"]);
    ann.until_texts(&["one", "two", "three", "four"]);
}

#[test]
fn the_stream_of_a_channel_goes_on_without_that_of_all_and_ends_with_the_client() {
    let server = Server::start(Config::default(), Plain::default());
    let runtime = rt::Runtime::new(1);
    let url = format!("ws://{}/ws?token=s3cr3t-ann", server.address);
    let (client, events) =
        Client::connect_on(&runtime.executor(), url, hasty()).expect("an address");
    drop(events);
    let mut blue = client.events_of("blue");
    let heard = runtime.run(async move {
        client.subscribe("blue").await.expect("a subscription");
        let echo = SendOptions {
            echo: true,
            ..SendOptions::default()
        };
        let sent = client.publish_with("blue", "mine", echo).await;
        sent.expect("a number");
        drop(client);
        texts_until("none", &mut blue).await
    });
    assert_eq!(heard, ["mine"]);
}
