//! Redis over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use switchboard_runtime::redis::adapter::Problem;
use switchboard_runtime::rustls::crypto::ring;
use switchboard_runtime::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use switchboard_runtime::rustls::{ClientConfig, RootCertStore, ServerConfig};
use switchboard_tests::redis::Server;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::node::{Node, config};
use crate::runtimes::{self, Host, on_both_runtimes};

on_both_runtimes!(
    a_node_talks_to_redis_over_tls,
    a_certificate_that_nobody_vouches_for_is_told,
);

/// TLS in front of a server, as `localhost`, and the roots that trust it.
struct Front {
    _host: runtimes::Tokio,
    port: u16,
    trusting: Arc<ClientConfig>,
}

impl Front {
    fn of(server: SocketAddr) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let certificate: CertificateDer<'static> = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let ours = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key))
            .expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(ours));
        let host = runtimes::Tokio::start();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        listener.set_nonblocking(true).expect("set");
        host.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("in a runtime");
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut near = acceptor.accept(stream).await?;
                    let mut far = TcpStream::connect(server).await?;
                    copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a root");
        Self {
            _host: host,
            port,
            trusting: client(roots),
        }
    }

    fn url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }
}

fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_root_certificates(roots);
    Arc::new(builder.with_no_client_auth())
}

fn a_node_talks_to_redis_over_tls<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::of(server.address);
    let mut config = config(&front.url(), "a");
    config.tls = Some(front.trusting.clone());
    let node = Node::<H>::start_with(config);
    let plain = Node::<H>::start(server.address, "b");
    node.until_live();
    plain.until_live();
    plain.publish("hello");
    node.until_message("hello");
    node.publish("you");
    plain.until_message("you");
}

fn a_certificate_that_nobody_vouches_for_is_told<H: Host>() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::of(server.address);
    let mut trusting = config(&front.url(), "a");
    trusting.tls = Some(client(RootCertStore::empty()));
    let node = Node::<H>::start_with(trusting);
    node.until("told", |it| {
        matches!(it.problems[..], [Problem::Tls(..), ..])
    });
    let without = Node::<H>::start_with(config(&front.url(), "b"));
    without.until("told", |it| matches!(it.problems[..], [Problem::NoTls, ..]));
    // A port that does not speak TLS says nothing at all.
    let mut plain = config(
        &format!("rediss://localhost:{}", server.address.port()),
        "c",
    );
    plain.tls = Some(front.trusting.clone());
    let plain = Node::<H>::start_with(plain);
    plain.until("given up", |it| it.attempts() > 1);
    plain.look(|it| assert_eq!(it.connects, 0));
}
