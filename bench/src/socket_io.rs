//! Packets of Socket.IO 4 over a WebSocket, as a client sees them: protocol 5 of Socket.IO within
//! protocol 4 of Engine.IO.

/// The target of the upgrade, to which parameters may be added.
pub(crate) const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";
/// Enters the namespace; may be followed by an object.
pub(crate) const CONNECT: &str = "40";
/// The start of a message to a room, on its way to the server without an acknowledgement and on
/// its way from it.
pub(crate) const EVENT: &[u8] = br#"42["message","#;
/// The start of an acknowledgement, which its number follows.
pub(crate) const ACK: &str = "43";

/// Returns the answer to a packet of Engine.IO that asks for one.
pub(crate) fn answer_to(text: &[u8]) -> Option<&'static [u8]> {
    match text.first()? {
        b'0' => Some(CONNECT.as_bytes()),
        b'2' => Some(b"3"),
        _ => None,
    }
}
