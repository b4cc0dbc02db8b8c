//! `tidemill worker token …`, `quarantine`, `release` and `remove`: who may be a worker, and whose work counts.

use super::{Instruction, done, rehearse};
use crate::args::{Caution, JoinTokenCommand, JoinTokenCreateArgs, QuarantineArgs};
use crate::asking;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use crate::views;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::api::{CreateJoinTokenRequest, CreatedJoinToken, QuarantineRequest};

/// Does what was asked about join tokens.
pub(super) async fn token(session: &mut Session, command: JoinTokenCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = match command {
        JoinTokenCommand::Create(args) => create(session, &connection.client, args).await,
        JoinTokenCommand::List => list(session, &connection.client).await,
        JoinTokenCommand::Revoke(args) => revoke(session, &connection.client, &args.ids).await,
    };
    connection.close().await?;
    outcome
}

async fn create(session: &mut Session, client: &Client, args: JoinTokenCreateArgs) -> Result<Exit, Failure> {
    let length = |text: String| {
        humane::parse_length(&text).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("`{text}` is not a length of time"))
                .help("write it as 10m, 1h or 7d")
        })
    };
    let request = CreateJoinTokenRequest {
        targets: args.compute,
        class: args.class,
        expires_in: args.expires.map(length).transpose()?,
        by: Some(session.settings.user.clone()),
    };
    let created = client.create_join_token(&request).await?;
    let token = |created: &CreatedJoinToken| created.token.clone();
    session
        .printer
        .one(&created, token, |printer, created| printer.line(&created.token))?;
    if session.printer.is_for_people() {
        let view = &created.view;
        session.printer.note(format_args!(
            "join token {} for one worker, good until {}; it is shown this once",
            view.id,
            humane::local(view.expires_at)
        ));
        session.printer.help(
            "put it into a file on the worker's machine: `tidemill worker start --join FILE --coordinator-url URL …`",
        );
    }
    Ok(Exit::Good)
}

async fn list(session: &mut Session, client: &Client) -> Result<Exit, Failure> {
    let tokens = client.join_tokens().await?;
    if tokens.is_empty() && session.printer.is_for_people() {
        session.printer.note("there are no join tokens");
        session
            .printer
            .help("make one for a worker with `tidemill worker token create`");
        return Ok(Exit::Good);
    }
    let columns = views::join_tokens::columns(session.now());
    session
        .printer
        .list(&tokens, &columns, |token| token.id.to_string())?;
    Ok(Exit::Good)
}

async fn revoke(session: &mut Session, client: &Client, ids: &[TokenId]) -> Result<Exit, Failure> {
    for id in ids {
        let view = client.revoke_join_token(id, &session.settings.user).await?;
        session.printer.one(
            &view,
            |view| view.id.to_string(),
            |printer, view| match &view.worker {
                Some(worker) => printer.line(format_args!("revoked {}; worker {worker} stays", view.id)),
                None => printer.line(format_args!("revoked {}", view.id)),
            },
        )?;
    }
    Ok(Exit::Good)
}

const QUARANTINE: Instruction = Instruction {
    verb: "quarantine",
    done: "quarantined",
};
const RELEASE: Instruction = Instruction {
    verb: "release",
    done: "released",
};
const REMOVE: Instruction = Instruction {
    verb: "remove",
    done: "removed",
};

/// Lets nothing of these workers count.
pub(super) async fn quarantine(session: &mut Session, args: &QuarantineArgs) -> Result<Exit, Failure> {
    if args.caution.dry_run {
        return rehearse(session, &args.workers).await;
    }
    let question = format!(
        "Stop all steps of {} and believe nothing of it?",
        args.workers.join(", ")
    );
    asking::confirm(&mut session.printer, args.caution.yes, question).await?;
    let request = QuarantineRequest {
        reason: args.reason.clone(),
        by: Some(session.settings.user.clone()),
    };
    let connection = Connection::open(session).await?;
    let outcome = async {
        for worker in &args.workers {
            connection.client.quarantine(worker, &request).await?;
            done(session, worker, QUARANTINE)?;
        }
        Ok(Exit::Good)
    }
    .await;
    connection.close().await?;
    outcome
}

/// Lets these workers count again.
pub(super) async fn release(session: &mut Session, workers: &[String]) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = async {
        for worker in workers {
            let by = session.settings.user.clone();
            connection.client.release(worker, &by).await?;
            done(session, worker, RELEASE)?;
        }
        Ok(Exit::Good)
    }
    .await;
    connection.close().await?;
    outcome
}

/// Forgets the keys of these workers.
pub(super) async fn remove(
    session: &mut Session,
    workers: &[String],
    caution: Caution,
) -> Result<Exit, Failure> {
    if caution.dry_run {
        return rehearse(session, workers).await;
    }
    let question = format!("Forget the keys of {}?", workers.join(", "));
    asking::confirm(&mut session.printer, caution.yes, question).await?;
    let connection = Connection::open(session).await?;
    let outcome = async {
        for worker in workers {
            let by = session.settings.user.clone();
            connection.client.remove_worker(worker, &by).await?;
            done(session, worker, REMOVE)?;
        }
        Ok(Exit::Good)
    }
    .await;
    connection.close().await?;
    outcome
}
