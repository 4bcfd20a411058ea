//! What the scripts need access rules to allow.

use std::collections::BTreeSet;

use switchboard_runtime::redis::{Names, Reply, Script};
use switchboard_tests::redis::Server;

use crate::client::Client;

/// The commands that a script calls: `call('NAME'`, or `{'NAME'` where the arguments are a table.
fn commands(script: Script) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in script.source().lines() {
        if line.trim_start().starts_with("--") {
            continue;
        }
        for before in ["call('", "{'", "try('"] {
            for rest in line.split(before).skip(1) {
                let name = rest.split('\'').next().unwrap_or_default();
                if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase()) {
                    found.insert(name.to_owned());
                }
            }
        }
    }
    found
}

fn all_commands() -> BTreeSet<String> {
    let others = Script::ALL.into_iter().filter(|it| *it != Script::Probe);
    others.flat_map(commands).collect()
}

#[test]
fn the_probe_tries_each_command_that_a_script_calls() {
    assert!(all_commands().len() > 10, "{:?}", all_commands());
    assert_eq!(commands(Script::Probe), all_commands());
}

fn probe(client: &mut Client, prefix: &str) -> Reply {
    let name = Names::new(prefix).probe();
    client.call(&["EVAL", Script::Probe.source(), "1", &name, &name])
}

fn log_in(server: &Server, rules: &[&str]) -> Client {
    let mut control = Client::connect(server.address);
    let mut rule = vec!["ACL", "SETUSER", "node", "reset", "on", ">secret"];
    rule.extend(rules);
    assert_eq!(control.call(&rule), Reply::Text(b"OK".to_vec()));
    let mut client = Client::connect(server.address);
    assert_eq!(
        client.call(&["AUTH", "node", "secret"]),
        Reply::Text(b"OK".to_vec())
    );
    client
}

#[test]
fn the_probe_names_each_command_that_access_rules_refuse_and_leaves_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let open = ["~sb1:*", "&sb1:*", "+eval", "+@all"];
    let mut free = log_in(&server, &open);
    assert_eq!(probe(&mut free, "sb1"), Reply::List(Vec::new()));
    for name in all_commands() {
        let mut rules = open.to_vec();
        let without = format!("-{}", name.to_lowercase());
        rules.push(&without);
        let refused = probe(&mut log_in(&server, &rules), "sb1");
        let Reply::List(names) = refused else {
            panic!("{refused:?}");
        };
        assert!(
            !names.is_empty()
                && names
                    .iter()
                    .all(|it| *it == Reply::Text(name.clone().into_bytes())),
            "without {name}: {names:?}"
        );
    }
    let mut elsewhere = log_in(&server, &["~sb1:*", "&x:*", "+@all"]);
    let refused = probe(&mut elsewhere, "sb1");
    assert_eq!(refused, Reply::List(vec![Reply::Text(b"PUBLISH".to_vec())]));
    let mut control = Client::connect(server.address);
    control.call(&["DEL", "sb1:probe"]);
    probe(&mut control, "sb1");
    assert_eq!(control.call(&["DBSIZE"]), Reply::Integer(0));
}
