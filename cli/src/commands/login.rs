//! `tidemill login` and `tidemill logout`: a token is tried at its coordinator, then kept for this person; or forgotten.

use crate::args::{LoginArgs, LogoutArgs};
use crate::client::Client;
use crate::credentials;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::hidden;
use crate::output::tone::Tone;
use crate::plaintext::check_token_to;
use crate::session::Session;
use crate::settings::{Origin, Settings};

/// Longest token that is read.
const TOKEN_BYTES_MAX: u64 = 1024;

/// Keeps a token for an address.
pub(super) async fn login(session: &mut Session, args: LoginArgs) -> Result<Exit, Failure> {
    let url = server(&session.settings, args.server)?;
    check_token_to(&url, session.settings.insecure_plaintext)?;
    let token = if args.token_stdin {
        from_stdin()?
    } else {
        ask(session, &url).await?
    };
    if token.is_empty() {
        return Err(Failure::new(Exit::Usage, "no token was given"));
    }
    let authorities = session.settings.api_ca.as_deref();
    let client = Client::http(&url, Origin::Argument("login".into()), Some(&token), authorities)?;
    let caller = client.whoami().await?;
    if caller.token.is_none() {
        session.printer.warn(format_args!(
            "{url} does not ask for tokens yet: nothing was checked and nothing kept"
        ));
        return Ok(Exit::Good);
    }
    credentials::keep(&session.settings, &url, Some(&token))?;
    session.printer.one(
        &caller,
        |caller| caller.subject.clone(),
        |printer, caller| {
            printer.line(format_args!(
                "{} logged in to {url} as {} ({})",
                Tone::Good.paint("✓"),
                caller.subject,
                caller.scope
            ))
        },
    )?;
    Ok(Exit::Good)
}

/// Forgets the token of an address.
pub(super) fn logout(session: &mut Session, args: LogoutArgs) -> Result<Exit, Failure> {
    let url = server(&session.settings, args.server)?;
    let forgotten = credentials::keep(&session.settings, &url, None)?;
    let outcome = serde_json::json!({"url": url, "forgotten": forgotten});
    session.printer.one(
        &outcome,
        |_| url.clone(),
        |printer, _| {
            printer.line(if forgotten {
                format!("the token for {url} is forgotten")
            } else {
                format!("there was no token for {url}")
            })
        },
    )?;
    Ok(Exit::Good)
}

fn server(settings: &Settings, given: Option<String>) -> Result<String, Failure> {
    let url = given.or_else(|| settings.url.clone());
    let url = url.map(|url| url.trim_end_matches('/').to_owned());
    url.ok_or_else(|| {
        Failure::new(Exit::Usage, "no coordinator was named").help("tidemill login https://HOST:7470")
    })
}

fn from_stdin() -> Result<String, Failure> {
    let bytes = hidden::from_stdin(TOKEN_BYTES_MAX).context(|| "cannot read the token")?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(Exit::Usage, "this is no token"))?;
    Ok(text.trim().to_owned())
}

/// Asks at the terminal; what is typed does not show.
async fn ask(session: &mut Session, url: &str) -> Result<String, Failure> {
    if !hidden::can_ask() || session.settings.no_input {
        return Err(Failure::new(Exit::Usage, "nobody can be asked for the token")
            .help("tidemill login URL --token-stdin < token.txt"));
    }
    let line = hidden::ask(session, &format!("Token for {url}"), TOKEN_BYTES_MAX).await?;
    Ok(line.trim().to_owned())
}
