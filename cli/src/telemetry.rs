//! The log of the process: on standard error, readable or as JSON lines, filtered as the settings say. Set up once.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Settings;
use std::io;
use tracing_subscriber::EnvFilter;

/// Starts the log. `usual` is the filter when nobody asked for another: daemons say more than verbs.
pub(crate) fn start(settings: &Settings, usual: &str) -> Result<(), Failure> {
    let wanted = match (&settings.log, settings.verbose) {
        (Some(filter), _) => filter.as_str(),
        (None, 0 | 1) => usual,
        (None, 2) => "info",
        (None, _) => "debug",
    };
    // lapin calls an answer like "no such queue" an error; what of it matters is said by the transport. Whoever names lapin wants to hear it.
    let quiet = if wanted.contains("lapin") {
        ""
    } else {
        "lapin=off,"
    };
    let filter = EnvFilter::try_new(format!("{quiet}{wanted}")).map_err(|error| {
        Failure::because(Exit::Usage, format!("`log` cannot be `{wanted}`"), &error)
            .help("write a filter such as `info` or `warn,tidemill_worker=debug`")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let outcome = if settings.log_is_json {
        builder.json().flatten_event(true).try_init()
    } else {
        let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        builder.with_ansi(colours).with_target(false).compact().try_init()
    };
    outcome.map_err(|error| Failure::new(Exit::Failure, "cannot start the log").cause(error.to_string()))
}
