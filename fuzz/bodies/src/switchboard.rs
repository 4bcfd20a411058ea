//! Plays a script drawn from bytes against the switchboard and its model.

use std::collections::BTreeMap;

use arbitrary::Unstructured;
use switchboard_tests::driver::Driver;
use switchboard_tests::script::case_from;

/// The most steps of a script.
const STEPS: usize = 80;

/// Fuzzes the switchboard. The bytes are a script: its setup, then its steps.
///
/// # Panics
///
/// Panics if the switchboard and the model differ.
pub fn switchboard(bytes: &[u8]) {
    let Ok(case) = case_from(&mut Unstructured::new(bytes), STEPS) else {
        return;
    };
    if let Err(fault) = Driver::play(&case, &mut BTreeMap::new()) {
        panic!("{fault}\n{case:?}");
    }
}
