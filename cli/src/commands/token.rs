//! `tidemill token …`: make, list and revoke the tokens of a coordinator.

use crate::args::{TokenCommand, TokenCreateArgs};
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use crate::views;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::api::{CreateTokenRequest, CreatedToken};

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: TokenCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = match command {
        TokenCommand::Create(args) => create(session, &connection.client, args).await,
        TokenCommand::List => list(session, &connection.client).await,
        TokenCommand::Revoke(args) => revoke(session, &connection.client, &args.ids).await,
    };
    connection.close().await?;
    outcome
}

async fn create(session: &mut Session, client: &Client, args: TokenCreateArgs) -> Result<Exit, Failure> {
    let length = |text: String| {
        humane::parse_length(&text).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("`{text}` is not a length of time"))
                .help("write it as 12h, 30d or 52w")
        })
    };
    let request = CreateTokenRequest {
        scope: args.scope,
        subject: args.subject.unwrap_or_else(|| session.settings.user.clone()),
        expires_in: args.expires.map(length).transpose()?,
        by: Some(session.settings.user.clone()),
    };
    let created = client.create_token(&request).await?;
    let token = |created: &CreatedToken| created.token.clone();
    session
        .printer
        .one(&created, token, |printer, created| printer.line(&created.token))?;
    if session.printer.is_for_people() {
        let view = &created.view;
        let until = view.expires_at.map_or_else(
            || "for ever".to_owned(),
            |end| format!("until {}", humane::local(end)),
        );
        session.printer.note(format_args!(
            "token {} of {}, {}, good {until}; it is shown this once",
            view.id, view.subject, view.scope
        ));
        session
            .printer
            .help("give it to `tidemill login URL`, or to programs as $TIDEMILL_TOKEN");
    }
    Ok(Exit::Good)
}

async fn list(session: &mut Session, client: &Client) -> Result<Exit, Failure> {
    let tokens = client.tokens().await?;
    if tokens.is_empty() && session.printer.is_for_people() {
        session.printer.note(
            "there are no tokens: programs on the coordinator's machine may do everything, others nothing",
        );
        session
            .printer
            .help("make the first one with `tidemill token create --scope admin`");
        return Ok(Exit::Good);
    }
    let columns = views::tokens::columns(session.now());
    session
        .printer
        .list(&tokens, &columns, |token| token.id.to_string())?;
    Ok(Exit::Good)
}

async fn revoke(session: &mut Session, client: &Client, ids: &[TokenId]) -> Result<Exit, Failure> {
    for id in ids {
        let view = client.revoke_token(id, &session.settings.user).await?;
        session.printer.one(
            &view,
            |view| view.id.to_string(),
            |printer, view| printer.line(format_args!("revoked {} of {}", view.id, view.subject)),
        )?;
    }
    Ok(Exit::Good)
}
