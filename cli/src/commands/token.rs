//! `tidemill token …`: make, list and revoke the tokens of a coordinator.

use crate::args::{Caution, TokenCommand, TokenCreateArgs};
use crate::asking;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use crate::views;
use tidemill_protocol::access::{SubjectKind, TokenId};
use tidemill_protocol::api::{CreateTokenRequest, CreatedToken, TokenView};

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: TokenCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = match command {
        TokenCommand::Create(args) => create(session, &connection.client, args).await,
        TokenCommand::List => list(session, &connection.client).await,
        TokenCommand::Revoke(args) => revoke(session, &connection.client, &args.ids, args.caution).await,
    };
    connection.close().await?;
    outcome
}

async fn create(session: &mut Session, client: &Client, args: TokenCreateArgs) -> Result<Exit, Failure> {
    let kind = match args.team {
        Some(_) => SubjectKind::Team,
        None => SubjectKind::Person,
    };
    let subject = args.team.map(|team| team.to_string()).or(args.subject);
    let request = CreateTokenRequest {
        scope: args.scope,
        subject: subject.unwrap_or_else(|| session.settings.user.clone()),
        kind,
        project: args.project,
        expires_in: args.expires,
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
        let place = view.project.as_ref();
        let place = place.map_or_else(String::new, |project| format!(" in {project} only"));
        session.printer.note(format_args!(
            "token {} of {}, {}{place}, good {until}; it is shown this once",
            view.id,
            views::tokens::subject(view),
            view.scope
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

async fn revoke(
    session: &mut Session,
    client: &Client,
    ids: &[TokenId],
    caution: Caution,
) -> Result<Exit, Failure> {
    if caution.dry_run || (session.printer.can_ask() && !caution.yes) {
        let meant = meant(client, ids).await?;
        if caution.dry_run {
            for token in &meant {
                say(session, token, "would revoke")?;
            }
            return Ok(Exit::Good);
        }
        let names: Vec<String> = meant
            .iter()
            .map(|token| format!("{} of {} ({})", token.id, token.subject, token.scope))
            .collect();
        let question = format!("Revoke {}?", names.join(", "));
        asking::confirm(&mut session.printer, caution.yes, question).await?;
    }
    for id in ids {
        let revoked = client.revoke_token(id, &session.settings.user).await;
        let view = revoked.map_err(|failure| match failure.exit {
            Exit::NotFound if failure.help.is_empty() => failure.help("tidemill token list shows them"),
            _ => failure,
        })?;
        say(session, &view, "revoked")?;
    }
    Ok(Exit::Good)
}

/// The tokens with these ids.
async fn meant(client: &Client, ids: &[TokenId]) -> Result<Vec<TokenView>, Failure> {
    let tokens = client.tokens().await?;
    let find = |id: &TokenId| {
        let found = tokens.iter().find(|token| token.id == *id);
        found.cloned().ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no token `{id}`"))
                .code("not_found")
                .help("tidemill token list shows them")
        })
    };
    ids.iter().map(find).collect()
}

fn say(session: &mut Session, token: &TokenView, what: &str) -> Result<(), Failure> {
    session.printer.one(
        token,
        |token| token.id.to_string(),
        |printer, token| printer.line(format_args!("{what} {} of {}", token.id, token.subject)),
    )
}
