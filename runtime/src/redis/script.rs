//! The scripts, and the digests by which they are called.

use std::fmt::Write;
use std::sync::OnceLock;

use sha1::{Digest, Sha1};

/// A script that runs in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Numbers messages, keeps them and publishes them.
    Append,
    /// Records a session and reads missed messages.
    Sync,
    /// Changes the list of users in a room.
    Presence,
    /// Reads that list.
    Occupants,
    /// Reads how far a room has come.
    Position,
    /// Reads messages of a room.
    Range,
    /// Reads the latest values of keys of a room.
    Values,
    /// Sets how many seats a node uses.
    Seats,
    /// Claims a user.
    Login,
    /// Gives up a claim.
    Logout,
    /// Puts out all claims of a user.
    Kick,
    /// Reads the claims of a user.
    Lookup,
    /// Publishes to the nodes of a user.
    Direct,
    /// Registers a node or renews its lease.
    Beat,
    /// Ends a registration.
    Retire,
    /// Tells which commands of the other scripts access rules refuse.
    Probe,
}

macro_rules! source {
    ($($file:literal),+) => { concat!($(include_str!(concat!("scripts/", $file, ".lua"))),+) };
}

impl Script {
    /// All scripts. A connection loads them, in any order, before it sends a command.
    pub const ALL: [Self; 16] = [
        Self::Append,
        Self::Sync,
        Self::Presence,
        Self::Occupants,
        Self::Position,
        Self::Range,
        Self::Values,
        Self::Seats,
        Self::Login,
        Self::Logout,
        Self::Kick,
        Self::Lookup,
        Self::Direct,
        Self::Beat,
        Self::Retire,
        Self::Probe,
    ];

    /// Returns the text of the script, for SCRIPT LOAD.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Append => source!("room", "append"),
            Self::Sync => source!("room", "sync"),
            Self::Presence => source!("room", "presence"),
            Self::Occupants => source!("occupants"),
            Self::Position => source!("position"),
            Self::Range => source!("range"),
            Self::Values => source!("values"),
            Self::Seats => source!("seats"),
            Self::Login => source!("claims", "login"),
            Self::Logout => source!("claims", "logout"),
            Self::Kick => source!("claims", "kick"),
            Self::Lookup => source!("claims", "lookup"),
            Self::Direct => source!("claims", "direct"),
            Self::Beat => source!("beat"),
            Self::Retire => source!("retire"),
            Self::Probe => source!("probe"),
        }
    }

    /// Returns the digest that SCRIPT LOAD answers and EVALSHA takes: the SHA-1 of the source in
    /// lower-case hexadecimal.
    pub fn digest(self) -> &'static str {
        static DIGESTS: OnceLock<[String; Script::ALL.len()]> = OnceLock::new();
        let digests = DIGESTS.get_or_init(|| {
            Self::ALL.map(|script| {
                let mut text = String::with_capacity(40);
                for byte in Sha1::digest(script.source()) {
                    let _ = write!(text, "{byte:02x}");
                }
                text
            })
        });
        &digests[self as usize]
    }
}
