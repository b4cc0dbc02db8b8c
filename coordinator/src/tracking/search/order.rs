//! Orders: parsed, and things sorted by them. What lacks what it is sorted by comes last, whichever way; no number comes after every number.

use super::words::{Word, cut, field, words};
use super::{Field, SearchError, Subject, Vocabulary};
use std::cmp::Ordering;

/// Most orders of one search.
const ORDERS_MAX: usize = 20;

/// Something to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    field: Field,
    descending: bool,
}

impl Order {
    /// Reads orders, the most important first.
    pub(crate) fn parse_all(texts: &[String], vocabulary: &Vocabulary) -> Result<Vec<Self>, SearchError> {
        if texts.len() > ORDERS_MAX {
            return Err(SearchError(format!("a search has at most {ORDERS_MAX} orders")));
        }
        texts.iter().map(|text| Self::parse(text, vocabulary)).collect()
    }

    fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Self, SearchError> {
        let words = words(text)?;
        let (name, descending) = match words.as_slice() {
            [Word::Name(name)] => (name, false),
            [Word::Name(name), way] if way.is("asc") => (name, false),
            [Word::Name(name), way] if way.is("desc") => (name, true),
            _ => {
                return Err(SearchError(format!(
                    "`{}` is no order: it reads like `metrics.loss DESC` or `start_time ASC`",
                    cut(text)
                )));
            }
        };
        let field = field(name, vocabulary)?;
        Ok(Self { field, descending })
    }

    fn compare<S: Subject>(&self, left: &S, right: &S) -> Ordering {
        let turned = |order: Ordering| if self.descending { order.reverse() } else { order };
        match &self.field {
            Field::Metric(_) | Field::Number(_) => match (self.number(left), self.number(right)) {
                (Some(left), Some(right)) => turned(left.total_cmp(&right)),
                (left, right) => right.is_some().cmp(&left.is_some()),
            },
            Field::Param(_) | Field::Tag(_) | Field::Text(_) | Field::Dataset(_) => {
                match (left.text(&self.field), right.text(&self.field)) {
                    (Some(left), Some(right)) => turned(left.cmp(&right)),
                    (left, right) => right.is_some().cmp(&left.is_some()),
                }
            }
        }
    }

    fn number(&self, subject: &impl Subject) -> Option<f64> {
        subject.number(&self.field).filter(|number| !number.is_nan())
    }
}

/// Sorts by all orders; things that are equal by them stay in their order.
pub(crate) fn sort<S: Subject>(things: &mut [S], orders: &[Order]) {
    if orders.is_empty() {
        return;
    }
    things.sort_by(|left, right| {
        let decisive = orders.iter().map(|order| order.compare(left, right));
        decisive.fold(Ordering::Equal, Ordering::then)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[derive(Debug, PartialEq)]
    struct Thing(Option<f64>, &'static str);

    impl Subject for Thing {
        fn number(&self, _: &Field) -> Option<f64> {
            self.0
        }

        fn text(&self, _: &Field) -> Option<Cow<'_, str>> {
            Some(self.1.into())
        }
    }

    const THINGS: Vocabulary = Vocabulary {
        things: "things",
        numbers: &["n"],
        texts: &["name"],
        spellings: &[],
        has_metrics: true,
    };

    fn sorted(orders: &[&str]) -> String {
        let texts: Vec<String> = orders.iter().map(ToString::to_string).collect();
        let orders = Order::parse_all(&texts, &THINGS).unwrap();
        let mut things = [
            Thing(Some(2.0), "a"),
            Thing(None, "b"),
            Thing(Some(f64::NAN), "c"),
            Thing(Some(1.0), "d"),
            Thing(Some(2.0), "e"),
        ];
        sort(&mut things, &orders);
        things.iter().map(|thing| thing.1).collect()
    }

    #[test]
    fn what_is_lacking_or_no_number_comes_last_whichever_way() {
        assert_eq!(sorted(&["metrics.x ASC"]), "daebc");
        assert_eq!(sorted(&["metrics.x desc"]), "aedbc");
    }

    #[test]
    fn later_orders_decide_what_earlier_ones_leave_open() {
        assert_eq!(sorted(&["n", "name DESC"]), "deacb");
        assert_eq!(sorted(&[]), "abcde");
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for text in ["", "metrics.x UP", "metrics.x DESC, n", "colour"] {
            assert!(Order::parse_all(&[text.to_owned()], &THINGS).is_err(), "{text}");
        }
    }
}
