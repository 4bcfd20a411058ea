//! The deflater that a thread keeps, for calls that publish on it.

use std::cell::Cell;

use switchboard_core::cluster::Channel;
use switchboard_core::clustered::arriving;
use switchboard_core::{Deflater, Frame, RoomMessage, Twin};

use super::shared::Shared;

thread_local! {
    /// The deflater of this thread and its level, from the first message on.
    static DEFLATER: Cell<Option<(u8, Box<Deflater>)>> = const { Cell::new(None) };
}

impl Shared {
    /// Takes the thread's deflater, if some connection can inflate its output.
    pub(crate) fn take_deflater(&self) -> Option<Box<Deflater>> {
        let level = self.config.compression?.level;
        if !self.has_inflating() {
            return None;
        }
        Some(match DEFLATER.take() {
            Some((its, deflater)) if its == level => deflater,
            _ => Box::new(Deflater::new(level)),
        })
    }

    pub(crate) fn keep_deflater(&self, deflater: Box<Deflater>) {
        if let Some(compression) = self.config.compression {
            DEFLATER.set(Some((compression.level, deflater)));
        }
    }

    /// Compresses a message to a room, where the configuration says so.
    pub(crate) fn deflate(&self, message: &mut RoomMessage<'_>) {
        if self.config.compresses(message.room(), message.len())
            && let Some(mut deflater) = self.take_deflater()
        {
            message.deflate(&mut deflater);
            self.keep_deflater(deflater);
        }
    }

    /// Compresses a message to a room that arrived from the broker, where the configuration says so.
    #[cfg_attr(
        not(any(feature = "redis-tokio", feature = "redis-smol")),
        allow(dead_code, reason = "only an adapter calls it")
    )]
    pub(crate) fn deflate_arriving(
        &self,
        node: &str,
        channel: &Channel,
        payload: &[u8],
    ) -> Option<Twin> {
        if !self.has_inflating() {
            return None;
        }
        let mut message = arriving(&self.config, node, channel, payload)?;
        let mut deflater = self.take_deflater()?;
        message.deflate(&mut deflater);
        self.keep_deflater(deflater);
        message.into_twin()
    }

    /// Compresses a frame of the application, where the configuration says so.
    pub(crate) fn deflate_frame(&self, frame: Frame) -> Frame {
        if let Some(compression) = self.config.compression
            && frame.payload_len() >= compression.from_bytes
            && let Some(mut deflater) = self.take_deflater()
        {
            let frame = deflater.frame(frame);
            self.keep_deflater(deflater);
            return frame;
        }
        frame
    }
}
