//! The queue of one connection, as one list in the order of sending.

use std::sync::Arc;

/// The expected content of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Is {
    /// An HTTP response with this status.
    Http(u16),
    /// A text message with this JSON, in any order of fields.
    Json(String),
    /// A text message with exactly these bytes.
    Text(String),
    /// A ping; `None` if the system draws its payload.
    Ping(Option<u64>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close frame.
    Close(Option<(u16, String)>),
    /// A `bye`, whose delay the system draws.
    Bye,
}

/// How a frame is queued and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ping or pong.
    Control,
    /// A message that is never dropped by itself.
    Message,
    /// A message that may be dropped for a newer one.
    Droppable,
    /// Part of the end.
    Last,
    /// An HTTP response.
    Http,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its length on the wire.
    pub len: usize,
    /// Its expected content.
    pub is: Is,
    /// Its kind.
    pub kind: Kind,
    /// The life of the room that sent it.
    pub room: Option<u64>,
    /// Whether a writer holds it.
    pub taken: bool,
    /// Whether it is sent before data.
    pub urgent: bool,
    /// Shared by all copies of one frame.
    frame: Arc<()>,
    /// Whether it is an interval ping.
    pub beat: bool,
}

impl Item {
    /// Creates a frame that belongs to no room.
    pub fn new(len: usize, is: Is, kind: Kind) -> Self {
        Self {
            len,
            is,
            kind,
            room: None,
            taken: false,
            urgent: matches!(kind, Kind::Http | Kind::Control),
            frame: Arc::default(),
            beat: false,
        }
    }

    /// Returns what distinguishes copies of one frame from other frames. Pings of the same moment
    /// are one frame, identified by their number.
    pub fn identity(&self) -> (usize, Option<String>) {
        match &self.is {
            Is::Ping(Some(number)) => (0, Some(number.to_string())),
            Is::Json(text) if text.starts_with(r#"{"type":"health_ping""#) => {
                (0, Some(text.clone()))
            }
            _ => (Arc::as_ptr(&self.frame).addr(), None),
        }
    }

    fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Message | Kind::Droppable)
    }

    fn survives(&self) -> bool {
        matches!(self.kind, Kind::Last | Kind::Http)
    }
}

/// Returns the length of a server's frame with this payload (RFC 6455, section 5.2).
pub fn framed(payload: usize) -> usize {
    payload
        + match payload {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        }
}

/// The most pongs that wait for one writer.
const PONGS: u8 = 32;

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Frames in the order of sending.
    pub items: Vec<Item>,
    /// Bytes of the first frame that are written.
    pub cut: usize,
    /// The latest pong, once earlier ones have been discarded.
    pub pong: Option<Vec<u8>>,
    /// Pongs queued since the last writer.
    pongs: u8,
}

impl Queue {
    /// Returns the bytes that are not written.
    pub fn bytes(&self) -> usize {
        self.items.iter().map(|item| item.len).sum::<usize>() + self.pong_bytes() - self.cut
    }

    /// Returns the bytes of the separate pong.
    pub fn pong_bytes(&self) -> usize {
        self.pong
            .as_ref()
            .map_or(0, |payload| framed(payload.len()))
    }

    /// Returns the number of messages that are not written.
    pub fn messages(&self) -> usize {
        self.items.iter().filter(|item| item.is_message()).count()
    }

    /// Returns whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.pong.is_none()
    }

    /// Returns whether a frame outside the queue may be written here.
    pub fn is_clean(&self) -> bool {
        self.cut == 0 && !self.items.iter().any(|item| item.kind == Kind::Http)
    }

    /// Appends a frame, or inserts an urgent one before all data that no writer holds.
    pub fn push(&mut self, item: Item) {
        if !item.urgent {
            return self.items.push(item);
        }
        let cut = self.cut > 0;
        let fixed = |(index, item): (usize, &Item)| {
            item.taken || item.urgent || item.kind == Kind::Http || (index == 0 && cut)
        };
        let at = self
            .items
            .iter()
            .enumerate()
            .take_while(|&it| fixed(it))
            .count();
        self.items.insert(at, item);
    }

    /// Queues a pong: each of a burst, but only the latest while the socket is blocked.
    pub fn answer(&mut self, payload: &[u8], blocked: bool) {
        if blocked || self.pongs >= PONGS {
            self.pong = Some(payload.to_vec());
        } else {
            self.pongs += 1;
            let is = Is::Pong(payload.to_vec());
            self.push(Item::new(framed(payload.len()), is, Kind::Control));
        }
    }

    /// A writer starts: the latest pong enters the queue.
    pub fn settle_pong(&mut self) {
        self.pongs = 0;
        if let Some(payload) = self.pong.take() {
            let len = framed(payload.len());
            self.push(Item::new(len, Is::Pong(payload), Kind::Control));
        }
    }

    /// A writer takes bytes, which must be whole frames after the rest of a partly written one.
    pub fn take(&mut self, bytes: usize) -> Result<(), String> {
        let mut left = bytes + self.cut;
        for item in &mut self.items {
            if left == 0 {
                return Ok(());
            }
            if left < item.len {
                return Err(format!("{bytes} bytes were taken: that cuts a frame"));
            }
            left -= item.len;
            item.taken = true;
        }
        if left == 0 {
            Ok(())
        } else {
            Err(format!("{left} bytes too many were taken"))
        }
    }

    /// A writer wrote bytes; returns the frames that are complete.
    pub fn wrote(&mut self, bytes: usize) -> Vec<Item> {
        let mut left = bytes + self.cut;
        let mut done = Vec::new();
        // The length of a `bye` is unknown until a writer takes it.
        while self
            .items
            .first()
            .is_some_and(|item| (1..=left).contains(&item.len))
        {
            let item = self.items.remove(0);
            left -= item.len;
            done.push(item);
        }
        self.cut = left;
        // Frames that no writer holds become ordinary data again, of the pongs only the latest,
        // unless a newer one came. A partly written frame or an HTTP response stays first.
        let first = self.items.first();
        let pinned = first.is_some_and(|item| self.cut > 0 || item.kind == Kind::Http);
        let later = self.pong.is_some() || self.pongs > 0;
        for item in std::mem::take(&mut self.items) {
            let first = self.items.is_empty() && pinned;
            match item.is {
                Is::Pong(payload) if item.taken && !first => {
                    if !later {
                        self.pong = Some(payload);
                    }
                }
                is => self.items.push(Item {
                    urgent: item.urgent && !item.taken,
                    taken: false,
                    is,
                    ..item
                }),
            }
        }
        self.items[usize::from(pinned)..].sort_by_key(|item| !item.urgent);
        done
    }

    /// Removes the matching frames that no writer holds and that are not partly written; returns
    /// the number of messages removed.
    pub fn remove(&mut self, mut goes: impl FnMut(&Item) -> bool) -> u64 {
        let (mut index, mut messages) = (0, 0);
        while let Some(item) = self.items.get(index) {
            let pinned = item.taken || (index == 0 && self.cut > 0);
            if !pinned && goes(item) {
                messages += u64::from(item.is_message());
                self.items.remove(index);
            } else {
                index += 1;
            }
        }
        messages
    }

    /// Discards everything that may be discarded.
    pub fn discard(&mut self) -> u64 {
        self.pong = None;
        self.pongs = 0;
        self.remove(|item| !item.survives())
    }
}
