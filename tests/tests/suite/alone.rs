//! Tests that depend on process-wide state run again in a separate process.

use std::env;
use std::process::Command;

const ALONE: &str = "SWITCHBOARD_ALONE";

/// Runs this test in a separate process, started with the shell prefix `limits`; there, runs
/// `body`.
pub(super) fn alone(test: &str, limits: &str, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let (_, test) = test.split_once("::").expect("a crate");
    let output = Command::new("sh")
        .args([
            "-c",
            &format!(r#"{limits} exec "$0" --exact "$1" --nocapture"#),
        ])
        .arg(env::current_exe().expect("a path"))
        .arg(test)
        .env(ALONE, "yes")
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{output:?}"
    );
}
