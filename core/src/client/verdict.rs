//! What a close code asks of a client (spec, section 10).

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stay away.
    Stop,
    /// Come back after a random delay that grows with each failure.
    Backoff,
    /// The same, but not before five seconds.
    Full,
    /// Come back at once, give or take a second.
    Jitter,
    /// The same with a new token, which is asked for once.
    Token,
    /// The same with a new token.
    Expired,
}

impl Verdict {
    /// What a close with this code and reason asks for.
    ///
    /// ```
    /// use switchboard_core::client::Verdict;
    ///
    /// assert_eq!(Verdict::of(1000, "replaced"), Verdict::Stop);
    /// assert_eq!(Verdict::of(1006, ""), Verdict::Backoff);
    /// ```
    pub fn of(code: u16, reason: &str) -> Self {
        match code {
            1000 if reason == "replaced" => Self::Stop,
            4002 if reason == "lobby_full" => Self::Stop,
            1002 | 1003 | 1007..=1009 | 3000..=3999 | 4003..=4005 | 4500..=4999 => Self::Stop,
            4001 => Self::Token,
            4002 => Self::Full,
            4201 => Self::Jitter,
            4202 => Self::Expired,
            _ => Self::Backoff,
        }
    }
}
