//! The forms of a frame: plain, and compressed for connections that can inflate it.

use std::sync::Arc;

use super::Frame;
use super::form::{Form, Window};
use super::header::{FIN, Opcode, RSV1};
use super::in_step::{InContext, Place};

/// The forms that a frame has.
// As large as a form, so that frames cost nothing extra without compression.
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

    /// Returns this frame for connections that must not get it compressed.
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

    /// Returns this text message with a form that was compressed after others, up to this place. `before` is
    /// the beginning of the context that the room had before.
    pub(crate) fn with_context(self, place: Place, before: Place, deflated: &[u8]) -> Self {
        let form = Form::encode(FIN | RSV1 | Opcode::Text as u8, [deflated]);
        self.in_context(InContext {
            place,
            before,
            form,
            by_itself: false,
        })
    }

    /// Returns this message as a context of its own, if it has a compressed form.
    pub(crate) fn into_context(self, place: Place, before: Place) -> Self {
        let Some(form) = self.0.deflated().cloned() else {
            return self;
        };
        self.in_context(InContext {
            place,
            before,
            form,
            by_itself: true,
        })
    }

    fn in_context(self, in_context: InContext) -> Self {
        Self(Forms::More(Arc::new(More {
            in_context: Some(in_context),
            ..self.0.into_more()
        })))
    }

    /// Returns the size on the wire of the form that was compressed after others, in bytes; 0 without one.
    pub(crate) fn context_len(&self) -> usize {
        match &self.0 {
            Forms::More(more) => more.in_context.as_ref().map_or(0, |it| it.form.len()),
            Forms::Plain(_) => 0,
        }
    }

    /// Returns whether it is not to be compressed.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(&self.0, Forms::More(more) if more.sealed)
    }

    /// Returns the form that is for a connection, and the place to which it leads, if it does.
    ///
    /// Nothing that is compressed but the messages of its room goes to a connection that is in a context.
    #[inline]
    pub(crate) fn form_at(&self, window: Window, place: Place) -> (&Form, Place) {
        match &self.0 {
            Forms::Plain(plain) => (plain, Place::NONE),
            Forms::More(more) if window.is_kept() => self.form_in_step(more, window, place),
            Forms::More(_) => (self.form(window), Place::NONE),
        }
    }

    fn form_in_step<'a>(
        &'a self,
        more: &'a More,
        window: Window,
        place: Place,
    ) -> (&'a Form, Place) {
        if let Some(in_context) = &more.in_context
            && in_context.follows(place)
            && window.takes(self.payload_len())
        {
            return (&in_context.form, in_context.place);
        }
        if place.is_none() {
            return (self.form(window), Place::NONE);
        }
        (&more.plain, Place::NONE)
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
