//! From a push to the payload that is published.

use std::fmt::Write;
use std::sync::Arc;

use super::push::{NodeState, Push};

impl Push<'_> {
    /// Returns the payload that [`Push::parse`] reads as this.
    ///
    /// Names must not be empty and must not have control characters, else it reads as something else
    /// or as nothing.
    pub fn to_payload(&self) -> Arc<[u8]> {
        let (header, body) = self.parts();
        [b"1\t", header.as_bytes(), b"\n", &body].concat().into()
    }

    fn parts(&self) -> (String, Vec<u8>) {
        match self {
            Self::Message {
                seq,
                epoch,
                node,
                own,
                body,
            } => (format!("M\t{seq}\t{epoch}\t{node}\t{own}"), body.to_vec()),
            Self::Local {
                node,
                stay,
                own,
                body,
            } => (format!("L\t{node}\t{own}\t{stay}"), body.to_vec()),
            Self::Presence {
                version,
                epoch,
                registration,
                joined,
                left,
            } => (
                format!("P\t{version}\t{epoch}\t{registration}{}", infos(joined)),
                changes(joined, left).into_bytes(),
            ),
            Self::Beat {
                registration,
                count,
                protocol,
                state,
                figures,
            } => (
                format!("B\t{registration}\t{count}\t{protocol}\t{}", state.word()),
                figures.to_vec(),
            ),
            Self::Direct {
                node,
                question,
                user,
                body,
            } => (format!("D\t{node}\t{question}\t{user}"), body.to_vec()),
            Self::Taken {
                node,
                question,
                queues,
            } => (format!("A\t{node}\t{question}\t{queues}"), Vec::new()),
            Self::Close {
                registration,
                reason,
                user,
                connections,
            } => (
                format!("X\t{registration}\t{reason}\t{user}"),
                connections.join("\n").into_bytes(),
            ),
            Self::Everyone { node, body } => (format!("W\t{node}"), body.to_vec()),
        }
    }
}

impl NodeState {
    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Gone => "gone",
        }
    }
}

/// Returns the fields for the presence info of users who joined, which are in the first lines.
fn infos(joined: &[(&str, Option<&str>)]) -> String {
    let mut fields = String::new();
    if joined.iter().any(|(_, info)| info.is_some()) {
        for (_, info) in joined {
            let _ = write!(fields, "\t{}", info.unwrap_or_default());
        }
    }
    fields
}

fn changes(joined: &[(&str, Option<&str>)], left: &[&str]) -> String {
    let joined = joined.iter().map(|(user, _)| ('+', user));
    let left = left.iter().map(|user| ('-', user));
    let mut lines = String::new();
    for (sign, user) in joined.chain(left) {
        let end = if lines.is_empty() { "" } else { "\n" };
        let _ = write!(lines, "{end}{sign}{user}");
    }
    lines
}
