//! From text to words, and from words to fields.

use super::{Field, SearchError, Vocabulary};

/// Longest text that is parsed, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// One word of a search.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A name, a keyword, or a path of names with dots; what was in quotes is taken as it stands.
    Name(String),
    /// A text in quotes.
    Text(String),
    /// A number.
    Number(f64),
    /// `=`, `<` and the like.
    Sign(&'static str),
    /// `(`, `)` or `,`.
    Mark(char),
}

impl Word {
    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Name(name) if name.eq_ignore_ascii_case(keyword))
    }
}

fn error<T>(message: impl Into<String>) -> Result<T, SearchError> {
    Err(SearchError(message.into()))
}

/// The words of a text.
pub(super) fn words(text: &str) -> Result<Vec<Word>, SearchError> {
    if text.len() > TEXT_BYTES_MAX {
        return error("a search has at most 64 KiB");
    }
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, length) = match first {
            '(' | ')' | ',' => (Word::Mark(first), 1),
            '\'' => quoted(rest, first).map(|(text, length)| (Word::Text(text), length))?,
            '=' | '!' | '<' | '>' => sign(rest)?,
            c if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => number(rest)?,
            '"' if !is_field_after(words.last()) => {
                quoted(rest, first).map(|(text, length)| (Word::Text(text), length))?
            }
            _ => name(rest)?,
        };
        words.push(word);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(words)
}

/// Whether what follows is the name of a field: at the beginning, and after AND. There, a quoted word is a name; elsewhere it is a value.
fn is_field_after(last: Option<&Word>) -> bool {
    last.is_none_or(|word| word.is("and"))
}

/// A text in quotes, and how many bytes it took.
fn quoted(text: &str, quote: char) -> Result<(String, usize), SearchError> {
    let inner = text.strip_prefix(quote).unwrap_or(text);
    let Some(end) = inner.find(quote) else {
        return error(format!("a {quote} is not closed: {}", cut(text)));
    };
    let content = inner.get(..end).unwrap_or_default().to_owned();
    Ok((content, end + 2 * quote.len_utf8()))
}

fn sign(text: &str) -> Result<(Word, usize), SearchError> {
    let signs = ["!=", "<>", "<=", ">=", "==", "=", "<", ">"];
    match signs.into_iter().find(|sign| text.starts_with(sign)) {
        Some("<>") => Ok((Word::Sign("!="), 2)),
        Some("==") => Ok((Word::Sign("="), 2)),
        Some(sign) => Ok((Word::Sign(sign), sign.len())),
        None => error(format!("`{}` compares nothing", cut(text))),
    }
}

fn number(text: &str) -> Result<(Word, usize), SearchError> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    match word.parse() {
        Ok(number) => Ok((Word::Number(number), end)),
        Err(_) => error(format!(
            "`{}` is no number; texts are written in quotes",
            cut(word)
        )),
    }
}

/// A name, parts of which may be in quotes: ``tags."mlflow.source.name"``, ``params.`learning rate` ``.
fn name(text: &str) -> Result<(Word, usize), SearchError> {
    let mut name = String::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        match rest.chars().next() {
            Some(quote @ ('"' | '`')) => {
                let (part, length) = quoted(rest, quote)?;
                name.push_str(&part);
                at += length;
            }
            Some(c) if c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':') => {
                name.push(c);
                at += c.len_utf8();
            }
            _ if at == 0 => return error(format!("this is not understood: {}", cut(text))),
            _ => return Ok((Word::Name(name), at)),
        }
    }
}

/// What a name means for these things.
pub(super) fn field(name: &str, vocabulary: &Vocabulary) -> Result<Field, SearchError> {
    let (kind, key) = match name.split_once('.') {
        Some((kind, key)) => (kind, key),
        None => ("attribute", name),
    };
    let unknown = || {
        let mut known: Vec<&str> = vocabulary
            .numbers
            .iter()
            .chain(vocabulary.texts)
            .copied()
            .collect();
        known.push("tags.NAME");
        if vocabulary.has_metrics {
            known.extend([
                "metrics.NAME",
                "params.NAME",
                "datasets.name",
                "datasets.digest",
                "datasets.context",
            ]);
        }
        SearchError(format!(
            "{} have no `{}`; they have {}",
            vocabulary.things,
            cut(name),
            known.join(", ")
        ))
    };
    let has_metrics = vocabulary.has_metrics;
    match kind {
        "tag" | "tags" => Ok(Field::Tag(key.to_owned())),
        "metric" | "metrics" if has_metrics => Ok(Field::Metric(key.to_owned())),
        "param" | "params" | "parameter" | "parameters" if has_metrics => Ok(Field::Param(key.to_owned())),
        "dataset" | "datasets" if has_metrics => {
            let known = ["name", "digest", "context"]
                .into_iter()
                .find(|known| *known == key);
            known.map(Field::Dataset).ok_or_else(unknown)
        }
        "attribute" | "attributes" | "attr" | "run" => {
            let spelled = vocabulary.spellings.iter().find(|(spelling, _)| *spelling == key);
            let key = spelled.map_or(key, |(_, meant)| *meant);
            let number = vocabulary.numbers.iter().find(|number| **number == key);
            let text = vocabulary.texts.iter().find(|text| **text == key);
            match (number, text) {
                (Some(number), _) => Ok(Field::Number(number)),
                (None, Some(text)) => Ok(Field::Text(text)),
                (None, None) => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

/// The beginning of a text, for messages.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}
