//! Compact storage of the header fields of one request.

/// Header fields in order.
///
/// Names and values are concatenated in one string, so a request of twenty fields costs two
/// allocations instead of forty. Invalid UTF-8 in values, which HTTP allows and no rule here reads,
/// is replaced by U+FFFD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    text: String,
    fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    /// The ends of the name and of the value in the text. The name begins at the end of the
    /// previous field.
    name_end: usize,
    value_end: usize,
    known: Option<Known>,
}

/// A field used by some rule. Names are classified once, on arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Authorization,
    Connection,
    ContentLength,
    Cookie,
    Host,
    LastEventId,
    Origin,
    TransferEncoding,
    Upgrade,
    WebSocketExtensions,
    WebSocketKey,
    WebSocketProtocol,
    WebSocketVersion,
    XForwardedFor,
    XForwardedHost,
}

impl Known {
    /// Classifies a name, ignoring case.
    fn of(name: &str) -> Option<Self> {
        // Length and first byte are unique, so one comparison suffices. The names are in the case that
        // most clients send, with which it is fast.
        let (known, its_name) = match (name.len(), name.as_bytes().first()?) {
            (4, _) => (Self::Host, "Host"),
            (6, b'c' | b'C') => (Self::Cookie, "Cookie"),
            (6, _) => (Self::Origin, "Origin"),
            (7, _) => (Self::Upgrade, "Upgrade"),
            (10, _) => (Self::Connection, "Connection"),
            (13, b'l' | b'L') => (Self::LastEventId, "Last-Event-ID"),
            (13, _) => (Self::Authorization, "Authorization"),
            (14, _) => (Self::ContentLength, "Content-Length"),
            (15, _) => (Self::XForwardedFor, "X-Forwarded-For"),
            (16, _) => (Self::XForwardedHost, "X-Forwarded-Host"),
            (17, b't' | b'T') => (Self::TransferEncoding, "Transfer-Encoding"),
            (17, _) => (Self::WebSocketKey, "Sec-WebSocket-Key"),
            (21, _) => (Self::WebSocketVersion, "Sec-WebSocket-Version"),
            (22, _) => (Self::WebSocketProtocol, "Sec-WebSocket-Protocol"),
            (24, _) => (Self::WebSocketExtensions, "Sec-WebSocket-Extensions"),
            _ => return None,
        };
        (name == its_name || name.eq_ignore_ascii_case(its_name)).then_some(known)
    }
}

impl Headers {
    pub(crate) fn with_capacity(fields: usize, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            fields: Vec::with_capacity(fields),
        }
    }

    /// Returns the size of all names and values.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        self.push_text(name, &String::from_utf8_lossy(value.trim_ascii()));
    }

    /// Like [`push`](Self::push), with a value that is text.
    pub(crate) fn push_text(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(value.trim_ascii());
        self.fields.push(Field {
            name_end,
            value_end: self.text.len(),
            known: Known::of(name),
        });
    }

    /// Replaces the value of `Host`, or adds one.
    pub(crate) fn set_host(&mut self, host: &str) {
        let is_host = |field: &Field| field.known == Some(Known::Host);
        let Some(index) = self.fields.iter().position(is_host) else {
            return self.push("Host", host.as_bytes());
        };
        let Field {
            name_end,
            value_end,
            ..
        } = self.fields[index];
        self.text.replace_range(name_end..value_end, host);
        let moved = |end: usize| end - value_end + name_end + host.len();
        self.fields[index].value_end = moved(value_end);
        for field in &mut self.fields[index + 1..] {
            field.name_end = moved(field.name_end);
            field.value_end = moved(field.value_end);
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        (0..self.fields.len()).map(|index| {
            let before = index.checked_sub(1).map(|before| self.fields[before]);
            let start = before.map_or(0, |before| before.value_end);
            let name = &self.text[start..self.fields[index].name_end];
            (name, self.value(self.fields[index]))
        })
    }

    fn value(&self, field: Field) -> &str {
        &self.text[field.name_end..field.value_end]
    }

    /// Iterates over the values of all fields of this name.
    pub(crate) fn all(&self, name: Known) -> impl DoubleEndedIterator<Item = &str> {
        let fields = self.fields.iter();
        fields
            .filter(move |field| field.known == Some(name))
            .map(|&field| self.value(field))
    }

    /// Returns the value of a field that is present exactly once.
    pub(crate) fn only(&self, name: Known) -> Option<&str> {
        let mut values = self.all(name);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// Returns whether the comma-separated list over all fields of this name contains `token`,
    /// ignoring case.
    pub(crate) fn list_has(&self, name: Known, token: &str) -> bool {
        let is_it = |element: &str| element.trim_ascii().eq_ignore_ascii_case(token);
        // Most lists have one element, which is found without a search for commas.
        self.all(name)
            .any(|list| is_it(list) || list.split(',').any(is_it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_in_any_case_and_only_by_its_whole_name() {
        let names = [
            ("Authorization", Known::Authorization),
            ("connection", Known::Connection),
            ("CONTENT-LENGTH", Known::ContentLength),
            ("Cookie", Known::Cookie),
            ("hOST", Known::Host),
            ("Last-event-ID", Known::LastEventId),
            ("Origin", Known::Origin),
            ("transfer-Encoding", Known::TransferEncoding),
            ("Upgrade", Known::Upgrade),
            ("sec-websocket-Extensions", Known::WebSocketExtensions),
            ("Sec-WebSocket-Key", Known::WebSocketKey),
            ("sec-websocket-protocol", Known::WebSocketProtocol),
            ("SEC-WEBSOCKET-VERSION", Known::WebSocketVersion),
            ("x-Forwarded-For", Known::XForwardedFor),
            ("X-forwarded-HOST", Known::XForwardedHost),
        ];
        for (name, known) in names {
            let (but_one, _) = name.split_at(name.len() - 1);
            assert_eq!(Known::of(name), Some(known));
            for other in [but_one, &format!("{but_one}_"), &format!("{name}s")] {
                assert_eq!(Known::of(other), None, "{other}");
            }
        }
        assert_eq!(Known::of(""), None);
    }
}
