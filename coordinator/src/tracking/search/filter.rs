//! Filters: parsed, and asked whether a thing fits. A thing that lacks what is asked for does not fit, whatever is asked of it.

use super::words::{Word, cut, field, words};
use super::{Field, SearchError, Subject, Vocabulary};
use std::cmp::Ordering;

/// Most conditions of one filter.
const CONDITIONS_MAX: usize = 200;
/// Most texts of one list.
const LIST_MAX: usize = 1_000;

/// Conditions that all hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filter(Vec<Condition>);

#[derive(Debug, Clone, PartialEq)]
struct Condition {
    field: Field,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// Compares numbers.
    Number(&'static str, f64),
    /// Equal, or with false different.
    Equals(String, bool),
    /// Like a pattern, in which `%` stands for any text and `_` for any character.
    Like { pattern: Vec<char>, any_case: bool },
    /// Among these, or with false not.
    Among(Vec<String>, bool),
    /// It is there, or with false it is not.
    Present(bool),
}

impl Filter {
    /// Reads a filter; an empty text fits everything.
    pub(crate) fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Self, SearchError> {
        let words = words(text)?;
        let mut rest = words.as_slice();
        let mut conditions = Vec::new();
        while !rest.is_empty() {
            if conditions.len() >= CONDITIONS_MAX {
                return Err(SearchError(format!(
                    "a filter has at most {CONDITIONS_MAX} conditions"
                )));
            }
            conditions.push(condition(&mut rest, vocabulary)?);
            match rest.split_first() {
                None => {}
                Some((word, [])) if word.is("and") => {
                    return Err(SearchError("something must follow the last AND".to_owned()));
                }
                Some((word, more)) if word.is("and") => rest = more,
                Some(_) => {
                    return Err(SearchError(
                        "conditions are joined by AND; there is no OR".to_owned(),
                    ));
                }
            }
        }
        Ok(Self(conditions))
    }

