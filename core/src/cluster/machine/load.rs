//! The figures that a node reports in its heartbeats.

use std::fmt::Write;

/// What a node does, as it says in its heartbeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeLoad {
    /// Connections.
    pub connections: u64,
    /// Users; one who is on two nodes counts on both.
    pub users: u64,
    /// Rooms.
    pub rooms: u64,
    /// Bytes that wait for connections.
    pub queued_bytes: u64,
    /// Messages from clients.
    pub messages_in: u64,
    /// Messages to clients.
    pub messages_out: u64,
    /// Messages that were dropped.
    pub dropped: u64,
}

impl NodeLoad {
    fn fields(&mut self) -> [(&'static str, &mut u64); 7] {
        [
            ("connections", &mut self.connections),
            ("users", &mut self.users),
            ("rooms", &mut self.rooms),
            ("queued_bytes", &mut self.queued_bytes),
            ("messages_in", &mut self.messages_in),
            ("messages_out", &mut self.messages_out),
            ("dropped", &mut self.dropped),
        ]
    }

    /// One figure a line: name, space, number.
    pub(super) fn to_figures(mut self) -> String {
        let mut text = String::new();
        for (name, value) in self.fields() {
            let _ = writeln!(text, "{name} {value}");
        }
        text
    }

    /// Reads figures; unknown ones and what does not parse are left out.
    pub(super) fn from_figures(figures: &[u8]) -> Self {
        let mut load = Self::default();
        for line in String::from_utf8_lossy(figures).lines() {
            let Some((name, value)) = line.split_once(' ') else {
                continue;
            };
            let mut fields = load.fields();
            if let Some((_, field)) = fields.iter_mut().find(|(known, _)| *known == name) {
                **field = value.parse().unwrap_or(0);
            }
        }
        load
    }
}
