//! Arbitrary text of a client: no panic, contents pass unchanged, and another parser can read
//! everything that is written.

use std::collections::BTreeMap;
use std::iter::empty;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;
use serde_json::value::RawValue;
use switchboard_core::protocol::{
    BadContent, Command, Content, ErrorCode, MAX_ECHO_BYTES, RequestId, ServerMessage, Timestamp,
    parse,
};
use switchboard_core::{
    Config, ConnectionId, Direct, Identity, Question, Request, Rooms, Switchboard, Time, WriteTurn,
};
use switchboard_kit::{Reader, Received};

use crate::heap::Heap;

/// Bytes that parsing may allocate for any text.
const CONSTANT: i64 = 1 << 10;

/// Fuzzes the protocol with one text message.
///
/// # Panics
///
/// Panics if an invariant is violated.
pub fn protocol(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return; // The decoder passes only UTF-8.
    };
    let mut heap = Heap::default();
    let parsed = heap.during(|| parse(text));
    heap.check(text.len(), CONSTANT);
    let tree = Tree::of(text);
    match &parsed {
        Ok(command) => understood(text, &tree, command),
        Err(rejected) => {
            assert!(matches!(
                rejected.code,
                ErrorCode::BadRequest | ErrorCode::UnknownType
            ));
            let id = rejected.id.as_ref().map(RequestId::as_json);
            assert!(id.is_none_or(|id| id.len() <= MAX_ECHO_BYTES && text.contains(id)));
            let answer = fields(&ServerMessage::from(rejected).to_json());
            assert_eq!(answer["type"], "\"error\"");
            assert_eq!(answer.get("id").map(String::as_str), id);
        }
    }
    content(text, &tree);
    Conversation::new().say(text, parsed.ok().as_ref());
}

/// The result of a parser that builds a tree.
enum Tree {
    Is(Value),
    IsNot,
    /// Contains a number that `f64` cannot represent, which we pass through.
    Unknown,
}

impl Tree {
    fn of(text: &str) -> Self {
        match serde_json::from_str(text) {
            Ok(tree) => Self::Is(tree),
            Err(error) if error.to_string().contains("number out of range") => Self::Unknown,
            Err(_) => Self::IsNot,
        }
    }
}

/// Returns the JSON text of each field of an object.
fn fields(text: &str) -> BTreeMap<String, String> {
    let raw: BTreeMap<String, &RawValue> = serde_json::from_str(text).expect("an object");
    raw.into_iter()
        .map(|(name, value)| (name, value.get().to_owned()))
        .collect()
}

/// Checks that a command contains what its text says, no more and no less.
fn understood(text: &str, tree: &Tree, command: &Command<'_>) {
    assert!(!matches!(tree, Tree::IsNot), "the tree parser refuses it");
    let (id, content) = match command {
        Command::Message { id, content, .. } | Command::Direct { id, content, .. } => {
            (id.as_ref(), Some(*content))
        }
        Command::Subscribe { id, .. }
        | Command::Unsubscribe { id, .. }
        | Command::Ping { id, .. }
        | Command::Auth { id, .. } => (id.as_ref(), None),
        Command::Call { id, .. } => (Some(id), None),
        Command::HealthPong { .. } => (None, None),
        other => panic!("unknown to the oracle: {other:?}"),
    };
    let given = fields(text);
    let written = |name: &str| given.get(name).map(String::as_str);
    if !matches!(command, Command::HealthPong { .. }) {
        let wanted = written("id").filter(|&json| json != "null");
        assert_eq!(id.map(RequestId::as_json), wanted);
    }
    if let Some(id) = id {
        assert!(id.as_json().len() <= MAX_ECHO_BYTES);
        let ack = fields(
            &ServerMessage::Ack {
                id,
                seq: 1,
                duplicate: true,
                local: true,
            }
            .to_json(),
        );
        assert_eq!(ack["id"], id.as_json());
    }
    if let Some(content) = content {
        assert_eq!(
            Some(content.as_json()),
            written("content"),
            "content is changed"
        );
        let inside = text
            .as_bytes()
            .as_ptr_range()
            .contains(&content.as_json().as_ptr());
        assert!(inside, "content is copied");
        let message = ServerMessage::Message {
            channel: "c",
            key: None,
            content,
            sender: None,
            seq: 1,
        };
        assert_eq!(fields(&message.to_json())["content"], content.as_json());
    }
    if let (Command::Ping { timestamp, .. }, Tree::Is(_)) = (command, tree) {
        assert_eq!(
            timestamp.as_ref().map(Timestamp::as_json),
            written("timestamp")
        );
    }
    let Tree::Is(tree) = tree else {
        return;
    };
    logged(tree, command);
    let Some(name) = name_in(command) else {
        return;
    };
    assert_eq!(tree[name.0].as_str(), Some(name.1));
}

/// Checks what a command says of its place in a room's log (positions, keys, and whether it has none), and its
/// parameters.
fn logged(tree: &Value, command: &Command<'_>) {
    let number = |value: &Value| value.as_u64();
    match command {
        Command::Subscribe { since, last, .. } => {
            let epoch = since.as_ref().map(|since| &*since.epoch);
            assert!(epoch.is_none_or(|epoch| epoch.len() <= MAX_ECHO_BYTES));
            assert_eq!(tree["since"]["epoch"].as_str(), epoch);
            assert_eq!(
                number(&tree["since"]["seq"]),
                since.as_ref().map(|it| it.seq)
            );
            assert_eq!(number(&tree["last"]), *last);
            assert!(since.is_none() || last.is_none());
        }
        Command::Call { params, .. } => {
            let given = tree.get("params").unwrap_or(&Value::Null);
            let read: Value = serde_json::from_str(params.as_json()).expect("JSON");
            assert_eq!(read, *given);
        }
        Command::Message {
            id,
            again,
            key,
            volatile,
            ..
        } => {
            assert_eq!(number(&tree["again"]), *again);
            assert!(again.is_none() || id.is_some());
            assert_eq!(tree["key"].as_str(), key.as_deref());
            assert_eq!(tree["volatile"] == true, *volatile);
            assert!(!volatile || (again.is_none() && key.is_none()));
        }
        _ => {}
    }
}

