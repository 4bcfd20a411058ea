//! Origin checks: the attacks of A4, and equivalent forms of one origin.

mod requests;

use requests::{accepted, config, upgrade_replacing};
use switchboard_core::{BadOrigin, Origins, Request};

/// Builds a request to this host with these `Origin` lines.
fn request(host: &str, origins: &[&str]) -> Request {
    let mut lines = format!("Host: {host}\r\n");
    for origin in origins {
        lines.extend(["Origin: ", origin, "\r\n"]);
    }
    accepted(&config(), upgrade_replacing("Host", &lines))
}

fn same(host: &str, origin: &str) -> bool {
    Origins::Same.allows(&request(host, &[origin]))
}

fn list(entries: &[&str]) -> Origins {
    Origins::List(entries.iter().map(ToString::to_string).collect())
}

/// Origins that are not `https://good.com`.
const FOREIGN: [&str; 10] = [
    "https://evil.com",
    "https://good.com.evil",
    "https://good.com.evil.com",
    "https://evilgood.com",
    "https://evil.good.com",
    "https://good.co",
    "https://good.com.",
    "https://good.com:444",
    "https://good.com:80",
    "https://good.com:4430",
];

/// Invalid origins.
const MALFORMED: [&str; 19] = [
    "null",
    "https://good.com:443:443",
    "https://good.com:+443",
    "https://good.com@evil.com",
    "https://evil.com@good.com",
    "https://good.com/",
    "https://good.com/path",
    "https://good.com#",
    "https://good.com?",
    "https://good.com\\",
    "https://good.com, https://good.com",
    "https://*.com",
    "*",
    "good.com",
    "//good.com",
    "https:good.com",
    "https://",
    "file://",
    "",
];

#[test]
fn a_request_without_an_origin_is_let_through() {
    for origins in [
        Origins::Same,
        Origins::Any,
        list(&["https://good.com"]),
        list(&[]),
    ] {
        assert!(origins.allows(&request("good.com", &[])));
    }
}

#[test]
fn a4_foreign_origins_are_refused() {
    let allowed = list(&["https://good.com"]);
    for origin in FOREIGN.iter().chain(&MALFORMED) {
        assert!(!same("good.com", origin), "{origin}");
        assert!(!allowed.allows(&request("other", &[origin])), "{origin}");
        assert!(
            Origins::Any.allows(&request("good.com", &[origin])),
            "{origin}"
        );
    }
}

#[test]
fn several_origins_are_refused() {
    let twice = request("good.com", &["https://good.com", "https://good.com"]);
    assert!(!Origins::Same.allows(&twice));
    assert!(!list(&["https://good.com"]).allows(&twice));
    assert!(Origins::Any.allows(&twice));
}

#[test]
fn the_same_origin_has_the_same_host_and_port() {
    assert!(same("good.com", "https://good.com"));
    assert!(
        same("good.com", "http://good.com"),
        "the scheme is not compared"
    );
    assert!(same("GOOD.com", "https://good.COM"));
    assert!(same("good.com", "HTTPS://good.com"));
    assert!(same("good.com:443", "https://good.com"));
    assert!(same("good.com", "https://good.com:443"));
    assert!(same("good.com:80", "http://good.com"));
    assert!(same("127.0.0.1:8080", "http://127.0.0.1:8080"));
    assert!(same("[::1]:8080", "http://[::1]:8080"));
    assert!(same("[::1]", "http://[::1]"));
    assert!(
        same("[fe80::1%25eth0]:80", "http://[fe80::1]"),
        "zones are ignored"
    );
    assert!(same("a:9", "app://a:9"), "any scheme with a port");

    assert!(!same("good.com:80", "https://good.com"));
    assert!(!same("good.com:8080", "http://good.com"));
    assert!(!same("good.com", "http://good.com:8080"));
    assert!(!same("127.0.0.1:8080", "http://localhost:8080"));
    assert!(!same("[::1]:8080", "http://[::2]:8080"));
    assert!(!same("[fe80::1%25eth0]", "http://[fe80::2]"));
    assert!(
        !same("abc", "chrome-extension://abc"),
        "no port on either side"
    );
}

#[test]
fn a_target_in_absolute_form_says_which_origin_is_the_same() {
    let request = |origin: &str| {
        let lines = format!("Host: proxy.example\r\nOrigin: {origin}\r\n");
        let text = upgrade_replacing("Host", &lines).replacen(" /ws", " http://good.com/ws", 1);
        accepted(&config(), text)
    };
    assert!(Origins::Same.allows(&request("http://good.com")));
    assert!(!Origins::Same.allows(&request("http://proxy.example")));
}

#[test]
fn over_http_2_the_authority_says_which_origin_is_the_same() {
    let allows = |target: &str, headers: &[(&str, &str)]| {
        let origin = [("origin", "https://good.com:8443")];
        let headers = origin.iter().chain(headers).copied();
        let request = Request::upgraded(target, None, headers).unwrap();
        Origins::Same.allows(&request)
    };
    assert!(allows("/ws", &[(":authority", "good.com:8443")]));
    assert!(allows("https://good.com:8443/ws", &[]));
    assert!(allows(
        "/ws",
        &[("host", "proxy"), (":authority", "good.com:8443")]
    ));
    assert!(!allows(
        "/ws",
        &[("host", "good.com:8443"), (":authority", "evil.com")]
    ));
    assert!(
        !allows("/ws", &[(":authority", "good.com")]),
        "another port"
    );
    assert!(!allows("/ws", &[(":authority", "")]));
    assert!(!allows("/ws", &[]));
    let twice = [(":authority", "good.com"), (":authority", "good.com")];
    assert_eq!(
        Request::upgraded("/ws", None, twice).unwrap_err().status(),
        400
    );
}

