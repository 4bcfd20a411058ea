//! Client addresses, behind proxies and without.

mod requests;

use std::net::IpAddr;

use requests::{accepted, config, upgrade_with};
use switchboard_core::{IpKey, client_address};

/// Returns the client address of a request from `peer` with these `X-Forwarded-For` lines;
/// `10.0.0.0/8` and `fd00::/8` are trusted.
#[track_caller]
fn client(peer: &str, forwarded: &[&str]) -> String {
    let mut lines = String::new();
    for list in forwarded {
        lines.extend(["X-Forwarded-For: ", list, "\r\n"]);
    }
    let request = accepted(&config(), upgrade_with(&lines));
    let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
    client_address(peer.parse().unwrap(), &request, &trusted).to_string()
}

#[test]
fn from_an_untrusted_peer_the_header_is_ignored() {
    assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    assert_eq!(client("192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
    assert_eq!(client("2001:db8::1", &["198.51.100.7"]), "2001:db8::1");
    let request = accepted(&config(), upgrade_with("X-Forwarded-For: 198.51.100.7\r\n"));
    let peer: IpAddr = "10.0.0.1".parse().unwrap();
    assert_eq!(
        client_address(peer, &request, &[]),
        peer,
        "nobody is trusted by default"
    );
}

#[test]
fn from_a_trusted_peer_the_rightmost_untrusted_address_is_the_client() {
    assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
    assert_eq!(
        client("10.0.0.1", &["1.1.1.1, 198.51.100.7"]),
        "198.51.100.7",
        "forged"
    );
    assert_eq!(
        client("10.0.0.1", &["1.1.1.1, 198.51.100.7,10.2.3.4"]),
        "198.51.100.7"
    );
    assert_eq!(
        client("10.0.0.1", &["1.1.1.1", "198.51.100.7", "10.0.0.2"]),
        "198.51.100.7"
    );
    assert_eq!(
        client("10.0.0.1", &["198.51.100.7", "10.0.0.3, 10.0.0.2"]),
        "198.51.100.7"
    );
    assert_eq!(client("fd00::1", &["2001:db8::7, fd00::2"]), "2001:db8::7");
}

#[test]
fn without_an_untrusted_address_the_last_trusted_one_is_the_client() {
    assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
}

#[test]
fn an_entry_that_is_no_address_ends_the_search() {
    for junk in [
        "unknown",
        "",
        "_hidden",
        "1.2.3",
        "1.2.3.4.5",
        "for=1.2.3.4",
        "\"1.2.3.4\"",
        "[1.2.3.4]",
    ] {
        assert_eq!(
            client("10.0.0.1", &[&format!("1.1.1.1, {junk}")]),
            "10.0.0.1",
            "{junk}"
        );
        let list = format!("1.1.1.1, {junk}, 10.0.0.2");
        assert_eq!(client("10.0.0.1", &[&list]), "10.0.0.2", "{junk}");
    }
}

#[test]
fn an_entry_may_have_a_port_and_brackets() {
    for (entry, address) in [
        ("198.51.100.7:1234", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
    ] {
        assert_eq!(client("10.0.0.1", &[entry]), address);
    }
}

#[test]
fn an_entry_may_have_a_zone() {
    for (entry, address) in [
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("[fe80::1%eth0]", "fe80::1"),
        ("[fe80::1%eth0]:443", "fe80::1"),
        ("[fe80::1%1]:443", "fe80::1"),
    ] {
        assert_eq!(client("10.0.0.1", &[entry]), address, "{entry}");
    }
    assert_eq!(
        client("10.0.0.1", &["198.51.100.7, fd00::1%eth0"]),
        "198.51.100.7",
        "a zone does not affect trust"
    );
    for junk in [
        "fe80::1%",
        "198.51.100.7%eth0",
        "[fe80::1%eth0",
        "fe80::1%eth0]",
        "fe80::1%a b",
        "%eth0",
    ] {
        assert_eq!(client("10.0.0.1", &[junk]), "10.0.0.1", "{junk}");
    }
}

#[test]
fn a_mapped_address_is_an_ipv4_address() {
    assert_eq!(client("::ffff:192.0.2.1", &["1.1.1.1"]), "192.0.2.1");
    assert_eq!(
        client("::ffff:10.0.0.1", &["198.51.100.7, ::ffff:10.0.0.2"]),
        "198.51.100.7"
    );
    let request = accepted(&config(), upgrade_with("X-Forwarded-For: 198.51.100.7\r\n"));
    let mapped = ["::ffff:10.0.0.0/104".parse().unwrap()];
    let address = client_address("10.0.0.1".parse().unwrap(), &request, &mapped);
    assert_eq!(address.to_string(), "198.51.100.7");
}

#[test]
fn a_header_of_ten_thousand_entries_is_walked() {
    assert_eq!(
        client("10.0.0.1", &[&vec!["10.0.0.2"; 6_000].join(",")]),
        "10.0.0.2"
    );
}

#[test]
fn one_customer_has_one_key() {
    let key = |address: &str| IpKey::of(address.parse().unwrap());
    assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    assert_eq!(
        key("2001:db8:0:1::1"),
        key("2001:db8:0:1:ffff:ffff:ffff:ffff")
    );
    assert_ne!(key("2001:db8:0:1::1"), key("2001:db8:0:2::1"));
    assert_ne!(
        key("::192.0.2.1"),
        key("192.0.2.1"),
        "only mapped addresses are IPv4"
    );
    assert_eq!(key("192.0.2.1").to_string(), "192.0.2.1");
    assert_eq!(key("2001:db8:0:1::1").to_string(), "2001:db8:0:1::/64");
    assert!(size_of::<IpKey>() <= 16);
}
