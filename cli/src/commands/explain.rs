//! `tidemill explain`: why a step stands as it does, why the steps of a run are not done, or what an error code means.

use crate::args::ExplainArgs;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::ExplanationView;

/// Most steps of one run that are explained at once.
const STEPS_MAX: usize = 20;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: ExplainArgs) -> Result<Exit, Failure> {
    let (run, step) = args.subject.whole_step()?;
    if let (None, Some(code)) = (step, error_code(run)) {
        return explain_code(session, &code);
    }
    let connection = Connection::open(session).await?;
    let outcome = match step {
        Some(step) => one(session, &connection.client, run, step).await,
        None => whole(session, &connection.client, run).await,
    };
    connection.close().await?;
    outcome
}

async fn one(session: &mut Session, client: &Client, run: &str, step: &str) -> Result<Exit, Failure> {
    let explanation = client.explain(run, step).await?;
    session
        .printer
        .one(&explanation, |e| e.path.to_string(), views::explanation::reasons)?;
    Ok(Exit::Good)
}

async fn whole(session: &mut Session, client: &Client, run: &str) -> Result<Exit, Failure> {
    let view = client.run(run).await?;
    let id = view.summary.id.to_string();
    let open: Vec<_> = view
        .steps_list
        .iter()
        .filter(|step| !step.status.is_good())
        .collect();
    let mut explanations: Vec<ExplanationView> = Vec::new();
    for step in open.iter().take(STEPS_MAX) {
        explanations.push(client.explain(&id, step.path.as_str()).await?);
    }
    if !session.printer.is_for_people() {
        session
            .printer
            .list(&explanations, &[], |explanation| explanation.path.to_string())?;
        return Ok(Exit::Good);
    }
    if explanations.is_empty() {
        session.printer.line("every step of the run ended well")?;
    }
    for explanation in &explanations {
        views::explanation::reasons(&mut session.printer, explanation)?;
    }
    if open.len() > STEPS_MAX {
        let more = open.len() - STEPS_MAX;
        session.printer.note(format_args!(
            "… and {more} more steps: name one as {}/STEP",
            view.summary.id
        ));
    }
    Ok(Exit::Good)
}

/// `TM0104` in any case.
fn error_code(text: &str) -> Option<String> {
    let code = text.to_ascii_uppercase();
    let digits = code.strip_prefix("TM")?;
    (digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
}

fn explain_code(session: &mut Session, code: &str) -> Result<Exit, Failure> {
    let known = tidemill_language::Code::ALL
        .iter()
        .find(|known| known.as_str() == code);
    let Some(known) = known else {
        return Err(
            Failure::new(Exit::NotFound, format!("no error code {code} is known"))
                .help("codes stand in brackets after `error` or `warning`, such as TM0104"),
        );
    };
    session.printer.line(format_args!(
        "{} ({}): {}",
        known.as_str(),
        known.severity().as_str(),
        known.meaning().trim()
    ))?;
    Ok(Exit::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_from_runs() {
        assert_eq!(error_code("tm0104").as_deref(), Some("TM0104"));
        for other in ["last", "TM01", "TM01045", "0198c3", "TMabcd"] {
            assert_eq!(error_code(other), None, "{other}");
        }
    }
}
