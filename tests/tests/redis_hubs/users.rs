//! Limits that count over all nodes, while links fail.

use std::time::{Duration, Instant};

use crate::cluster::{Cluster, lasts};
use crate::member::Member;
use crate::on_both_runtimes;
use crate::process::{HALL, SEATS};

on_both_runtimes!(
    of_logins_at_once_on_three_nodes_one_stays,
    no_more_are_in_a_room_than_it_has_seats,
);

const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never {what}");
        lasts(Duration::from_millis(5));
    }
}

fn of_logins_at_once_on_three_nodes_one_stays(runtime: &'static str) {
    let Some(cluster) = Cluster::start(runtime) else {
        return;
    };
    let mut all: Vec<Member> = Vec::new();
    for round in 0..6 {
        cluster.links[round % 3].cut();
        let addresses = cluster.addresses.lock().expect("no member has panicked");
        all.extend(addresses.iter().map(|node| Member::visit("ann", *node)));
        drop(addresses);
        let stay = || all.iter().filter(|it| !it.look().is_gone).count();
        until("one stays", || stay() == 1);
        cluster.flows();
        assert_eq!(stay(), 1, "round {round}");
    }
    let one = all.iter().find(|it| !it.look().is_gone);
    assert!(one.is_some_and(|it| it.look().is_in));
    for hub in all {
        drop(hub.stop());
    }
    cluster.check();
}

fn no_more_are_in_a_room_than_it_has_seats(runtime: &'static str) {
    let Some(mut cluster) = Cluster::start(runtime) else {
        return;
    };
    let mut all: Vec<_> = (0..8)
        .map(|at| Member::start_in(HALL, &format!("h{at}"), &cluster.addresses, at))
        .collect();
    let seats = SEATS as usize;
    let are_in = |all: &[Member]| all.iter().filter(|it| it.look().is_in).count();
    let look = |all: &[Member]| {
        let count = are_in(all);
        assert!(count <= seats, "{count} are in");
        count == seats
    };
    until("all seats are taken", || look(&all));
    for round in 0..4 {
        cluster.links[round % 3].cut();
        let at = all.iter().position(|it| it.look().is_in);
        all.remove(at.expect("somebody is in")).stop();
        until("the seat is taken", || look(&all));
    }
    // Everybody is in who is left. With a node go its seats.
    let (nodes, names) = (cluster.addresses.clone(), ["h8", "h9", "h10", "h11"]);
    all.extend(names.map(|name| Member::start_in(HALL, name, &nodes, 0)));
    cluster.nodes[0].kill();
    until("all seats are taken", || look(&all));
    cluster.start_node(0);
    cluster.flows();
    until("all seats are taken", || look(&all));
    for hub in all {
        drop(hub.stop());
    }
    cluster.check();
}
