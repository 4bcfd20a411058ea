//! Percent-decoding (RFC 3986, section 2.1).

/// Decodes once and returns whether all escapes were valid; invalid ones are kept as they are.
pub(super) fn percent_decode(raw: &str, plus_is_space: bool) -> (Vec<u8>, bool) {
    let raw = raw.as_bytes();
    let mut decoded = Vec::with_capacity(raw.len());
    let mut whole = true;
    let mut index = 0;
    while let Some(&byte) = raw.get(index) {
        index += 1;
        let digits = raw.get(index..index + 2).filter(|_| byte == b'%');
        decoded.push(match (byte, digits.and_then(hex_pair)) {
            (b'%', Some(byte)) => {
                index += 2;
                byte
            }
            (b'+', _) if plus_is_space => b' ',
            _ => {
                whole &= byte != b'%';
                byte
            }
        });
    }
    (decoded, whole)
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(digits[index]).to_digit(16);
    Some((digit(0)? << 4 | digit(1)?) as u8)
}
