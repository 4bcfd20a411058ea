//! How a session decodes its input.

use std::fmt;
use std::sync::Arc;

use crate::{Decoder, DecoderLimits, Handshake, HandshakeConfig, Limits, Request};

/// How incoming bytes are decoded.
pub(super) enum Input {
    Head(Box<Handshake>),
    /// A decoder is kept only within a message; otherwise a new one does as well.
    Frames(Option<Box<Decoder>>),
    /// Of an event stream: nothing is read, messages are posted.
    Posts,
    /// The body of a post.
    Body(Box<Body>),
    Nothing,
}

/// The body of a post that is being read.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) request: Request,
    pub(super) length: usize,
    pub(super) bytes: Vec<u8>,
}

impl Input {
    /// Returns whether messages of an admitted client come in.
    pub(super) const fn takes_messages(&self) -> bool {
        matches!(self, Self::Frames(_) | Self::Posts)
    }

    pub(super) fn head(config: Arc<HandshakeConfig>) -> Self {
        Self::Head(Box::new(Handshake::new(config)))
    }

    pub(super) fn expect_frames(&mut self) {
        if !matches!(self, Self::Frames(_) | Self::Posts) {
            *self = Self::Frames(None);
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head(_) => "Head",
            Self::Frames(_) => "Frames",
            Self::Posts => "Posts",
            Self::Body(_) => "Body",
            Self::Nothing => "Nothing",
        })
    }
}

/// Creates a decoder for a stream between two messages.
pub(super) fn new_decoder(limits: &Limits, deflate: bool) -> Decoder {
    let limits = DecoderLimits {
        message_bytes: limits.message_bytes,
        fragments: limits.fragments,
    };
    Decoder::new(limits).accepting_deflate(deflate)
}
