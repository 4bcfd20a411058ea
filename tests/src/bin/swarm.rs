//! Runs ten thousand clients in virtual time: `swarm [SEED [CLIENTS]]` prints the counts.

use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| {
        let given = arguments.next();
        given.map_or(default, |text| text.parse().expect("a number"))
    };
    let (seed, clients) = (number(1), number(10_000) as usize);
    let begun = Instant::now();
    print!("{}", switchboard_tests::clients::run(seed, clients));
    println!("{:.1} s of real time", begun.elapsed().as_secs_f64());
}
