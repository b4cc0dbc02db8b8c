//! `tidemill doctor`: looks at this machine and its connections, and says of each finding what to do about it. Changes nothing.

mod checks;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::tone::Tone;
use crate::session::Session;
use serde::Serialize;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// In order.
    Good,
    /// Works, or is not needed for everything.
    Note,
    /// Something that was configured does not work.
    Bad,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, what: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            what: what.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Does what was asked.
pub(super) async fn run(session: &mut Session) -> Result<Exit, Failure> {
    let mut findings = checks::of_this_machine(&session.settings);
    findings.extend(checks::of_connections(&session.settings).await);
    if session.printer.is_for_people() {
        for finding in &findings {
            tell(session, finding)?;
        }
    } else {
        session
            .printer
            .list(&findings, &[], |finding| finding.check.to_owned())?;
    }
    let is_bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if is_bad { Exit::Failure } else { Exit::Good })
}

fn tell(session: &mut Session, finding: &Finding) -> Result<(), Failure> {
    let (tone, sign) = match finding.verdict {
        Verdict::Good => (Tone::Good, "✓"),
        Verdict::Note => (Tone::Warn, "!"),
        Verdict::Bad => (Tone::Bad, "✗"),
    };
    let printer = &mut session.printer;
    printer.line(format_args!(
        "{} {:<12} {}",
        tone.paint(sign),
        finding.check,
        finding.what
    ))?;
    if let Some(help) = &finding.help {
        printer.line(format_args!("{:15}{}: {help}", "", Tone::Reused.paint("help")))?;
    }
    Ok(())
}
