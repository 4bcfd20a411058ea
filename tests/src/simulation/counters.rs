//! What happened in a run: events, faults by kind, rare paths.

macro_rules! kinds {
    ($(#[$meta:meta])* $name:ident { $($variant:ident => $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $text] $variant,)*
        }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// What it is, in words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

kinds! {
    /// Something that was done to the node.
    Fault {
        ReadByByte => "read of single bytes",
        ReadSplit => "read cut inside what was sent",
        ReadJoined => "several sendings read as one",
        LinkDelay => "segment delayed",
        LinkStall => "link stood still for seconds",
        PeerReset => "reset by the peer",
        HalfClose => "half closed by the peer",
        AbruptEnd => "end without a Close frame",
        WriteNothing => "write took nothing",
        WriteOneByte => "write took one byte",
        WriteShort => "write took a part",
        WriteFailed => "write failed",
        WriteDelayed => "writer reported late",
        SlowReader => "reader stopped reading",
        Silent => "client became silent",
        StoppedHost => "client's host stopped",
        FloodMessages => "flood of messages",
        FloodPings => "flood of pings",
        UnaskedPong => "pong that nobody asked for",
        BadHandshake => "malformed handshake",
        ForeignOrigin => "handshake of a foreign page",
        Slowloris => "handshake never completed",
        BadFrame => "malformed frame",
        BadJson => "malformed message",
        BinaryMessage => "binary where text is spoken",
        UnfinishedMessage => "message never completed",
        Fragments => "message in fragments",
        BadToken => "token refused",
        WrongUser => "token of another user",
        NoFirstMessage => "no first message",
        BadFirstMessage => "first message is not auth",
        DuplicateLogin => "second login of a user",
        MassJoin => "many dial at once",
        MassLeave => "many leave at once",
        HookDelay => "hook took its time",
        HookPanic => "hook panicked",
        HookStall => "hook over its limit",
        HookDenied => "hook said no",
        HookCallback => "hook called back",
        HostStall => "node's host stood still",
        ClockBackward => "call with an earlier time",
        TickLate => "tick came late",
        TickSpurious => "tick without need",
        StaleId => "call with a stale id",
        Drain => "drain",
        InputAfterEnd => "input after the end",
    }
}

kinds! {
    /// A rare path that must have been taken.
    Probe {
        CloseOvertook => "close overtook queued frames but not a cut one",
        EvictedWhileWriting => "evicted while writing",
        ClosedWhileWriting => "closed while writing",
        ReplacedWhileClosing => "replaced while an older one was closing",
        ReplacedAtServerLimit => "replaced at the limit of the node",
        ReplacedAtLobbyLimit => "replaced at the limit of the lobby",
        OldestDeviceReplaced => "oldest of several devices replaced",
        GraceRejoin => "back within the grace",
        GraceOver => "grace went by",
        StallMovedDeadline => "a stall moved the deadlines",
        PoolBoundClosed => "global byte bound closed the largest",
        QueueBoundClosed => "queue bound closed a member",
        WriteStallClosed => "write stall closed",
        DroppedOldest => "oldest messages dropped",
        DroppedNewest => "newest message dropped",
        Heartbeat => "heartbeat evicted",
        HeartbeatSpared => "silent for long, but our doing: spared",
        ReadingPaused => "reading paused by a busy hook",
        IntakeWait => "reading paused by a long queue",
        HookTimedOut => "hook timed out",
        HookAnswerTooLate => "hook answered for a connection that had gone",
        MessageTimeout => "message timed out",
        UnfinishedBound => "bound of unfinished messages closed the largest",
        HandshakeTimeout => "handshake timed out",
        AuthTimeout => "no auth in time",
        FirstMessageAuth => "logged in by the first message",
        Refreshed => "token refreshed",
        Expired => "token expired",
        HandshakesFull => "handshakes full",
        RefusalsFull => "refusals full",
        RefusalByHttp => "refusals crowded, told by HTTP",
        RefusalLingered => "refused connection went by its deadline",
        IpCount => "address full",
        AddressShare => "address at its share of the seats for handshakes",
        IpRate => "address too fast",
        ServerFull => "server full",
        LobbyFull => "lobby full",
        AlreadyConnected => "already connected",
        SilentReplaced => "silent connection gives its place to a newcomer",
        Strikes => "too many strikes",
        RoomFull => "room full",
        TooManyRooms => "too many rooms",
        ClosingCrowded => "too many closing, evicted",
        CloseTimedOut => "close not answered, dropped",
        DiscardBound => "too much input after the end, not read",
        DrainPending => "drain refused a pending handshake",
        DrainEvicted => "drain evicted at its deadline",
        DrainInStall => "drain went on through a stall",
        SharedChunk => "memory lent to the writer",
        LargeFrameCut => "large frame cut by the socket",
        PongsMerged => "latest pong only, while the socket was blocked",
        PresenceDelta => "presence told as a change",
        PresenceList => "presence list told",
        LeavePurged => "queued messages of a left room purged",
        SlotReused => "slot lived in again",
        PageServed => "page served",
        PingUserAnswered => "question to a user answered",
        PingUserTimedOut => "question to a user timed out",
        TooLarge => "message too large for a queue",
        HalfClosedGotClose => "half-closed client still got its answer",
    }
}

/// Counts of one run, or of many.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Calls into the core.
    pub events: u64,
    /// Virtual time.
    pub nanos: u128,
    /// By kind.
    pub faults: Vec<u64>,
    /// By path.
    pub probes: Vec<u64>,
    /// Connections that were dialled.
    pub dialled: u64,
    /// Connections that were admitted.
    pub admitted: u64,
    /// Frames that went out, and were checked.
    pub frames: u64,
    /// Audits of the core.
    pub audits: u64,
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

    /// Adds what another run counted.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.nanos += other.nanos;
        self.dialled += other.dialled;
        self.admitted += other.admitted;
        self.frames += other.frames;
        self.audits += other.audits;
        for (sum, more) in self.faults.iter_mut().zip(&other.faults) {
            *sum += more;
        }
        for (sum, more) in self.probes.iter_mut().zip(&other.probes) {
            *sum += more;
        }
    }

    /// The paths that were never taken.
    pub fn dead_probes(&self) -> Vec<&'static str> {
        Probe::ALL
            .iter()
            .filter(|probe| self.probes[**probe as usize] == 0)
            .map(|probe| probe.text())
            .collect()
    }

    /// The faults that never happened.
    pub fn dead_faults(&self) -> Vec<&'static str> {
        Fault::ALL
            .iter()
            .filter(|fault| self.faults[**fault as usize] == 0)
            .map(|fault| fault.text())
            .collect()
    }
}
