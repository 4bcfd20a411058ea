//! Counters of a run: events, faults by kind, rare paths.

use std::fmt;

use crate::seeds;

macro_rules! kinds {
    ($(#[$meta:meta])* $name:ident { $($variant:ident => $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $text] $variant,)*
        }

        impl $name {
            /// All variants in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the description.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

kinds! {
    /// A fault that was injected.
    Fault {
        ReadByByte => "read of single bytes",
        ReadSplit => "read that split a message",
        ReadJoined => "several messages in one read",
        LinkDelay => "segment delayed",
        LinkStall => "link stalled for seconds",
        PeerReset => "reset by the peer",
        HalfClose => "half closed by the peer",
        AbruptEnd => "end without a Close frame",
        WriteNothing => "write took nothing",
        WriteOneByte => "write took one byte",
        WriteShort => "write took a part",
        WriteFailed => "write failed",
        WriteDelayed => "late report of a writer",
        SlowReader => "reader stopped reading",
        Silent => "client became silent",
        StoppedHost => "client's host stopped",
        FloodMessages => "flood of messages",
        FloodPings => "flood of pings",
        UnaskedPong => "unsolicited pong",
        BadHandshake => "malformed handshake",
        ForeignOrigin => "handshake with a foreign origin",
        Slowloris => "handshake never completed",
        BadFrame => "malformed frame",
        BadJson => "malformed message",
        BinaryMessage => "binary message under the JSON protocol",
        UnfinishedMessage => "message never completed",
        Fragments => "message in fragments",
        BadToken => "token refused",
        WrongUser => "token of another user",
        NoFirstMessage => "no first message",
        BadFirstMessage => "first message is not auth",
        DuplicateLogin => "second login of a user",
        MassJoin => "many dial at once",
        MassLeave => "many leave at once",
        HookDelay => "hook returned later",
        HookPanic => "hook panicked",
        HookStall => "hook over its limit",
        HookDenied => "hook refused",
        HookCallback => "hook called back",
        HostStall => "host stall",
        ClockBackward => "call with an earlier time",
        TickLate => "tick came late",
        TickSpurious => "unneeded tick",
        StaleId => "call with a stale id",
        Drain => "drain",
        InputAfterEnd => "input after the end",
    }
}

kinds! {
    /// A rare path that must be taken.
    Probe {
        CloseOvertook => "Close overtook queued frames but not a partly written one",
        EvictedWhileWriting => "evicted while writing",
        ClosedWhileWriting => "closed while writing",
        ReplacedWhileClosing => "replaced while an older one was closing",
        ReplacedAtServerLimit => "replaced at the limit of the node",
        ReplacedAtLobbyLimit => "replaced at the limit of the lobby",
        OldestDeviceReplaced => "oldest of several devices replaced",
        GraceRejoin => "back within the grace period",
        GraceOver => "grace period expired",
        StallMovedDeadline => "host stall moved the deadlines",
        PoolBoundClosed => "node's byte bound closed the largest",
        QueueBoundClosed => "queue bound closed a member",
        WriteStallClosed => "write stall closed",
        DroppedOldest => "oldest messages dropped",
        DroppedNewest => "newest message dropped",
        Heartbeat => "heartbeat evicted",
        HeartbeatSpared => "silent only because it was not read, not evicted",
        ReadingPaused => "reading paused by a busy hook",
        IntakeWait => "reading paused by a long queue",
        HookTimedOut => "hook timed out",
        HookAnswerTooLate => "hook returned after its connection had ended",
        MessageTimeout => "message timed out",
        UnfinishedBound => "bound of unfinished messages closed the largest",
        HandshakeTimeout => "handshake timed out",
        AuthTimeout => "no auth in time",
        FirstMessageAuth => "logged in by the first message",
        Refreshed => "token refreshed",
        Expired => "token expired",
        HandshakesFull => "handshakes full",
        RefusalsFull => "refusals full",
        RefusalByHttp => "too many refused connections, told by HTTP",
        RefusalLingered => "refused connection dropped at its deadline",
        IpCount => "address full",
        AddressShare => "address at its share of the handshake seats",
        IpRate => "address over its connect rate",
        ServerFull => "server full",
        LobbyFull => "lobby full",
        AlreadyConnected => "already connected",
        LeavingReplaced => "leaving connection replaced by a newcomer",
        SilentReplaced => "silent connection replaced by a newcomer",
        Strikes => "too many strikes",
        RoomFull => "room full",
        HeldSeatTaken => "back on a held seat",
        HeldSeatSaved => "back on a held seat in a full room",
        TooManyRooms => "too many rooms",
        ClosingCrowded => "too many closing, one evicted",
        CloseTimedOut => "Close not answered, dropped",
        DiscardBound => "discard limit reached after the end",
        DrainPending => "drain refused a pending handshake",
        DrainEvicted => "drain evicted at its deadline",
        DrainInStall => "drain continued during a host stall",
        SharedChunk => "memory lent to the writer",
        LargeFrameCut => "large frame cut by the socket",
        PongsMerged => "pongs merged while the socket was blocked",
        PresenceDelta => "presence sent as a change",
        PresenceList => "presence sent as a list",
        LeavePurged => "queued messages purged on leave",
        SlotReused => "slot reused",
        Recovered => "missed message recovered",
        RecoveredInParts => "missed messages recovered in several turns",
        LastOnJoin => "earlier message given to a newcomer",
        RecoveryGone => "missed messages not kept any more",
        RecoveryOfAnotherLife => "position in another life of the room",
        RecoveryAhead => "position that the room has not come to",
        RecoveryRefused => "missed messages that the application does not allow",
        SkipTold => "numbers told as not meant for a client",
        GapTold => "numbers told as gone from the history",
        HistoryGaveWay => "history gave way to a bound over all rooms",
        DormantRoom => "room entered that was dormant",
        DormantEnded => "room entered whose last life had ended",
        SessionReplaced => "older connection of a session replaced",
        ResentNew => "message sent again that had not been published",
        ResentFound => "message sent again that had been published",
        ResentLost => "message sent again of which that cannot be told",
        PresentValue => "present value of a key given to a newcomer",
        ValueOvertaken => "value overwritten before a member got it",
        TooManyKeys => "value refused for its key",
        VolatileSent => "volatile message sent",
        VolatileDropped => "volatile message dropped for a member",
        PageServed => "page served",
        PingUserAnswered => "`ping_user` answered",
        PingUserTimedOut => "`ping_user` timed out",
        TooLarge => "message too large for a queue",
        Inflated => "message that came compressed",
        InContext => "message that came compressed to a client that keeps its window",
        HalfClosedGotClose => "half-closed client got its answer",
    }
}

/// Counts of one run, or of many.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Calls of the core.
    pub events: u64,
    /// Virtual time.
    pub nanos: u128,
    /// Injected faults by kind.
    pub faults: Vec<u64>,
    /// Rare paths by kind.
    pub probes: Vec<u64>,
    /// Connections dialled.
    pub dialled: u64,
    /// Connections admitted.
    pub admitted: u64,
    /// Frames written and checked.
    pub frames: u64,
    /// Audits.
    pub audits: u64,
    /// Audits that ended while connections changed.
    pub audits_in_parts: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            events: 0,
            nanos: 0,
            faults: vec![0; Fault::ALL.len()],
            probes: vec![0; Probe::ALL.len()],
            dialled: 0,
            admitted: 0,
            frames: 0,
            audits: 0,
            audits_in_parts: 0,
        }
    }
}

