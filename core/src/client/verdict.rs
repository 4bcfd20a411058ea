//! Maps close codes to what a client does (`docs/protocol.md`, section 4).

/// What a client does after a close.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Does not reconnect.
    Stop,
    /// Reconnects after a random delay that grows with each failure.
    Backoff,
    /// Like `Backoff`, but with a delay of at least five seconds.
    Full,
    /// Reconnects after a random delay of at most a second.
    Jitter,
    /// Reconnects like `Jitter` with a new token, which is requested once only.
    Token,
    /// Reconnects like `Jitter` with a new token.
    Expired,
}

impl Verdict {
    /// Returns the verdict for a close with this code and reason.
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
