//! Literals: whether a text fits the declared type, range and choices of an input.

use crate::diagnostic::{Code, did_you_mean};
use crate::yaml::is_number;
use tidemill_protocol::literal::{Literal, LiteralType};
use tidemill_protocol::spec::InputSpec;

/// Why a value is not accepted.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// The name of a type in pipeline files.
pub(crate) const fn type_name(literal_type: LiteralType) -> &'static str {
    match literal_type {
        LiteralType::String => "string",
        LiteralType::Integer => "integer",
        LiteralType::Number => "number",
        LiteralType::Boolean => "boolean",
    }
}

/// The literal that a text is when read as this type. The text stays as written, but for truth values, which get the spelling that
/// Python prints (`True`), because that is what steps were written against.
pub(crate) fn coerce(text: &str, literal_type: LiteralType) -> Result<Literal, Refusal> {
    let kept = match literal_type {
        LiteralType::String => Some(text),
        LiteralType::Integer => text.trim().parse::<i64>().is_ok().then_some(text.trim()),
        LiteralType::Number => is_number(text.trim()).then_some(text.trim()),
        LiteralType::Boolean => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some("True"),
            "false" | "no" | "off" | "0" => Some("False"),
            _ => None,
        },
    };
    let kept = kept.ok_or_else(|| Refusal {
        code: Code::WrongType,
        message: format!("`{}` is no {}", shown(text), type_name(literal_type)),
        help: None,
    })?;
    Ok(Literal {
        literal_type,
        text: kept.into(),
    })
}

/// The literal for an input: of its type, within its range, one of its choices.
pub(crate) fn accept(text: &str, literal_type: LiteralType, input: &InputSpec) -> Result<Literal, Refusal> {
    let literal = coerce(text, literal_type)?;
    let out_of_range = |message: String, help| Refusal {
        code: Code::OutOfRange,
        message,
        help,
    };
    if matches!(literal_type, LiteralType::Integer | LiteralType::Number) {
        let number = |text: &str| text.trim().parse::<f64>().unwrap_or(0.0);
        let value = number(&literal.text);
        if let Some(min) = input.min.as_deref()
            && value < number(min)
        {
            return Err(out_of_range(
                format!("{text} is less than the smallest value allowed, {min}"),
                None,
            ));
        }
        if let Some(max) = input.max.as_deref()
            && value > number(max)
        {
            return Err(out_of_range(
                format!("{text} is more than the largest value allowed, {max}"),
                None,
            ));
        }
    }
    if !input.choices.is_empty() && !input.choices.iter().any(|choice| same(choice, &literal)) {
        let help = did_you_mean(text, input.choices.iter().map(String::as_str));
        return Err(out_of_range(
            format!("`{}` is none of the values allowed", shown(text)),
            help,
        ));
    }
    Ok(literal)
}

fn same(choice: &str, literal: &Literal) -> bool {
    coerce(choice, literal.literal_type).is_ok_and(|choice| {
        let numbers = (choice.text.parse::<f64>(), literal.text.parse::<f64>());
        match (literal.literal_type, numbers) {
            (LiteralType::Number, (Ok(a), Ok(b))) => a.total_cmp(&b).is_eq(),
            _ => choice.text == literal.text,
        }
    })
}

/// A value cut to what fits in a message, with control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        format!("{cut}…")
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::spec::InputType;

    #[test]
    fn a_text_keeps_its_spelling() {
        let text = |text, literal_type| coerce(text, literal_type).map(|l| l.text.to_string()).ok();
        assert_eq!(text("1e-3", LiteralType::Number).as_deref(), Some("1e-3"));
        assert_eq!(text("True", LiteralType::String).as_deref(), Some("True"));
        assert_eq!(text("true", LiteralType::Boolean).as_deref(), Some("True"));
        assert_eq!(text("1.5", LiteralType::Integer), None);
        assert_eq!(text("nan", LiteralType::Number), None);
        assert_eq!(text("maybe", LiteralType::Boolean), None);
    }

    #[test]
    fn range_and_choices_are_kept() {
        let input = InputSpec {
            input_type: InputType::Literal(LiteralType::Integer),
            optional: false,
            default: None,
            min: Some("1".into()),
            max: Some("9".into()),
            choices: vec!["1".into(), "10".into(), "5".into()],
            mode: None,
            description: String::new(),
        };
        let code = |text| {
            accept(text, LiteralType::Integer, &input)
                .map_err(|r| r.code)
                .err()
        };
        assert_eq!(code("5"), None);
        assert_eq!(code("0"), Some(Code::OutOfRange));
        assert_eq!(code("10"), Some(Code::OutOfRange));
        assert_eq!(code("2"), Some(Code::OutOfRange));
        assert_eq!(code("x"), Some(Code::WrongType));
    }
}
