//! A chat over TLS, whose certificate is replaced without a restart:
//! `cargo run --release --example tls --features tls -- 127.0.0.1:8443 certificate.pem key.pem`.
//! SIGHUP reads both files again, for new connections; the others go on.

use std::future::IntoFuture;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use switchboard_examples::tls::read;
use switchboard_tokio::tls::rustls::ServerConfig;
use switchboard_tokio::tls::rustls::server::{ClientHello, ResolvesServerCert};
use switchboard_tokio::tls::rustls::sign::CertifiedKey;
use switchboard_tokio::{Application, Config, Hub, PageResponse, Rooms, serve_tls};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

struct Chat;

impl Application for Chat {}

/// The configuration that was read last.
#[derive(Debug)]
struct Latest(RwLock<Arc<ServerConfig>>);

impl ResolvesServerCert for Latest {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let latest = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        latest.cert_resolver.resolve(hello)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(certificate), Some(key)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: tls ADDRESS CERTIFICATE KEY".into());
    };
    let (certificate, key) = (PathBuf::from(certificate), PathBuf::from(key));
    let first = Arc::new(read(&certificate, &key)?);
    let latest = Arc::new(Latest(RwLock::new(first.clone())));
    let mut tls = ServerConfig::clone(&first);
    tls.cert_resolver = latest.clone();

    let config = Config {
        rooms: Rooms::Open,
        ..Config::default()
    };
    let hub = Hub::new(config, Chat)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let serving = serve_tls(listener, tls, hub.clone()).with_pages(async |request| PageResponse {
        status: if request.path() == "/healthz" {
            200
        } else {
            404
        },
        content_type: "text/plain".into(),
        headers: Vec::new(),
        body: Vec::new(),
    });
    let serving = tokio::spawn(serving.into_future());

    let (mut reload, mut interrupt) = (
        signal(SignalKind::hangup())?,
        signal(SignalKind::interrupt())?,
    );
    loop {
        tokio::select! {
            _ = reload.recv() => match read(&certificate, &key) {
                Ok(read) => {
                    *latest.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
                    println!("the certificate was read again");
                }
                Err(error) => eprintln!("the old certificate stays in use: {error}"),
            },
            _ = interrupt.recv() => break,
        }
    }
    hub.drain(Duration::from_secs(2), Duration::from_secs(5))
        .await;
    serving.await??;
    Ok(())
}