#[test]
fn a_name_with_a_colon_is_no_header_of_http_1() {
    let lines = "Host: evil.com\r\n:authority: good.com\r\nOrigin: http://good.com\r\n";
    let text = upgrade_replacing("Host", lines);
    assert_eq!(requests::status(&config(), text), 400);
}

#[test]
fn it_is_told_what_differs() {
    let same = |origins: &[&str]| Origins::Same.check_request(&request("good.com:8080", origins));
    assert_eq!(same(&["http://good.com:8080"]), Ok(()));
    assert_eq!(same(&["http://good.com"]), Err(BadOrigin::Port));
    assert_eq!(same(&["http://good.com:81"]), Err(BadOrigin::Port));
    assert_eq!(same(&["http://evil.com:8080"]), Err(BadOrigin::Host));
    assert_eq!(same(&["http://evil.com"]), Err(BadOrigin::Host));
    assert_eq!(same(&["null"]), Err(BadOrigin::Opaque));
    assert_eq!(same(&["good.com:8080"]), Err(BadOrigin::Opaque));
    let twice = ["http://good.com:8080", "http://good.com:8080"];
    assert_eq!(same(&twice), Err(BadOrigin::Several));
    let listed = list(&["https://good.com"]);
    let unlisted = listed.check_request(&request("a", &["http://good.com"]));
    assert_eq!(unlisted, Err(BadOrigin::Unlisted));
    // A proxy that drops the port.
    let stripped = Origins::Same.check_request(&request("good.com", &["http://good.com:8080"]));
    assert_eq!(stripped, Err(BadOrigin::Port));
}

#[test]
fn behind_a_trusted_proxy_the_forwarded_host_says_which_origin_is_the_same() {
    let host = |trusted: bool, lines: &str| {
        let lines = format!("Host: inner:8080\r\n{lines}Origin: https://good.com:8443\r\n");
        let mut request = accepted(&config(), upgrade_replacing("Host", &lines));
        request.set_behind_proxy(trusted);
        let host = request.host().unwrap().to_owned();
        assert_eq!(Origins::Same.allows(&request), host == "good.com:8443");
        assert_eq!(request.header("Host"), Some("inner:8080"), "unchanged");
        host
    };
    let forwarded = "X-Forwarded-Host: good.com:8443\r\n";
    assert_eq!(host(true, forwarded), "good.com:8443");
    assert_eq!(host(false, forwarded), "inner:8080", "clients can forge it");
    assert_eq!(host(true, ""), "inner:8080");
    for lines in [
        "x-forwarded-host: evil.com, good.com:8443\r\n",
        "X-Forwarded-Host: evil.com\r\nX-Forwarded-Host:good.com:8443\r\n",
        "X-Forwarded-Host: evil.com, good.com:8443 ,\r\n",
    ] {
        assert_eq!(
            host(true, lines),
            "good.com:8443",
            "the last is the proxy's own"
        );
    }
    for lines in [
        "X-Forwarded-Host:\r\n",
        "X-Forwarded-Host: good.com:8443, a/b\r\n",
        "X-Forwarded-Host: user@good.com\r\n",
    ] {
        assert_eq!(host(true, lines), "inner:8080", "{lines}");
    }
}

#[test]
fn a_list_compares_scheme_host_and_port() {
    let allowed = list(&["https://good.com", "http://localhost:3000", "app://abc"]);
    let allows = |origin| allowed.allows(&request("other:1", &[origin]));
    assert!(allows("https://good.com"));
    assert!(allows("https://GOOD.com:443"));
    assert!(allows("http://localhost:3000"));
    assert!(allows("app://abc"));
    assert!(!allows("http://good.com"));
    assert!(!allows("http://good.com:443"));
    assert!(!allows("wss://good.com"));
    assert!(!allows("http://localhost"));
    assert!(!allows("http://other:1"), "the own host is not implied");
}

#[test]
fn a_list_is_checked() {
    assert_eq!(Origins::Same.check(), Ok(()));
    assert_eq!(Origins::Any.check(), Ok(()));
    assert_eq!(
        list(&["https://good.com", "http://[::1]:80", "app://x"]).check(),
        Ok(())
    );
    assert_eq!(list(&FOREIGN).check(), Ok(()));
    for origin in MALFORMED {
        let bad = list(&["https://good.com", origin]).check().unwrap_err();
        assert!(bad.contains(&format!("`{origin}`")), "{bad}");
    }
}

#[test]
fn origins_are_read_from_a_configuration() {
    let read = |json| serde_json::from_str::<Origins>(json).unwrap();
    assert_eq!(read(r#""same""#), Origins::Same);
    assert_eq!(read(r#""any""#), Origins::Any);
    assert_eq!(read(r#"{"list":["https://a"]}"#), list(&["https://a"]));
    assert_eq!(Origins::default(), Origins::Same);
}
