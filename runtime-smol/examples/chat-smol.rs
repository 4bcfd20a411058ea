//! A chat server. Run `cargo run --release --example chat-smol` and open <http://127.0.0.1:8080>.

use std::future::{IntoFuture, pending};
use std::process::exit;
use std::sync::Arc;
use std::thread;

use async_signal::{Signal, Signals};
use smol::net::TcpListener;
use smol::stream::StreamExt;
use switchboard_examples::chat::{Chat, Options, pages};
use switchboard_examples::{cannot_listen, fail, log};
use switchboard_smol::{Executor, Hub, serve};

fn main() -> std::io::Result<()> {
    let options = Options::from_flags();
    let executor = Arc::new(smol::Executor::new());
    for _ in 1..options.threads {
        let executor = executor.clone();
        thread::spawn(move || smol::block_on(executor.run(pending::<()>())));
    }
    smol::block_on(executor.run(run(options, executor.clone())))
}

async fn run(options: Options, executor: Arc<smol::Executor<'static>>) -> std::io::Result<()> {
    let tls = options.tls();
    let chat = Chat::new(&options);
    let hub = Hub::new(options.config(), chat.clone())
        .unwrap_or_else(|error| fail(error))
        .spawn_on(Executor::new(executor.clone(), options.threads));
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.unwrap_or_else(|error| cannot_listen(options.listen, &error));
    let mut signals = Signals::new([Signal::Int, Signal::Term])?;
    let api = options.start_api(&hub);
    options.announce(listener.local_addr()?, api);

    let pages = pages(hub.clone(), &chat, &options);
    let mut serving = serve(listener, hub.clone()).with_pages(pages);
    if let Some(tls) = tls {
        serving = serving.with_tls(tls);
    }
    let serving = executor.spawn(serving.into_future());
    let drainer = executor.clone();
    let ended = async move {
        signals.next().await;
        let (window, deadline) = (options.drain_window, options.drain_deadline());
        drainer
            .spawn(async move { hub.drain(window, deadline).await })
            .detach();
        signals.next().await;
        exit(1)
    };
    executor.spawn(ended).detach();
    let served = serving.await;
    log::flush();
    served.map(drop)
}
