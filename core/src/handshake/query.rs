//! The parameters of a query, in one string.

use smallvec::SmallVec;

use super::target::percent_decode;
use crate::BadRequest;

/// The most parameters in a query.
const PARAMETERS: usize = 100;

/// Names and values in their order, decoded, behind each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    text: String,
    /// Where the name and where the value of each ends. Most queries are a token.
    ends: SmallVec<[(usize, usize); 1]>,
    token: Option<Place>,
}

/// Where the token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    start: usize,
    end: usize,
    well_encoded: bool,
}

impl Query {
    /// Reads a query as browsers write it (`application/x-www-form-urlencoded`): `+` is a space, a
    /// broken encoding stays as it is. The first parameter called `token` is that, if a name is given.
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

    /// The token, if there is one; it in turn is `None` where it is not encoded well.
    #[allow(clippy::option_option, reason = "no token, or one that cannot be read")]
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

/// Appends the text, and says whether all of it was encoded well.
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
