//! The forms of a frame: plain, and compressed for those who can inflate it.

use std::fmt;
use std::iter;
use std::sync::Arc;

use super::Frame;
use super::header::{FIN, HEADER_MAX, Opcode, RSV1, write_header};
use super::in_step::InContext;

/// A form of a frame: header and payload as sent on the wire, plain or compressed.
///
/// Cloning shares the bytes.
// The bytes are stored next to their reference count, so a form costs one allocation of its exact
// size. The price is one copy of a payload that was encoded elsewhere.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Form(Arc<[u8]>);

/// The forms that a frame has.
// As large as a form, so that frames cost nothing more where nobody compresses.
#[derive(Clone)]
pub(super) enum Forms {
    Plain(Form),
    More(Arc<More>),
}

const _: () = assert!(size_of::<Forms>() == size_of::<Form>());

#[derive(Clone)]
pub(super) struct More {
    pub(super) plain: Form,
    /// Compressed by itself.
    pub(super) deflated: Option<Form>,
    /// Compressed after other messages.
    pub(super) in_context: Option<InContext>,
    /// Whether it is not to be compressed.
    pub(super) sealed: bool,
}

/// What a connection can inflate: nothing, or messages of a length up to a window. No distance in a
/// message can be longer than the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window(u8);

impl Window {
    /// No compression.
    pub(crate) const NONE: Self = Self(0);
    /// As large as that of any compressor (RFC 1951, section 2).
    const BITS_MAX: u8 = 15;
    /// A flag: it is kept from message to message.
    const KEPT: u8 = 0x10;

    /// Creates a window of so many bits, or of any size.
    pub(crate) fn of_bits(bits: Option<u8>) -> Self {
        Self(bits.unwrap_or(Self::BITS_MAX))
    }

    /// Returns the same window, which the client keeps from message to message.
    pub(crate) const fn kept(self) -> Self {
        Self(self.0 | Self::KEPT)
    }

    /// Returns whether the client keeps it from message to message.
    #[inline]
    pub(crate) const fn is_kept(self) -> bool {
        self.0 & Self::KEPT != 0
    }

    /// Returns the window for what is compressed by itself and goes out whatever comes before it: none, where
    /// that would move a window that is kept.
    pub(crate) const fn by_itself(self) -> Self {
        if self.is_kept() { Self::NONE } else { self }
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn takes(self, payload: usize) -> bool {
        match self.0 & !Self::KEPT {
            0 => false,
            Self::BITS_MAX.. => true,
            bits => payload <= 1 << bits,
        }
    }
}

impl Form {
    pub(crate) fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes to send.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the size on the wire, header and payload, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether it is a compressed message.
    pub(crate) fn is_deflated(&self) -> bool {
        self.0
            .first()
            .is_some_and(|first| first & (FIN | RSV1) == FIN | RSV1)
    }

    /// Returns whether both share their bytes in memory.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Encodes a frame whose header begins with `first`, and whose payload is in parts.
    pub(super) fn encode<const N: usize>(first: u8, payload: [&[u8]; N]) -> Self {
        let mut room = [0; HEADER_MAX];
        let len = payload.iter().map(|part| part.len()).sum();
        let header = write_header(&mut room, first, len);
        // An exact-size iterator allocates once. Zeroing first is cheaper than chaining header and
        // payload byte by byte, or copying from a vector.
        let mut bytes: Arc<[u8]> = iter::repeat_n(0, header.len() + len).collect();
        let (head, mut rest) = Arc::make_mut(&mut bytes).split_at_mut(header.len());
        head.copy_from_slice(header);
        for part in payload {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
        Self(bytes)
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Form({} bytes)", self.len())
    }
}

impl Forms {
    #[inline]
    pub(super) fn plain(&self) -> &Form {
        match self {
            Self::Plain(plain) => plain,
            Self::More(more) => &more.plain,
        }
    }

    pub(super) fn deflated(&self) -> Option<&Form> {
        match self {
            Self::Plain(_) => None,
            Self::More(more) => more.deflated.as_ref(),
        }
    }

    /// Returns what there may be beside the plain form, for an addition to it.
    pub(super) fn into_more(self) -> More {
        match self {
            Self::Plain(plain) => More {
                plain,
                deflated: None,
                in_context: None,
                sealed: false,
            },
            Self::More(more) => Arc::unwrap_or_clone(more),
        }
    }
}

impl Frame {
    /// Creates a text message with a compressed form, whose payload is in two parts. That form is left
    /// out where it is not smaller.
    pub(crate) fn text_in_both_forms(payload: &str, deflated: [&[u8]; 2]) -> Self {
        Self::text(payload).with_deflated(deflated)
    }

    /// Returns this frame with a compressed form, whose payload is in two parts, if it is a message and
    /// that form is smaller.
    pub(crate) fn with_deflated(self, deflated: [&[u8]; 2]) -> Self {
        let Some(opcode @ (Opcode::Text | Opcode::Binary)) = self.opcode() else {
            return self;
        };
        if deflated[0].len() + deflated[1].len() >= self.payload_len() {
            return self;
        }
        let deflated = Form::encode(FIN | RSV1 | opcode as u8, deflated);
        Self(Forms::More(Arc::new(More {
            deflated: Some(deflated),
            ..self.0.into_more()
        })))
    }

    /// Returns this frame for those who are not to get it compressed, whatever they can inflate.
    pub(crate) fn sealed(self) -> Self {
        Self(Forms::More(Arc::new(More {
            sealed: true,
            ..self.0.into_more()
        })))
    }

    /// Returns the form that is for a connection which keeps no window.
    #[inline]
    pub(crate) fn form(&self, window: Window) -> &Form {
        match &self.0 {
            Forms::Plain(plain) => plain,
            Forms::More(more) => match &more.deflated {
                Some(deflated) if window.takes(self.payload_len()) => deflated,
                _ => &more.plain,
            },
        }
    }

    /// Returns whether not all connections get the same form of it.
    #[inline]
    pub(crate) fn has_forms(&self) -> bool {
        matches!(self.0, Forms::More(_))
    }

    /// Returns the form of which these are the last bytes of `len`, if there is one.
    pub(crate) fn form_of(&self, rest: &[u8], len: usize) -> Option<&Form> {
        let forms = [Some(self.0.plain()), self.0.deflated()];
        let mut forms = forms.into_iter().flatten();
        forms.find(|form| form.len() == len && form.as_bytes().ends_with(rest))
    }

    /// Returns the size on the wire of the compressed form, header and payload, in bytes, if it has one.
    pub fn deflated_len(&self) -> Option<usize> {
        self.0.deflated().map(Form::len)
    }

    /// Returns the bytes of memory of its forms.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        match &self.0 {
            Forms::Plain(plain) => plain.len(),
            Forms::More(more) => {
                let deflated = more.deflated.as_ref().map_or(0, Form::len);
                more.plain.len() + deflated + more.in_context.as_ref().map_or(0, InContext::len)
            }
        }
    }

    /// Returns whether both share their bytes in memory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self.0.deflated(), other.0.deflated()) {
            (None, None) => self.0.plain().is_same(other.0.plain()),
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        }
    }
}

impl From<Form> for Frame {
    fn from(form: Form) -> Self {
        Self(Forms::Plain(form))
    }
}
