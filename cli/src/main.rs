//! The binary `tidemill`: what was typed (`args`) becomes what is meant (`settings`), a verb (`commands`) does it, and the outcome becomes an exit
//! code. Read it in that order. The environment is read in `settings` only, and only `output` prints.

mod args;
mod asking;
mod client;
mod commands;
mod connection;
mod credentials;
mod embedded;
mod exit;
mod failure;
mod graph;
mod hidden;
mod loading;
mod output;
mod plaintext;
mod scheduling;
mod session;
mod settings;
mod shutdown;
mod state;
mod subject;
mod telemetry;
mod views;
mod watch;

use crate::args::Cli;
use clap::Parser;
use std::process::ExitCode;

/// Many small messages are made on one thread and dropped on another, which the system's own allocator pays for with locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Every TLS connection of the process uses ring; whoever makes the first one must find it chosen.
    let already_chosen = rustls::crypto::ring::default_provider().install_default();
    drop(already_chosen);
    match Cli::try_parse() {
        Ok(cli) => commands::run(cli).into(),
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // A closed pipe is the reader's choice, not a failure.
            drop(error.print());
            ExitCode::from(code)
        }
    }
}
