//! The Rust client over TLS.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::app::Plain;
use super::guest::{Guest, hasty};
use super::server::Server;
use crate::rt::client::rustls::crypto::ring;
use crate::rt::client::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use crate::rt::client::rustls::{ClientConfig, RootCertStore, ServerConfig};
use crate::rt::client::{BadUrl, Client, Options, State};
use crate::rt::{self, Config, TlsAcceptor};

/// The TLS configurations for `localhost`; the client trusts only this certificate.
pub(super) fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key));
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server.expect("a certificate")), Arc::new(client))
}

/// Opens a TLS port of this server.
fn serve(server: &Server, config: Arc<ServerConfig>) -> u16 {
    let listener = server.runtime.run(rt::bind());
    let port = listener.local_addr().expect("an address").port();
    let hub = server.hub.clone();
    server.runtime.spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                hub.accept_stream(stream, IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new())
                    .expect("taken");
            }
        }
    });
    port
}

fn secure(config: &Arc<ClientConfig>) -> Options {
    Options {
        tls: Some(config.clone()),
        max_attempts: 2,
        ..hasty()
    }
}

#[test]
fn a_client_talks_over_tls() {
    let server = Server::start(Config::default(), Plain::default());
    let (ours, theirs) = tls();
    let port = serve(&server, ours);
    let url = format!("wss://localhost:{port}/ws?token=s3cr3t-ann");
    let ann = Guest::to(url, secure(&theirs));
    ann.enter("blue");
    let bob = Guest::of(server.address, "bob");
    bob.enter("blue");
    assert_eq!(ann.publish("blue", "sealed"), Ok(1));
    bob.until_texts(&["sealed"]);
    assert_eq!(bob.publish("blue", "open"), Ok(2));
    ann.until_texts(&["open"]);
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_talked_to() {
    let server = Server::start(Config::default(), Plain::default());
    let (ours, _) = tls();
    let (_, strange) = tls();
    let port = serve(&server, ours);
    let ann = Guest::to(format!("wss://localhost:{port}/ws"), secure(&strange));
    ann.until_state("it has given up", |state| match state {
        State::Stopped { last, .. } => last.as_ref().is_some_and(|last| last.code == 1006),
        _ => false,
    });
}

#[test]
fn without_a_configuration_wss_is_an_error() {
    let runtime = rt::Runtime::new(1);
    let connect =
        |url: &str| Client::connect_on(&runtime.executor(), url, Options::default()).map(|_| ());
    assert_eq!(connect("wss://localhost/ws"), Err(BadUrl::NoTls));
    for bad in [
        "",
        "localhost",
        "http://localhost/",
        "ws://",
        "ws:///x",
        "ws://a b/",
    ] {
        assert_eq!(connect(bad), Err(BadUrl::Syntax), "{bad}");
    }
}
