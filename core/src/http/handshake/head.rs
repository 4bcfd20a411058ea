//! Splits a complete head into the request line and its fields.

use super::headers::Headers;
use super::scan::Layout;
use crate::BadRequest;

/// The scanner lets no such head pass.
const ILLEGAL: BadRequest = BadRequest::Syntax("the head is not HTTP/1");

/// A head that the scanner accepted.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) version: Version,
    pub(super) headers: Headers,
}

/// The HTTP versions that the scanner accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

impl<'a> Head<'a> {
    /// Splits a head as the scanner has laid it out.
    pub(super) fn split(bytes: &'a [u8], layout: &Layout) -> Result<Self, BadRequest> {
        // Of a whole that is UTF-8, its parts are.
        let text = str::from_utf8(bytes).ok();
        let part = |start: usize, end: usize| match text {
            Some(text) => text.get(start..end),
            None => str::from_utf8(bytes.get(start..end)?).ok(),
        };
        let start = usize::from(layout.start);
        let method_end = usize::from(layout.method_end);
        let target_end = usize::from(layout.target_end);
        let method = part(start, method_end).ok_or(ILLEGAL)?;
        let target = part(method_end + 1, target_end).ok_or(ILLEGAL)?;
        let line_end = target_end + " HTTP/1.1".len();
        let version = match bytes.get(line_end - 1) {
            Some(b'0') => Version::Http10,
            _ => Version::Http11,
        };
        let mut headers = Headers::with_capacity(layout.fields.len(), bytes.len());
        let mut start = line_end + 2;
        for &(name_end, value_end) in &layout.fields {
            let (name_end, value_end) = (usize::from(name_end), usize::from(value_end));
            let name = part(start, name_end).ok_or(ILLEGAL)?;
            match text.and_then(|text| text.get(name_end + 1..value_end)) {
                Some(value) => headers.push_text(name, value),
                None => headers.push(name, &bytes[name_end + 1..value_end]),
            }
            start = value_end + 2;
        }
        Ok(Self {
            method,
            target,
            version,
            headers,
        })
    }
}
