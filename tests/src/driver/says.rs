//! The messages that clients send.

use switchboard_core::ConnectionId;
use switchboard_core::protocol::parse;

use super::{Driver, ROOMS, room, user};
use crate::model::{Said, Wish, texts};
use crate::script::Message;

impl Driver {
    pub(super) fn text_of(
        &self,
        id: ConnectionId,
        message: Message,
        tag: Option<&str>,
    ) -> (String, Said) {
        let field = tag.map_or(String::new(), |tag| format!(r#","id":{tag}"#));
        let quote = texts::quote;
        match message {
            Message::Subscribe(number) => {
                let name = room(number);
                let wish = self.wish(name, usize::from(number) / ROOMS.len());
                let since = match &wish {
                    Wish::Rule => String::new(),
                    Wish::Since(epoch, seq) => {
                        format!(r#","since":{{"epoch":"{epoch}","seq":{seq}}}"#)
                    }
                };
                let text = format!(
                    r#"{{"type":"subscribe","channel":{}{since}{field}}}"#,
                    quote(name)
                );
                (text, Said::Subscribe(name.into(), wish))
            }
            Message::Unsubscribe(number) => {
                let name = room(number);
                let text = format!(
                    r#"{{"type":"unsubscribe","channel":{}{field}}}"#,
                    quote(name)
                );
                (text, Said::Unsubscribe(name.into()))
            }
            Message::Message {
                room: number,
                size,
                echo,
            } => {
                let (name, content) = (number.map(room), content(size));
                let channel = name.map_or(String::new(), |name| {
                    format!(r#","channel":{}"#, quote(name))
                });
                let text = format!(
                    r#"{{"type":"message","content":{content},"echo":{echo}{channel}{field}}}"#
                );
                (text, Said::Message(name.map(str::to_owned), content, echo))
            }
            Message::Direct { user: number, size } => {
                let (name, content) = (user(number), content(size));
                let text = format!(
                    r#"{{"type":"direct","to":{},"content":{content}{field}}}"#,
                    quote(name)
                );
                (text, Said::Direct(name.into(), content))
            }
            Message::Ping(stamp) => {
                let stamp = stamp.map(|stamp| stamp.to_string());
                let given = stamp
                    .as_ref()
                    .map_or(String::new(), |it| format!(r#","timestamp":{it}"#));
                (
                    format!(r#"{{"type":"ping"{given}{field}}}"#),
                    Said::Ping(stamp),
                )
            }
            Message::HealthPong(right) => {
                let known = self.sockets.get(&id).and_then(|socket| socket.pings.last());
                let number = known
                    .filter(|_| right)
                    .map_or(987_654, |&(number, _)| number);
                let text = format!(r#"{{"type":"health_pong","timestamp":{number}}}"#);
                (text, Said::HealthPong(Some(number)))
            }
            Message::Auth => (
                format!(r#"{{"type":"auth","token":"t"{field}}}"#),
                Said::Auth,
            ),
            Message::Garbage(choice) => garbage(choice, &field),
            Message::Call { size } => {
                let params = content(size);
                let text = format!(r#"{{"type":"call","method":"echo","params":{params}{field}}}"#);
                let said = match tag {
                    Some(_) => Said::Call("echo".into(), params),
                    None => rejected(&text),
                };
                (text, said)
            }
        }
    }
}

impl Driver {
    /// Returns from where on a client wants the messages of a room.
    fn wish(&self, name: &str, choice: usize) -> Wish {
        let Some(position) = self.sys.position(name) else {
            return Wish::Rule;
        };
        let (epoch, seq) = (position.epoch.to_string(), position.seq);
        match choice % 8 {
            1 => Wish::Since(epoch, seq),
            2 | 3 => Wish::Since(epoch, seq.saturating_sub(1)),
            4 => Wish::Since(epoch, seq.saturating_sub(3)),
            5 => Wish::Since(epoch, seq + 1),
            6 => Wish::Since("another".to_owned(), seq),
            _ => Wish::Rule,
        }
    }
}

/// Returns a text that is not understood. The model takes the error from the parser.
fn garbage(choice: u8, field: &str) -> (String, Said) {
    let text = match choice % 4 {
        0 => "hello".to_owned(),
        1 => format!(r#"{{"type":"dance"{field}}}"#),
        2 => format!(r#"{{"type":"subscribe"{field}}}"#),
        _ => format!(r#"{{"type":"message","channel":"lobby"{field}}}"#),
    };
    let said = rejected(&text);
    (text, said)
}

fn rejected(text: &str) -> Said {
    match parse(text) {
        Err(rejected) => Said::Rejected(
            rejected.code.as_str().to_owned(),
            rejected.message.to_owned(),
            rejected.channel.map(std::borrow::Cow::into_owned),
        ),
        Ok(_) => Said::Rejected(String::new(), String::new(), None),
    }
}

/// Returns JSON whose exact spelling must survive.
pub(super) fn content(size: u16) -> String {
    format!(r#"{{ "x": 1.0,"s":"{}"}}"#, "x".repeat(usize::from(size)))
}
