//! Nodes in processes of their own, over a real Redis, while it, their links and they themselves fail; and
//! what their clients' logs must say all the same. On both runtimes.
//!
//! Each test starts a server of its own, and is skipped where none is installed.

#[path = "../redis/control.rs"]
mod control;

mod cluster;
mod log;
mod member;
mod process;

mod links;
mod mixed;
mod nodes;
mod servers;
mod users;

/// Makes two tests of each function that takes a runtime's name.
macro_rules! on_both_runtimes {
    ($($test:ident),+ $(,)?) => {
        mod on_tokio {
            $(#[test] fn $test() { super::$test("tokio"); })+
        }
        mod on_smol {
            $(#[test] fn $test() { super::$test("smol"); })+
        }
    };
}

use on_both_runtimes;
