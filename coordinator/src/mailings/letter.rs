//! What a letter says: the subject, the text, and the same as simple HTML. Pure; what a log showed last is handed in.

use super::smtp::Letter;
use crate::notifications::{Occasion, StepEnd};
use std::fmt::Write as _;
use tidemill_protocol::name::Name;
use tidemill_protocol::status::StepStatus;

/// Longest subject in characters.
const SUBJECT_CHARS_MAX: usize = 150;

/// Tells of an end.
pub(super) fn letter(occasion: &Occasion, log: &[String]) -> Letter {
    let run = &occasion.run;
    let mut facts = vec![
        ("run", run.id.to_string()),
        ("pipeline", run.pipeline.to_string()),
        ("experiment", run.experiment.to_string()),
        ("status", run.status.to_string()),
        ("submitted by", run.submitted_by.clone()),
    ];
    let mut commands = vec![format!("tidemill runs show {}", run.id)];
    if let Some(step) = &occasion.step {
        facts.push(("step", format!("{} {}", step.path, step.status)));
        if let Some(reason) = reason(step) {
            facts.push(("reason", reason));
        }
        commands.push(format!("tidemill logs {}/{}", run.id, step.path));
        commands.push(format!("tidemill explain {}/{}", run.id, step.path));
    }
    compose(&subject(occasion), &facts, log, &commands)
}

/// Says that letters arrive.
pub(super) fn trial(name: &Name) -> Letter {
    let facts = [("mailing", name.to_string())];
    let commands = [format!("tidemill mailing deliveries {name}")];
    compose(
        &format!("tidemill: a test of mailing {name}"),
        &facts,
        &[],
        &commands,
    )
}

fn subject(occasion: &Occasion) -> String {
    let (run, step) = (&occasion.run, occasion.step.as_ref());
    match step {
        Some(step) if occasion.is_step && step.status != StepStatus::Failed => {
            format!("{}: step {} {}", run.pipeline, step.path, step.status)
        }
        Some(step) if occasion.is_step => format!("{} failed: step {}", run.pipeline, step.path),
        Some(step) => format!("{} {}: step {}", run.pipeline, run.status, step.path),
        None => format!("{} {}", run.pipeline, run.status),
    }
}

fn reason(step: &StepEnd) -> Option<String> {
    let failure = step.failure.as_ref()?;
    let reason = failure.reason.describe();
    Some(if failure.message.is_empty() {
        reason
    } else {
        format!("{reason}: {}", failure.message)
    })
}

fn compose(subject: &str, facts: &[(&str, String)], log: &[String], commands: &[String]) -> Letter {
    let one_line = |text: &str| -> String {
        let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        line.collect()
    };
    let subject: String = one_line(subject).chars().take(SUBJECT_CHARS_MAX).collect();
    let (mut text, mut html) = (format!("{subject}\n\n"), String::new());
    let mut rows = String::new();
    for (name, value) in facts {
        let value = one_line(value);
        writeln!(text, "{name:<14}{value}").expect("a text takes what is written");
        writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td></tr>",
            escaped(name),
            escaped(&value)
        )
        .expect("a text takes what is written");
    }
    writeln!(
        html,
        "<html><body>\n<h3>{}</h3>\n<table>\n{rows}</table>",
        escaped(&subject)
    )
    .expect("a text takes what is written");
    for (title, lines) in [("The last lines of its log", log), ("To look at it", commands)] {
        if lines.is_empty() {
            continue;
        }
        writeln!(text, "\n{title}:\n\n  {}", lines.join("\n  ")).expect("a text takes what is written");
        writeln!(html, "<p>{title}:</p>\n<pre>{}</pre>", escaped(&lines.join("\n")))
            .expect("a text takes what is written");
    }
    html.push_str("</body></html>\n");
    Letter { subject, text, html }
}

/// Text that HTML takes for nothing else.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_says_is_text_in_html_too() {
        let log = ["<script>alert(\"x\") && y</script>".to_owned()];
        let letter = compose("train failed: step fit", &[("reason", "a < b".into())], &log, &[]);
        assert!(letter.text.contains("<script>alert(\"x\") && y</script>"));
        assert!(
            letter
                .html
                .contains("&lt;script&gt;alert(&quot;x&quot;) &amp;&amp; y&lt;/script&gt;")
        );
        assert!(letter.html.contains("a &lt; b") && !letter.html.contains("<script"));
    }

    #[test]
    fn no_line_can_be_added_by_what_stands_in_a_subject_or_a_reason() {
        let facts = [("reason", "one\r\nBcc: eve@example.org".to_owned())];
        let letter = compose("train\r\nBcc: eve@example.org", &facts, &[], &[]);
        assert!(!letter.subject.contains(['\r', '\n']), "{:?}", letter.subject);
        assert!(!letter.text.lines().any(|line| line.starts_with("Bcc:")));
    }
}
