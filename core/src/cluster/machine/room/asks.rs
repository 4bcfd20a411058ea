//! Those that wait for a room to catch up with the broker.

/// Numbers of those who asked, in the order in which they asked. An answer to all up to one is enough.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Asks {
    /// The last one that asked.
    last: u64,
    /// The last one that had asked when the log was asked for.
    on_its_way: u64,
    /// The last one that was told.
    told: u64,
}

impl Asks {
    pub(super) fn add(&mut self, number: u64) {
        self.last = self.last.max(number);
    }

    /// The log is asked for.
    pub(super) fn are_asked(&mut self) {
        self.on_its_way = self.last;
    }

    /// What was asked may never be answered.
    pub(in crate::cluster) fn lost(&mut self) {
        self.on_its_way = self.told;
    }

    /// Whether somebody asked after the log was asked for.
    pub(super) fn need_sync(&self) -> bool {
        self.last > self.on_its_way
    }

    pub(super) fn are_open(&self) -> bool {
        self.last > self.told
    }

    /// The log was read up to where it was when it was asked for. Returns up to whom that is told.
    pub(super) fn answered(&mut self) -> Option<u64> {
        let answers = self.on_its_way > self.told;
        self.told = self.on_its_way;
        answers.then_some(self.told)
    }

    /// Nobody is to wait any longer. Returns up to whom that is told.
    pub(super) fn end(&mut self) -> Option<u64> {
        self.on_its_way = self.last;
        self.answered()
    }
}
