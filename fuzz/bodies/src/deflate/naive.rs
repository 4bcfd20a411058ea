//! A decoder of whole frames, written without regard to cost.

use switchboard_kit::ClientFrame;

/// The most bytes of a plain message.
pub(super) const BYTES: usize = 300;
/// The most bytes of a compressed one: 1/64 and 64 more.
const DEFLATED_BYTES: usize = 368;
/// The most fragments of a message.
pub(super) const FRAGMENTS: usize = 5;

/// What was received: the opcode, the fragments where it is compressed, and the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Plain(u8, Vec<u8>),
    Deflated(u8, usize, Vec<u8>),
}

/// How the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    Protocol,
    Utf8,
    TooBig,
    Policy,
}

struct Message {
    opcode: u8,
    deflated: bool,
    fragments: usize,
    payload: Vec<u8>,
}

pub(super) fn decode(accepting: bool, frames: &[ClientFrame]) -> (Vec<Seen>, Verdict) {
    let (mut seen, mut message) = (Vec::new(), None);
    for frame in frames {
        match take(accepting, frame, &mut message) {
            Ok(complete) => seen.extend(complete),
            Err(verdict) => return (seen, verdict),
        }
    }
    (seen, Verdict::Fine)
}

fn take(
    accepting: bool,
    frame: &ClientFrame,
    open: &mut Option<Message>,
) -> Result<Option<Seen>, Verdict> {
    let deflated = frame.rsv == 4 && accepting;
    if frame.rsv != 0 && !deflated {
        return Err(Verdict::Protocol);
    }
    if frame.opcode >= 8 {
        if deflated || !frame.fin || frame.payload.len() > 125 {
            return Err(Verdict::Protocol);
        }
        return Ok(Some(Seen::Plain(frame.opcode, frame.payload.clone())));
    }
    let mut message = match (frame.opcode, open.take()) {
        (0, Some(message)) if !deflated => message,
        (1 | 2, None) => Message {
            opcode: frame.opcode,
            deflated,
            fragments: 0,
            payload: Vec::new(),
        },
        _ => return Err(Verdict::Protocol),
    };
    message.fragments += 1;
    if message.fragments > FRAGMENTS {
        return Err(Verdict::Policy);
    }
    message.payload.extend(&frame.payload);
    let most = if message.deflated {
        DEFLATED_BYTES
    } else {
        BYTES
    };
    if message.payload.len() > most {
        return Err(Verdict::TooBig);
    }
    if message.opcode == 1 && !message.deflated {
        match str::from_utf8(&message.payload) {
            Err(error) if error.error_len().is_some() || frame.fin => return Err(Verdict::Utf8),
            _ => {}
        }
    }
    if !frame.fin {
        *open = Some(message);
        return Ok(None);
    }
    Ok(Some(if message.deflated {
        Seen::Deflated(message.opcode, message.fragments, message.payload)
    } else {
        Seen::Plain(message.opcode, message.payload)
    }))
}
