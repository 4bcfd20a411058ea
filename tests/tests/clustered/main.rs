//! Nodes of a cluster, each a switchboard and its machine, over a broker in virtual time: what clients are
//! told whose node is behind the broker.

mod clients;
mod coming_back;
mod crowds;
mod directs;
mod event_streams;
mod exclusion;
mod held_seats;
mod node;
mod pair;
mod peer;
mod presence_info;
mod sending_again;
mod two_brokers;
mod values;