    /// Whether a thing fits.
    pub(crate) fn fits(&self, subject: &impl Subject) -> bool {
        self.0.iter().all(|condition| condition.holds(subject))
    }
}

fn condition(rest: &mut &[Word], vocabulary: &Vocabulary) -> Result<Condition, SearchError> {
    let Some((Word::Name(name), more)) = rest.split_first() else {
        return Err(SearchError(
            "a condition begins with a name, as in `metrics.loss < 0.5`".to_owned(),
        ));
    };
    *rest = more;
    let field = field(name, vocabulary)?;
    let test = match &field {
        Field::Metric(_) | Field::Number(_) => number_test(rest, name)?,
        Field::Param(_) | Field::Tag(_) | Field::Text(_) | Field::Dataset(_) => {
            text_test(rest, name, &field)?
        }
    };
    Ok(Condition { field, test })
}

fn number_test(rest: &mut &[Word], name: &str) -> Result<Test, SearchError> {
    match *rest {
        [Word::Sign(sign), Word::Number(number), more @ ..] => {
            *rest = more;
            Ok(Test::Number(sign, *number))
        }
        _ => Err(SearchError(format!(
            "`{}` is a number: compare it by =, !=, <, <=, > or >= with a number",
            cut(name)
        ))),
    }
}

fn text_test(rest: &mut &[Word], name: &str, field: &Field) -> Result<Test, SearchError> {
    let may_lack = matches!(field, Field::Param(_) | Field::Tag(_));
    let (test, more) = match *rest {
        [Word::Sign(sign @ ("=" | "!=")), Word::Text(text), more @ ..] => {
            (Test::Equals(text.clone(), *sign == "="), more)
        }
        [like, Word::Text(pattern), more @ ..] if like.is("like") || like.is("ilike") => {
            (pattern_test(pattern, like.is("ilike")), more)
        }
        [is, null, more @ ..] if may_lack && is.is("is") && null.is("null") => (Test::Present(false), more),
        [is, not, null, more @ ..] if may_lack && is.is("is") && not.is("not") && null.is("null") => {
            (Test::Present(true), more)
        }
        [not, among, Word::Mark('('), more @ ..] if not.is("not") && among.is("in") => {
            let (list, more) = list(more)?;
            (Test::Among(list, false), more)
        }
        [among, Word::Mark('('), more @ ..] if among.is("in") => {
            let (list, more) = list(more)?;
            (Test::Among(list, true), more)
        }
        _ => {
            let nulls = if may_lack { ", IS NULL, IS NOT NULL" } else { "" };
            return Err(SearchError(format!(
                "`{}` is a text: compare it by =, !=, LIKE, ILIKE, IN (…), NOT IN (…){nulls}, with texts in quotes",
                cut(name)
            )));
        }
    };
    *rest = more;
    Ok(test)
}

fn pattern_test(pattern: &str, any_case: bool) -> Test {
    let pattern = if any_case {
        pattern.to_lowercase()
    } else {
        pattern.to_owned()
    };
    Test::Like {
        pattern: pattern.chars().collect(),
        any_case,
    }
}

/// The texts up to the closing bracket.
fn list(mut rest: &[Word]) -> Result<(Vec<String>, &[Word]), SearchError> {
    let mut list = Vec::new();
    loop {
        match rest {
            [Word::Text(text), Word::Mark(mark @ (',' | ')')), more @ ..] if list.len() < LIST_MAX => {
                list.push(text.clone());
                rest = more;
                if *mark == ')' {
                    return Ok((list, rest));
                }
            }
            _ => {
                return Err(SearchError(format!(
                    "a list is texts in quotes, with commas between and brackets around, at most {LIST_MAX}"
                )));
            }
        }
    }
}

impl Condition {
    fn holds(&self, subject: &impl Subject) -> bool {
        match (&self.field, &self.test) {
            (field, Test::Number(sign, wanted)) => subject
                .number(field)
                .is_some_and(|number| compare(number, sign, *wanted)),
            (Field::Dataset(what), test) => subject.datasets(what).into_iter().any(|text| test.fits(text)),
            (field, Test::Present(wanted)) => subject.text(field).is_some() == *wanted,
            (field, test) => subject.text(field).is_some_and(|text| test.fits(&text)),
        }
    }
}

fn compare(number: f64, sign: &str, wanted: f64) -> bool {
    let Some(order) = number.partial_cmp(&wanted) else {
        return sign == "!=";
    };
    match sign {
        "=" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}

impl Test {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Number(..) => false,
            Self::Equals(wanted, equal) => (text == wanted) == *equal,
            Self::Among(list, among) => list.iter().any(|wanted| wanted == text) == *among,
            Self::Present(wanted) => *wanted,
            Self::Like {
                pattern,
                any_case: true,
            } => is_like(&text.to_lowercase(), pattern),
            Self::Like {
                pattern,
                any_case: false,
            } => is_like(text, pattern),
        }
    }
}

