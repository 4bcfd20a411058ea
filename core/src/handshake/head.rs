//! A complete head, taken apart.

use std::mem::MaybeUninit;

use super::headers::Headers;
use super::scan::FIELDS;
use crate::BadRequest;

/// The request line and the fields of a head that the scanner let through.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) version: Version,
    pub(super) headers: Headers,
}

/// The versions of HTTP that the scanner lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

impl<'a> Head<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, BadRequest> {
        const ILLEGAL: BadRequest = BadRequest::Syntax("the head is not HTTP/1");
        // Most heads have few fields: the room for the others is left as it is.
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
