//! `tidemill validate`: every problem of pipeline files at once.

use crate::args::ValidateArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading;
use crate::output::humane;
use crate::output::tone::Tone;
use crate::session::Session;
use serde::Serialize;
use std::path::Path;
use tidemill_language::{Diagnostic, PlanRequest, Severity};
use tidemill_protocol::api::Problem;

/// What was found in one file.
#[derive(Debug, Serialize)]
struct Verdict {
    file: String,
    is_valid: bool,
    problems: Vec<Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
}

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: &ValidateArgs) -> Result<Exit, Failure> {
    let mut verdicts = Vec::new();
    for file in &args.files {
        if !file.is_file() {
            return Err(loading::no_such_file(file));
        }
        let verdict = check(session, file).await?;
        if session.printer.is_for_people() {
            tell(session, &verdict)?;
        }
        verdicts.push(verdict);
    }
    if !session.printer.is_for_people() {
        session
            .printer
            .list(&verdicts, &[], |verdict| verdict.file.clone())?;
    }
    let is_valid = verdicts.iter().all(|verdict| verdict.is_valid);
    Ok(if is_valid { Exit::Good } else { Exit::Usage })
}

async fn check(session: &mut Session, file: &Path) -> Result<Verdict, Failure> {
    let verdict = |problems: Vec<Problem>, steps| Verdict {
        file: file.display().to_string(),
        is_valid: steps_are_sound(&problems),
        problems,
        steps,
    };
    let loaded = match loading::outcome(session, file).await? {
        Ok(loaded) => loaded,
        Err(problems) => {
            loading::print(session, &problems.0);
            return Ok(verdict(problems.to_problems(), None));
        }
    };
    loading::print(session, &loaded.warnings);
    let mut problems: Vec<Problem> = loaded.warnings.iter().map(Diagnostic::to_problem).collect();
    // What only planning finds: circles, caps. A parameter without a value is no fault of the file.
    let steps = match tidemill_language::plan(&loaded.outline(), &PlanRequest::default()) {
        Ok(plan) => Some(plan.steps.len()),
        Err(mut found) => {
            found.retain(|problem| !loading::is_missing_parameter(problem));
            let found = loaded.explain(found);
            loading::print(session, &found.0);
            problems.extend(found.to_problems());
            None
        }
    };
    Ok(verdict(problems, steps))
}

fn steps_are_sound(problems: &[Problem]) -> bool {
    problems
        .iter()
        .all(|problem| problem.severity != Severity::Error.as_str())
}

fn tell(session: &mut Session, verdict: &Verdict) -> Result<(), Failure> {
    let count = |severity: Severity| {
        verdict
            .problems
            .iter()
            .filter(|p| p.severity == severity.as_str())
            .count() as u64
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut facts = Vec::new();
    facts.extend(verdict.steps.map(|steps| humane::count(steps as u64, "step")));
    facts.extend((errors > 0).then(|| humane::count(errors, "error")));
    facts.extend((warnings > 0).then(|| humane::count(warnings, "warning")));
    let (sign, word) = if verdict.is_valid {
        (Tone::Good.paint("✓"), "valid")
    } else {
        (Tone::Bad.paint("✗"), "not valid")
    };
    let facts = if facts.is_empty() {
        String::new()
    } else {
        format!(" ({})", facts.join(", "))
    };
    session
        .printer
        .line(format_args!("{sign} {}: {word}{facts}", verdict.file))
}