/// Whether a text is like a pattern. Goes back to the last `%` only, so the time is bounded by the product of both lengths.
fn is_like(text: &str, pattern: &[char]) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut in_pattern) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while let Some(character) = text.get(at) {
        match pattern.get(in_pattern) {
            Some('%') => {
                back = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(wanted) if *wanted == '_' || wanted == character => {
                at += 1;
                in_pattern += 1;
            }
            _ => {
                let Some((wild, from)) = back else {
                    return false;
                };
                back = Some((wild, from + 1));
                at = from + 1;
                in_pattern = wild + 1;
            }
        }
    }
    pattern.iter().skip(in_pattern).all(|left| *left == '%')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    const RUNS: Vocabulary = Vocabulary {
        things: "runs",
        numbers: &["start_time"],
        texts: &["run_name", "status"],
        spellings: &[("Run name", "run_name")],
        has_metrics: true,
    };

    struct Thing;

    impl Subject for Thing {
        fn number(&self, field: &Field) -> Option<f64> {
            match field {
                Field::Metric(key) => BTreeMap::from([("loss", 0.25), ("bad", f64::NAN)])
                    .get(key.as_str())
                    .copied(),
                Field::Number(_) => Some(1_000.0),
                _ => None,
            }
        }

        fn text(&self, field: &Field) -> Option<Cow<'_, str>> {
            let texts = BTreeMap::from([
                ("model", "Tree"),
                ("learning rate", "0.1"),
                ("a.b", "100%"),
                ("run_name", "brave-fox"),
            ]);
            let key = match field {
                Field::Param(key) | Field::Tag(key) => key.as_str(),
                Field::Text(name) => name,
                _ => return None,
            };
            texts.get(key).map(|text| (*text).into())
        }

        fn datasets(&self, _: &'static str) -> Vec<&str> {
            vec!["iris", "wine"]
        }
    }

    fn fits(text: &str) -> bool {
        Filter::parse(text, &RUNS).unwrap().fits(&Thing)
    }

    #[test]
    fn what_holds_is_found() {
        for text in [
            "",
            "  ",
            "metrics.loss < 0.5",
            "metric.loss<=.25 AND metrics.loss >= 2.5e-1 and metrics.loss != 1",
            "metrics.bad != 1",
            "params.model = 'Tree'",
            "params.model = \"Tree\"",
            "param.`learning rate` = '0.1' and parameters.\"learning rate\" != '1'",
            "tags.\"a.b\" = '100%' and tags.a.b like '1__\u{25}'",
            "tags.model ILIKE 't%E' AND tags.model NOT IN ('Bush', 'Herb')",
            "attributes.run_name LIKE 'brave%' and run_name IN ('brave-fox')",
            "attribute.`Run name` = 'brave-fox'",
            "start_time > 999 and attr.start_time < 1e6",
            "params.none IS NULL and tags.model is not null",
            "datasets.name = 'wine' and dataset.name like 'ir%'",
        ] {
            assert!(fits(text), "{text}");
        }
    }

    #[test]
    fn what_does_not_hold_is_not_found() {
        for text in [
            "metrics.loss > 0.5",
            "metrics.none != 0",
            "metrics.bad = 1",
            "params.none != 'x'",
            "params.model = 'tree'",
            "params.model LIKE 'tree'",
            "params.model LIKE 'Tre'",
            "params.model IS NULL",
            "run_name NOT IN ('brave-fox')",
            "datasets.name = 'none'",
            "metrics.loss < 0.5 AND metrics.loss > 0.5",
        ] {
            assert!(!fits(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_of_the_language_is_refused_with_what_is() {
        for (text, said) in [
            ("metrics.loss < 'x'", "is a number"),
            ("metrics.loss LIKE 'x'", "is a number"),
            ("params.model = Tree", "texts in quotes"),
            ("params.model < 'x'", "is a text"),
            ("params.model = 'x' OR params.model = 'y'", "no OR"),
            ("params.model = 'x' AND", "must follow"),
            ("speed > 1", "metrics.NAME"),
            ("colour.x = 'y'", "tags.NAME"),
            ("params.model = 'x", "not closed"),
            ("run_name IS NULL", "is a text"),
            ("run_name IN ()", "a list is"),
            ("run_name IN ('a' 'b')", "a list is"),
            ("= 1", "begins with a name"),
            ("metrics.loss ! 1", "compares nothing"),
            ("metrics.loss < 1x", "no number"),
            ("; drop", "not understood"),
        ] {
            let error = Filter::parse(text, &RUNS).unwrap_err();
            assert!(error.0.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_pattern_cannot_take_long() {
        let text = "a".repeat(5_000);
        let pattern: Vec<char> = "%a".repeat(500).chars().chain(['b']).collect();
        assert!(!is_like(&text, &pattern));
    }
}
