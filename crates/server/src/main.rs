//! The program `regalia`. What must not live here: anything but the start; commands are in [`cli`].

// For the compiler alone: the futures of all mutations are one in another in an optimized build, deeper than its default.
#![recursion_limit = "256"]

mod cli;

use std::process::ExitCode;

/// Stack of a worker, in bytes: reserved, not used. Parsers descend with their input; limits stand before them, this behind.
const STACK: usize = 16 * 1024 * 1024;

fn main() -> ExitCode {
    // Two TLS providers are linked easily; the choice is made before the first connection. Nothing ran before, so there is
    // no earlier choice that this could fail on.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build() {
        Ok(runtime) => runtime.block_on(cli::run()),
        Err(error) => {
            eprintln!("The process can't start its threads: {error}");
            ExitCode::FAILURE
        }
    }
}
