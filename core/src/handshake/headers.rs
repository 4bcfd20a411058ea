//! The header fields of one request, in two allocations.

/// Header fields in the order they came.
///
/// All names and values lie behind each other in one string, so that a request of twenty fields
/// costs two allocations and not forty. A value that is not UTF-8 keeps what is, and has U+FFFD
/// for the rest: HTTP allows such bytes, and no rule here reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    text: String,
    /// Where the name and where the value of each field ends in `text`.
    ends: Vec<(usize, usize)>,
    /// One bit per length of a name, from 64 on they share: most of the fields that are asked for are
    /// not there, and this says so at once.
    lengths: u64,
}

impl Headers {
    pub(crate) fn with_capacity(fields: usize, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(fields),
            lengths: 0,
        }
    }

    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        self.text.push_str(name);
        let name_end = self.text.len();
        let value = value.trim_ascii();
        match std::str::from_utf8(value) {
            Ok(value) => self.text.push_str(value),
            Err(_) => self.text.push_str(&String::from_utf8_lossy(value)),
        }
        self.ends.push((name_end, self.text.len()));
        self.lengths |= length_bit(name);
    }

    /// Where a field begins, and where its name and its value end.
    fn field(&self, index: usize) -> (usize, usize, usize) {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].1);
        let (name_end, value_end) = self.ends[index];
        (start, name_end, value_end)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        (0..self.ends.len()).map(|index| {
            let (start, name_end, value_end) = self.field(index);
            (&self.text[start..name_end], &self.text[name_end..value_end])
        })
    }

    /// The values of every field of this name, whatever its case.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
        let none = self.lengths & length_bit(name) == 0;
        let fields = if none { 0 } else { self.ends.len() };
        (0..fields).filter_map(move |index| {
            let (start, name_end, value_end) = self.field(index);
            let same = name_end - start == name.len()
                && self.text.as_bytes()[start..name_end].eq_ignore_ascii_case(name.as_bytes());
            same.then(|| &self.text[name_end..value_end])
        })
    }

    /// The value of a field that must be there exactly once.
    pub(crate) fn only<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.all(name);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// Whether a comma-separated list over all fields of this name has `token`, whatever its case.
    pub(crate) fn list_has(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(|list| list.split(','))
            .any(|element| element.trim_ascii().eq_ignore_ascii_case(token))
    }
}

const fn length_bit(name: &str) -> u64 {
    1 << (name.len() % 64)
}
