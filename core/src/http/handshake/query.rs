//! Compact storage of query parameters.

use smallvec::SmallVec;

use super::percent::percent_decode;
use crate::BadRequest;

/// The maximum number of parameters in a query.
const PARAMETERS: usize = 100;

/// Decoded names and values, concatenated in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    text: String,
    /// The ends of each name and value. Most queries consist of a token only.
    ends: SmallVec<[(usize, usize); 1]>,
    token: Option<Place>,
}

/// The position of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    start: usize,
    end: usize,
    well_encoded: bool,
}

impl Query {
    /// Parses a query as browsers write it (`application/x-www-form-urlencoded`): `+` is a space, and
    /// invalid escapes are kept as they are. `token` is the name of the parameter with the token; the
    /// first one counts.
    pub(super) fn parse(raw: &str, token: Option<&str>) -> Result<Self, BadRequest> {
        let mut query = Self::default();
        query.text.reserve(raw.len());
        for parameter in raw.split('&').filter(|parameter| !parameter.is_empty()) {
            if query.len() == PARAMETERS {
                return Err(BadRequest::Syntax("the query has more than 100 parameters"));
            }
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let start = query.text.len();
            form_decode(&mut query.text, name);
            let name_end = query.text.len();
            let well_encoded = form_decode(&mut query.text, value);
            if query.token.is_none() && token == Some(&query.text[start..name_end]) {
                query.token = Some(Place {
                    start: name_end,
                    end: query.text.len(),
                    well_encoded,
                });
            }
            query.ends.push((name_end, query.text.len()));
        }
        Ok(query)
    }

    /// Creates a query of these decoded parameters, without a token.
    pub(crate) fn of<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        for (name, value) in parameters {
            query.text.push_str(name);
            let name_end = query.text.len();
            query.text.push_str(value);
            query.ends.push((name_end, query.text.len()));
        }
        query
    }

    /// Returns the token, if there is one; the inner value is `None` if its encoding is invalid.
    #[allow(
        clippy::option_option,
        reason = "an absent token differs from a malformed one"
    )]
    pub(super) fn token(&self) -> Option<Option<&str>> {
        let place = self.token?;
        Some(
            place
                .well_encoded
                .then(|| &self.text[place.start..place.end]),
        )
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, value_end)| {
            let name = &self.text[start..name_end];
            start = value_end;
            (name, &self.text[name_end..value_end])
        })
    }
}

/// Appends the decoded text and returns whether its encoding was valid.
fn form_decode(text: &mut String, raw: &str) -> bool {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        text.push_str(raw);
        return true;
    }
    let (bytes, whole) = percent_decode(raw, true);
    let decoded = String::from_utf8_lossy(&bytes);
    text.push_str(&decoded);
    whole && matches!(decoded, std::borrow::Cow::Borrowed(_))
}
