//! An echo server: `cargo run --release --example echo`.

use switchboard_examples::echo::{Echo, Options};
use switchboard_examples::{announce, cannot_listen, fail};
use switchboard_tokio::{Hub, serve};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let options = Options::from_flags();
    let hub = Hub::new(options.config(), Echo).unwrap_or_else(|error| fail(error));
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.unwrap_or_else(|error| cannot_listen(options.listen, &error));
    announce(listener.local_addr()?);
    serve(listener, hub).await?;
    Ok(())
}
