//! The golden record: hashes over everything that happens in the simulation, for some seeds.
//!
//! A change of the structure leaves it as it is. A change of behaviour changes it: then the record is
//! written anew by `SWITCHBOARD_ACCEPT=yes cargo test -p switchboard-tests --test golden`, and the
//! commit says what changed.

use std::fmt::Write as _;
use std::{env, fs};

use switchboard_tests::simulation::{KEEPING, run};

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/simulation.txt");

#[test]
fn the_traces_of_some_seeds_are_those_on_record() {
    let mut traces = String::from("# seed, events, hash of the trace\n");
    let keeping = KEEPING + 300_000..KEEPING + 300_006;
    for seed in (300_000..300_012).chain(keeping) {
        let report = run(seed);
        assert!(report.broken.is_none(), "seed {seed}: {:?}", report.broken);
        writeln!(
            traces,
            "{seed} {} {:016x}",
            report.tally.events, report.trace
        )
        .expect("a string takes everything");
    }
    if env::var_os("SWITCHBOARD_ACCEPT").is_some() {
        fs::write(RECORD, &traces).expect("the record can be written");
    }
    let record = fs::read_to_string(RECORD).unwrap_or_default();
    let differences: Vec<_> = record
        .lines()
        .zip(traces.lines())
        .filter(|(recorded, found)| recorded != found)
        .collect();
    assert!(
        record == traces,
        "the simulation does something else than on record (on record, now): {differences:#?}\n\
         If that is meant, write the record anew with SWITCHBOARD_ACCEPT=yes and say in the commit \
         what changed"
    );
}