impl Tally {
    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    pub(super) fn probe(&mut self, probe: Probe) {
        self.probes[probe as usize] += 1;
    }
}

impl seeds::Tally for Tally {
    fn events(&self) -> u64 {
        self.events
    }

    fn count_events(&mut self, events: u64) {
        self.events += events;
    }

    fn nanos(&self) -> u128 {
        self.nanos
    }

    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.nanos += other.nanos;
        self.dialled += other.dialled;
        self.admitted += other.admitted;
        self.frames += other.frames;
        self.audits += other.audits;
        self.audits_in_parts += other.audits_in_parts;
        for (sum, more) in self.faults.iter_mut().zip(&other.faults) {
            *sum += more;
        }
        for (sum, more) in self.probes.iter_mut().zip(&other.probes) {
            *sum += more;
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        let probes = Probe::ALL.iter().zip(&self.probes);
        let faults = Fault::ALL.iter().zip(&self.faults);
        let probes = probes.map(|(probe, count)| (probe.text(), count));
        let faults = faults.map(|(fault, count)| (fault.text(), count));
        let never = probes.chain(faults).filter(|&(_, &count)| count == 0);
        never.map(|(what, _)| what).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dialled, admitted) = (self.dialled, self.admitted);
        writeln!(
            f,
            "connections       {dialled} dialled, {admitted} admitted"
        )?;
        writeln!(f, "frames checked    {}", self.frames)?;
        writeln!(f, "audits            {}", self.audits)?;
        writeln!(f, "  in parts        {}", self.audits_in_parts)?;
        let (faults, kinds) = (self.faults.iter().sum::<u64>(), Fault::ALL.len());
        writeln!(f, "faults            {faults}, of {kinds} kinds:")?;
        for (fault, count) in Fault::ALL.iter().zip(&self.faults) {
            writeln!(f, "  {count:>12}  {}", fault.text())?;
        }
        writeln!(f, "rare paths        {}:", Probe::ALL.len())?;
        for (probe, count) in Probe::ALL.iter().zip(&self.probes) {
            writeln!(f, "  {count:>12}  {}", probe.text())?;
        }
        Ok(())
    }
}
