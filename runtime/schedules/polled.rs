//! Streams that can only be polled, behind [`PolledSocket`](crate::PolledSocket). The one in this test
//! holds bytes back until it is flushed, as TLS does.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::delivery::publish_and_compare;
use super::explore::{explore, probe};
use super::node::{Node, config};
use super::peer::Peer;
use super::pipe::ServerEnd;
use super::runtime::Simulated;
use crate::argument::{Foreign, PolledBy};
use crate::net::Stream;

/// Number of bytes that the stream accepts before it must be flushed.
const HOLDS: usize = 50;

pub(super) struct Holding {
    end: ServerEnd,
    held: Vec<u8>,
}

impl Holding {
    fn drain(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let polled = self.end.write_or_wait(context, &self.held);
            if polled.is_pending() {
                probe("something was held back");
            }
            let written = ready!(polled)?;
            self.held.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl Stream for Holding {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.end.try_read(context, buffer)
    }

    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if stream.held.len() >= HOLDS {
            ready!(stream.drain(context))?;
        }
        let taken = bytes.len().min(HOLDS - stream.held.len());
        stream.held.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().drain(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.drain(context))?;
        stream.end.end();
        Poll::Ready(Ok(()))
    }
}

impl PolledBy<Simulated> for Foreign<ServerEnd> {
    type Stream = Holding;

    fn adapt(self) -> Holding {
        Holding {
            end: self.0,
            held: Vec::new(),
        }
    }
}

fn enter(node: &mut Node, user: &str, window: usize) -> Peer {
    let pipe = node.pipe(window);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let accepted = node
        .hub
        .accept_stream(ServerEnd::new(pipe.clone()), address, Vec::new());
    accepted.expect("taken");
    let mut peer = Peer::new(pipe);
    peer.request(&format!("/ws/blue?token={user}"));
    assert_eq!(peer.status(), Some(101));
    peer.expect("subscribed");
    peer
}

#[test]
fn members_over_polled_streams_hear_all_publishers_in_one_order() {
    let happens = ["a socket was full", "something was held back"];
    explore("polled streams", &happens, || {
        let mut node = Node::new(config(), 2);
        let peers = vec![
            enter(&mut node, "ann", 60),
            enter(&mut node, "bob", 100),
            enter(&mut node, "cid", 1 << 20),
        ];
        let peers = publish_and_compare(&node, peers);
        drop(peers);
        node.until_empty(3);
        node.finish();
    });
}
