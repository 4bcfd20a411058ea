//! An echo server: `cargo run --release --example echo-smol`.

use smol::net::TcpListener;
use switchboard_examples::echo::{Echo, Options};
use switchboard_examples::{announce, cannot_listen, fail};
use switchboard_smol::{Hub, serve};

fn main() -> std::io::Result<()> {
    let options = Options::from_flags();
    smol::block_on(async {
        let hub = Hub::new(options.config(), Echo).unwrap_or_else(|error| fail(error));
        let listener = TcpListener::bind(options.listen).await;
        let listener = listener.unwrap_or_else(|error| cannot_listen(options.listen, &error));
        announce(listener.local_addr()?);
        serve(listener, hub).await?;
        Ok(())
    })
}
