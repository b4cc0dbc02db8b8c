//! Expressions: `${{inputs.x}}`, `${{parent.jobs.a.outputs.b}}` and their kin. Only their grammar; what they refer to is the reader's matter.

use crate::diagnostic::did_you_mean;

/// What an expression refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// `inputs.NAME`: an input of the step itself.
    Input(String),
    /// `outputs.NAME`: an output of the step itself.
    Output(String),
    /// `parent.inputs.NAME`: an input of the surrounding pipeline.
    ParentInput(String),
    /// `parent.outputs.NAME`: an output of the surrounding pipeline.
    ParentOutput(String),
    /// `parent.jobs.STEP.outputs.NAME`: an output of another step.
    StepOutput {
        /// The step.
        step: String,
        /// Its output.
        output: String,
    },
    /// `search_space.NAME`: a swept value.
    SearchSpace(String),
    /// `name`, `default_datastore` or `output_name`, which only have a meaning in locations.
    Macro(&'static str),
}

/// A piece of a text with expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Text between expressions.
    Text(&'t str),
    /// An expression, with its spelling.
    Reference(Reference, &'t str),
}

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadExpression {
    /// How it is spelled, as far as it goes.
    pub(crate) spelling: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: Option<String>,
}

/// How an expression starts.
pub(crate) const OPEN: &str = "${{";
const CLOSE: &str = "}}";
/// Longest expression: far above any real one.
const EXPRESSION_BYTES_MAX: usize = 600;
const MACROS: [&str; 3] = ["name", "default_datastore", "output_name"];

/// Whether a text holds an expression.
pub(crate) fn has_expression(text: &str) -> bool {
    text.contains(OPEN)
}

/// Splits a text into its pieces.
pub(crate) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, BadExpression> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let (reference, spelling) = leading(from)?;
        pieces.push(Piece::Reference(reference, spelling));
        rest = from.get(spelling.len()..).unwrap_or_default();
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// The reference that a text is, if it is one expression and nothing else.
pub(crate) fn single(text: &str) -> Option<Result<Reference, BadExpression>> {
    let text = text.trim();
    if !text.starts_with(OPEN) {
        return None;
    }
    match leading(text) {
        Ok((reference, spelling)) if spelling.len() == text.len() => Some(Ok(reference)),
        Ok(_) => None,
        Err(bad) => Some(Err(bad)),
    }
}

/// The expression with which a text starts, and its spelling.
pub(crate) fn leading(text: &str) -> Result<(Reference, &str), BadExpression> {
    let Some(end) = text.find(CLOSE).map(|at| at + CLOSE.len()) else {
        return Err(BadExpression {
            spelling: text.chars().take(40).collect(),
            message: "the expression is not closed".to_owned(),
            help: Some("close it with `}}`".to_owned()),
        });
    };
    let spelling = text.get(..end).unwrap_or(text);
    let inner = spelling
        .strip_prefix(OPEN)
        .and_then(|inner| inner.strip_suffix(CLOSE))
        .unwrap_or_default()
        .trim();
    if end > EXPRESSION_BYTES_MAX {
        return Err(bad(inner, "the expression is too long", None));
    }
    reference(inner).map(|reference| (reference, spelling))
}

fn bad(inner: &str, message: impl Into<String>, help: Option<String>) -> BadExpression {
    BadExpression {
        spelling: inner.chars().take(80).collect(),
        message: message.into(),
        help,
    }
}

fn reference(inner: &str) -> Result<Reference, BadExpression> {
    let segments: Vec<&str> = inner.split('.').map(str::trim).collect();
    if inner.contains(['|', '(', ')']) {
        let help = "expressions name one value; compute others in a step";
        return Err(bad(
            inner,
            format!("`{inner}` uses a filter or a function"),
            Some(help.to_owned()),
        ));
    }
    let owned = |text: &str| text.to_owned();
    let found = match segments.as_slice() {
        ["inputs", name] | ["inputs", name, "path"] => Reference::Input(owned(name)),
        ["outputs", name] | ["outputs", name, "path"] => Reference::Output(owned(name)),
        ["parent", "inputs", name] => Reference::ParentInput(owned(name)),
        ["parent", "outputs", name] => Reference::ParentOutput(owned(name)),
        ["parent", "jobs", step, "outputs", name] => Reference::StepOutput {
            step: owned(step),
            output: owned(name),
        },
        ["search_space", name] => Reference::SearchSpace(owned(name)),
        [word] if MACROS.contains(word) => {
            Reference::Macro(MACROS.into_iter().find(|m| m == word).unwrap_or("name"))
        }
        _ => return Err(unknown(inner, &segments)),
    };
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(bad(inner, format!("`{inner}` has an empty part"), None));
    }
    Ok(found)
}

fn unknown(inner: &str, segments: &[&str]) -> BadExpression {
    let forms = "forms: `inputs.NAME`, `outputs.NAME`, `parent.inputs.NAME`, `parent.outputs.NAME`, `parent.jobs.STEP.outputs.NAME`";
    let first = segments.first().copied().unwrap_or_default();
    let near = match segments {
        ["jobs" | "steps", ..] => Some(format!("did you mean `parent.{inner}`?")),
        ["parent", second, ..] if !["inputs", "outputs", "jobs"].contains(second) => {
            did_you_mean(second, ["inputs", "outputs", "jobs"])
        }
        ["parent", "jobs", step, second, name] => Some(format!(
            "did you mean `parent.jobs.{step}.outputs.{name}`? (not `{second}`)"
        )),
        _ if !["inputs", "outputs", "parent", "search_space"].contains(&first) => {
            did_you_mean(first, ["inputs", "outputs", "parent", "search_space", "name"])
                .filter(|help| help.starts_with("did"))
        }
        _ => None,
    };
    bad(
        inner,
        format!("`{inner}` is no expression"),
        near.or_else(|| Some(forms.to_owned())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_with_or_without_spaces() {
        for (text, expected) in [
            ("${{inputs.a}}", Reference::Input("a".into())),
            ("${{ outputs.b }}", Reference::Output("b".into())),
            ("${{ parent.inputs.c }}", Reference::ParentInput("c".into())),
            ("${{parent.outputs.d}}", Reference::ParentOutput("d".into())),
            (
                "${{ parent.jobs.prep.outputs.data }}",
                Reference::StepOutput {
                    step: "prep".into(),
                    output: "data".into(),
                },
            ),
            ("${{name}}", Reference::Macro("name")),
        ] {
            assert_eq!(single(text), Some(Ok(expected)), "{text}");
        }
        assert_eq!(single("x${{name}}"), None);
        assert_eq!(single("${{name}}${{name}}"), None);
    }

    #[test]
    fn a_text_is_split_at_its_expressions() {
        let found = pieces("--a ${{inputs.a}} é ${{outputs.b}}").unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(found[2], Piece::Text(" é "));
    }

    #[test]
    fn what_is_no_expression_is_refused_with_a_way_out() {
        let help = |text: &str| pieces(text).unwrap_err().help.unwrap();
        assert_eq!(help("${{input.x}}"), "did you mean `inputs`?");
        assert_eq!(
            help("${{jobs.a.outputs.b}}"),
            "did you mean `parent.jobs.a.outputs.b`?"
        );
        assert!(pieces("${{inputs.}}").is_err());
        assert!(pieces("${{inputs.x").is_err());
        assert!(pieces("${{inputs.x | upper}}").is_err());
    }
}