/// Returns the name in a command, and its field.
fn name_in<'a>(command: &'a Command<'_>) -> Option<(&'static str, &'a str)> {
    match command {
        Command::Subscribe { channel, .. } | Command::Unsubscribe { channel, .. } => {
            Some(("channel", channel))
        }
        Command::Message { channel, .. } => channel.as_deref().map(|channel| ("channel", channel)),
        Command::Direct { to, .. } => Some(("to", to)),
        Command::Call { method, .. } => Some(("method", method)),
        Command::Auth { token, .. } => Some(("token", token.reveal())),
        Command::Ping { .. } | Command::HealthPong { .. } => None,
        other => panic!("unknown to the oracle: {other:?}"),
    }
}

/// Checks the application's own content against the tree parser.
fn content(text: &str, tree: &Tree) {
    match (Content::parse(text), tree) {
        (Ok(content), _) => assert_eq!(
            content.as_json(),
            text.trim_matches([' ', '\t', '\n', '\r'])
        ),
        // A value by itself may be one level deeper than one inside a message.
        (Err(BadContent::TooDeep), _) | (Err(_), Tree::IsNot | Tree::Unknown) => {}
        (Err(bad), Tree::Is(_)) => panic!("refused, but the tree parser accepts it: {bad}"),
    }
}

/// Two clients in one room, one of which sends.
struct Conversation {
    board: Switchboard,
    speaker: ConnectionId,
    listener: ConnectionId,
}

const NOW: Time = Time::from_millis(1_000);

impl Conversation {
    fn new() -> Self {
        let config = Config {
            rooms: Rooms::Open,
            direct: Direct::Open,
            ..Config::default()
        };
        let mut board = Switchboard::new(config, 1, NOW).expect("a valid configuration");
        let [speaker, listener] = ["ann", "bob"].map(|user| enter(&mut board, user));
        let mut conversation = Self {
            board,
            speaker,
            listener,
        };
        conversation.written();
        conversation
    }

    fn say(&mut self, text: &str, command: Option<&Command<'_>>) {
        let (board, speaker) = (&mut self.board, self.speaker);
        assert_eq!(
            board.message(NOW, speaker, false, text.len(), Ok(())),
            Ok(true)
        );
        match board.command(NOW, speaker, parse(text)) {
            Ok(Some(Question::Token { .. })) => {
                let user = Ok(Identity::user("ann"));
                board
                    .authenticated(NOW, speaker, user, None)
                    .expect("a live connection");
            }
            Ok(Some(question)) => {
                board
                    .answer(NOW, speaker, question, Ok(()))
                    .expect("a live connection");
            }
            Ok(None) => {}
            Err(stale) => panic!("{stale}"),
        }
        assert_eq!(board.audit(), Ok(()));
        let written = self.written();
        for text in written.values().flatten() {
            assert!(fields(text).contains_key("type"));
        }
        let (content, numbered) = match command {
            Some(Command::Message {
                channel,
                content,
                volatile,
                key: None,
                // What is sent again to a room without a history is answered by an error.
                again: None,
                ..
            }) if matches!(channel.as_deref(), None | Some("r")) => (content, !volatile),
            Some(Command::Direct { to, content, .. }) if to == "bob" => (content, false),
            _ => return,
        };
        let [told] = &written[&self.listener][..] else {
            panic!("one message to the other: {written:?}");
        };
        let told = fields(told);
        assert_eq!(told["content"], content.as_json());
        assert_eq!(told["sender"], "\"ann\"");
        assert_eq!(told.contains_key("seq"), numbered);
    }

    /// Returns the texts written to each client.
    fn written(&mut self) -> BTreeMap<ConnectionId, Vec<String>> {
        let mut texts = BTreeMap::new();
        while self.board.poll_action().is_some() {}
        let mut turn = WriteTurn::default();
        while self.board.wants_write() {
            self.board.take_turn(&mut turn, 32);
            turn.write_each(|id, bytes| {
                let heard = Reader::new(false).read(bytes).expect("frames");
                let text = heard.into_iter().map(|heard| match heard {
                    Received::Text(text) => text,
                    other => panic!("not a text: {other:?}"),
                });
                texts.entry(id).or_insert_with(Vec::new).extend(text);
                bytes.len()
            });
            self.board.report(NOW, &mut turn);
        }
        texts
    }
}

fn enter(board: &mut Switchboard, user: &str) -> ConnectionId {
    let lobby = Some("r".to_owned());
    let request =
        Request::upgraded("/ws", lobby, empty::<(&str, &str)>()).expect("a valid request");
    let id = board
        .connect(NOW, IpAddr::V4(Ipv4Addr::LOCALHOST))
        .expect("a seat");
    board
        .upgraded(NOW, id, &request)
        .expect("a live connection");
    board
        .authenticated(NOW, id, Ok(Identity::user(user)), None)
        .expect("a live connection");
    id
}
