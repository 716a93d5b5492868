//! The program `regalia`. What must not live here: anything but the start; commands are in [`cli`].

mod cli;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // Two TLS providers are linked easily; the choice is made before the first connection. Nothing ran before, so there is
    // no earlier choice that this could fail on.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::run().await
}
