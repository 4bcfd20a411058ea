//! What waits for one connection, as one plain list in the order of sending.

use std::sync::Arc;

/// What a frame must turn out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Is {
    /// An HTTP response with this status.
    Http(u16),
    /// A text message with this JSON; fields in any order.
    Json(String),
    /// A text message, byte for byte.
    Text(String),
    /// A ping; `None`: its payload is drawn by the system.
    Ping(Option<u64>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close frame.
    Close(Option<(u16, String)>),
    /// A `bye`, whose delay is drawn by the system.
    Bye,
}

/// How a frame is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ping or pong.
    Control,
    /// A message that is never dropped alone.
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
    /// Its bytes on the wire.
    pub len: usize,
    /// What it is.
    pub is: Is,
    /// How it is treated.
    pub kind: Kind,
    /// The life of the room that it comes from.
    pub room: Option<u64>,
    /// A writer holds it.
    pub taken: bool,
    /// It goes before data.
    pub urgent: bool,
    /// Shared by all copies of one frame.
    frame: Arc<()>,
    /// It is the ping of an interval.
    pub beat: bool,
}

impl Item {
    /// A frame that no room has sent.
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

    /// What tells copies of one frame from other frames. The pings of one moment are one frame, which
    /// the number in them tells.
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

/// The length of a server's frame around a payload (RFC 6455, section 5.2).
pub fn framed(payload: usize) -> usize {
    payload
        + match payload {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        }
}

/// Pongs that wait for one writer to come.
const PONGS: u8 = 32;

/// The list.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// In the order of sending.
    pub items: Vec<Item>,
    /// Bytes of the first that are out.
    pub cut: usize,
    /// The latest pong, where earlier ones are forgotten.
    pub pong: Option<Vec<u8>>,
    /// Pongs that have come since a writer came.
    pongs: u8,
}

impl Queue {
    /// Bytes that are not out.
    pub fn bytes(&self) -> usize {
        self.items.iter().map(|item| item.len).sum::<usize>() + self.pong_bytes() - self.cut
    }

    /// Bytes of the pong that waits apart.
    pub fn pong_bytes(&self) -> usize {
        self.pong
            .as_ref()
            .map_or(0, |payload| framed(payload.len()))
    }

    /// Messages that are not out.
    pub fn messages(&self) -> usize {
        self.items.iter().filter(|item| item.is_message()).count()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.pong.is_none()
    }

    /// Whether a frame may go out here that belongs to no queue.
    pub fn is_clean(&self) -> bool {
        self.cut == 0 && !self.items.iter().any(|item| item.kind == Kind::Http)
    }

    /// At the end, or before all data that no writer holds.
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

    /// A ping is answered: each of a burst, but only the latest while the socket takes nothing.
    pub fn answer(&mut self, payload: &[u8], blocked: bool) {
        if blocked || self.pongs >= PONGS {
            self.pong = Some(payload.to_vec());
        } else {
            self.pongs += 1;
            let is = Is::Pong(payload.to_vec());
            self.push(Item::new(framed(payload.len()), is, Kind::Control));
        }
    }

    /// A writer comes: the latest pong takes its place.
    pub fn settle_pong(&mut self) {
        self.pongs = 0;
        if let Some(payload) = self.pong.take() {
            let len = framed(payload.len());
            self.push(Item::new(len, Is::Pong(payload), Kind::Control));
        }
    }

    /// A writer has taken so many bytes; they must be whole frames, the rest of a cut one first.
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

    /// So many of the taken bytes are out; returns what is complete.
    pub fn wrote(&mut self, bytes: usize) -> Vec<Item> {
        let mut left = bytes + self.cut;
        let mut done = Vec::new();
        // A `bye` that nobody has taken has no length yet.
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
        // What nobody holds any more is data again, of the pongs among it the latest if none came
        // since; what is cut, or an answer by HTTP, stays first.
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

    /// Removes what `goes` names among what no writer holds and no byte of is out; returns the
    /// number of messages.
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

    /// Throws away all that may be thrown away.
    pub fn discard(&mut self) -> u64 {
        self.pong = None;
        self.pongs = 0;
        self.remove(|item| !item.survives())
    }
}
