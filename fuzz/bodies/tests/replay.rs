//! Replays the committed seeds of each fuzz target on stable Rust.

use std::fs;
use std::path::PathBuf;

use switchboard_fuzz::TARGETS;

/// The most seeds per target, and the most bytes of all.
const SEEDS: usize = 64;
const BYTES: usize = 1 << 20;

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../seeds")
        .join(target);
    let files = fs::read_dir(&folder).expect("a folder of seeds");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a seed");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_seed_keeps_every_promise() {
    for (target, body) in TARGETS {
        let seeds = seeds(target);
        for (path, bytes) in &seeds {
            // A panic alone would not name the seed.
            let done = std::panic::catch_unwind(|| body(bytes));
            assert!(done.is_ok(), "{target} fails on {}", path.display());
        }
        println!("{target}: {} seeds", seeds.len());
    }
}

#[test]
fn no_input_at_all_keeps_every_promise() {
    for (_, body) in TARGETS {
        body(&[]);
        body(&[0; 64]);
        body(&[0xFF; 64]);
    }
}

#[test]
fn every_target_has_seeds_and_they_are_few_and_small() {
    let mut bytes = 0;
    for (target, _) in TARGETS {
        let seeds = seeds(target);
        assert!(
            (1..=SEEDS).contains(&seeds.len()),
            "{target}: {} seeds",
            seeds.len()
        );
        bytes += seeds.iter().map(|(_, seed)| seed.len()).sum::<usize>();
    }
    assert!(bytes <= BYTES, "{bytes} bytes of seeds");
}
