//! JSON: nesting, escapes, many keys, long names.

use switchboard_core::protocol::{Content, parse};

use crate::heap::Heap;

const CONSTANT: i64 = 1 << 10;

/// Texts of about `bytes` bytes that are known to be expensive for parsers.
fn hostile(bytes: usize) -> Vec<String> {
    let part = |piece: &str, of: usize| piece.repeat(of / piece.len());
    vec![
        part("[", bytes),
        format!("{}{}", part("[", bytes / 2), part("]", bytes / 2)),
        format!(
            r#"{{"type":"message","content":{}{}}}"#,
            part("[", bytes / 2),
            part("]", bytes / 2)
        ),
        format!(r#"{{"type":"message","content":[{}1]}}"#, part("1,", bytes)),
        format!(
            r#"{{"type":"message",{}"content":1}}"#,
            part(r#""k":1,"#, bytes)
        ),
        format!(
            r#"{{"type":"subscribe","channel":"{}"}}"#,
            part("\\u0041", bytes)
        ),
        format!(r#"{{"type":"auth","token":"{}"}}"#, part("\\n", bytes)),
        format!(
            r#"{{"type":"direct","to":"{}","content":0}}"#,
            part("x", bytes)
        ),
        format!(r#"{{"type":"ping","timestamp":{}}}"#, part("9", bytes)),
        format!(r#"{{"type":"ping","id":"{}"}}"#, part("\\\\", bytes)),
        format!(r#"{{"{}":1}}"#, part("\\u0074", bytes)),
        part(r#"{"a":"#, bytes),
        format!("\"{}\"", part("\u{7f}", bytes)),
        format!("{{\"{}\":1}}", part("\u{7f}", bytes)),
        format!("{{\"type\":\"{}\"}}", part("\u{7f}", bytes)),
        part("7", bytes),
    ]
}

/// CVE-2023-32695, CVE-2020-36049, CVE-2026-32689 (J1, J2, J12): a tree is never built.
#[test]
fn parsing_takes_at_most_twice_the_text_and_a_number_of_blocks_that_does_not_grow() {
    for bytes in [100, 1_000, 65_536] {
        for text in hostile(bytes) {
            let mut heap = Heap::default();
            let _ = heap.during(|| parse(&text).is_ok());
            heap.check(text.len(), CONSTANT);
            heap.check_empty();
            assert!(
                heap.bytes() <= 4 * text.len() as u64 + 1_024,
                "{}",
                heap.bytes()
            );
            // One buffer that doubles, and no block per key, bracket or escape.
            assert!(
                heap.blocks() <= 24,
                "{} blocks for {:.60}",
                heap.blocks(),
                text
            );
            let mut heap = Heap::default();
            let _ = heap.during(|| Content::parse(&text).is_ok());
            heap.check(text.len(), CONSTANT);
        }
    }
}
