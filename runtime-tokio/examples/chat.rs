//! A chat server. Run `cargo run --release --example chat` and open <http://127.0.0.1:8080>.

use std::future::IntoFuture;
use std::process::exit;

use switchboard_examples::chat::{Chat, Options, pages};
use switchboard_examples::{cannot_listen, fail, log};
use switchboard_tokio::{Hub, serve};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> std::io::Result<()> {
    let options = Options::from_flags();
    runtime(options.threads)?.block_on(run(options))
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build(),
    }
}

async fn run(options: Options) -> std::io::Result<()> {
    let tls = options.tls();
    let chat = Chat::new(&options);
    let hub = Hub::new(options.config(), chat.clone()).unwrap_or_else(|error| fail(error));
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.unwrap_or_else(|error| cannot_listen(options.listen, &error));
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let api = options.start_api(&hub);
    options.announce(listener.local_addr()?, api);

    let pages = pages(hub.clone(), &chat, &options);
    let mut serving = serve(listener, hub.clone()).with_pages(pages);
    if let Some(tls) = tls {
        serving = serving.with_tls(tls);
    }
    let serving = tokio::spawn(serving.into_future());
    tokio::spawn(async move {
        let mut signalled = async || {
            tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
        };
        signalled().await;
        let (window, deadline) = (options.drain_window, options.drain_deadline());
        tokio::spawn(async move { hub.drain(window, deadline).await });
        signalled().await;
        exit(1)
    });
    let served = serving.await.map_err(std::io::Error::other)?;
    log::flush();
    served.map(drop)
}
