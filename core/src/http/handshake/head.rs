//! Splits a complete head into the request line and its fields.

use std::mem::MaybeUninit;

use super::headers::Headers;
use super::scan::FIELDS;
use crate::BadRequest;

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
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, BadRequest> {
        const ILLEGAL: BadRequest = BadRequest::Syntax("the head is not HTTP/1");
        // Uninitialised, because most heads have few fields.
        let mut fields = [MaybeUninit::uninit(); FIELDS];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, &mut fields) {
            Ok(httparse::Status::Complete(end)) if end == bytes.len() => {}
            _ => return Err(ILLEGAL),
        }
        let (Some(method), Some(target)) = (request.method, request.path) else {
            return Err(ILLEGAL);
        };
        let version = match request.version {
            Some(0) => Version::Http10,
            _ => Version::Http11,
        };
        let mut headers = Headers::with_capacity(request.headers.len(), bytes.len());
        for field in request.headers.iter() {
            headers.push(field.name, field.value);
        }
        Ok(Self {
            method,
            target,
            version,
            headers,
        })
    }
}
