//! Frame masking (RFC 6455, section 5.3).

/// Unmasks (or masks) `bytes`, starting with the first byte of `mask`.
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// Returns the mask rotated for the byte behind the first `taken`.
pub(super) const fn turned(mask: [u8; 4], taken: usize) -> [u8; 4] {
    let [a, b, c, d] = mask;
    match taken % 4 {
        0 => mask,
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmasking_in_two_parts_is_unmasking_byte_by_byte_at_every_length_and_cut() {
        let mask = [0x11, 0x22, 0x44, 0x88];
        for len in 0..40_usize {
            let masked: Vec<u8> = (0..len as u8).collect();
            let plain: Vec<u8> = (0..len as u8)
                .zip(mask.into_iter().cycle())
                .map(|(byte, key)| byte ^ key)
                .collect();
            for cut in 0..=len {
                let mut bytes = masked.clone();
                let (head, tail) = bytes.split_at_mut(cut);
                unmask(head, mask);
                unmask(tail, turned(mask, cut));
                assert_eq!(bytes, plain, "length {len}, cut at {cut}");
            }
        }
    }
}
