//! Replays a recording of a node, and says why its connections ended.
//!
//! `cargo run -p switchboard-tests --bin replay -- DUMP [CONNECTION | USER]`

use std::io::Write;
use std::process::ExitCode;

use switchboard_tests::replay::{Question, answer, replay};

const USAGE: &str = "replay DUMP [CONNECTION | USER]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, question) = match arguments.as_slice() {
        [file] if !file.starts_with('-') => (file, Question::All),
        [file, word] => (file, Question::from(word.as_str())),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::from(2);
        }
    };
    match replay(&text) {
        Ok(outcome) => {
            // Whoever has read enough closes the pipe.
            let _ = std::io::stdout().write_all(answer(&outcome, &question).as_bytes());
            let unlike = outcome.replayed.is_some() && !outcome.is_alike();
            ExitCode::from(u8::from(unlike))
        }
        Err(failed) => {
            eprintln!("{file}: {failed}");
            ExitCode::from(2)
        }
    }
}
