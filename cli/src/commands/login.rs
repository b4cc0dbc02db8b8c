//! `tidemill login` and `tidemill logout`: a token is tried at its coordinator, then kept for this person; or forgotten.

use crate::args::{LoginArgs, LogoutArgs};
use crate::asking;
use crate::client::Client;
use crate::credentials;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::output::tone::Tone;
use crate::plaintext::check_token_to;
use crate::session::Session;
use crate::settings::{Origin, Settings};
use crate::shutdown::Interrupts;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Read};

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
    let mut text = String::new();
    let stdin = std::io::stdin().lock();
    stdin
        .take(TOKEN_BYTES_MAX)
        .read_to_string(&mut text)
        .context(|| "cannot read the token")?;
    Ok(text.trim().to_owned())
}

/// Asks at the terminal; what is typed does not show.
async fn ask(session: &mut Session, url: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() || session.settings.no_input {
        return Err(Failure::new(Exit::Usage, "nobody can be asked for the token")
            .help("tidemill login URL --token-stdin < token.txt"));
    }
    let interrupts = Interrupts::listen()?;
    session.printer.talk(format_args!("Token for {url}: "));
    session.printer.flush();
    let silence = Silence::begin()?;
    let line = interrupts.first().run_until_cancelled(asking::typed_line()).await;
    drop(silence);
    session.printer.talk(format_args!("\n"));
    let line = line.ok_or_else(|| Failure::new(interrupts.exit(), "interrupted"))?;
    Ok(line?.trim().to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Self, Failure> {
        let before = tcgetattr(std::io::stdin()).context(|| "cannot ask the terminal how it is set")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent)
            .context(|| "cannot keep the terminal from showing the token")?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Where even this fails there is nobody to tell.
        tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0).ok();
    }
}
