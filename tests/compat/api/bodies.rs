//! What a change of a body breaks for clients, seen from the side from which it comes. A word or a variant that is new in an answer breaks nothing: clients expect what they do not
//! know. Bounds of numbers and lengths are not looked at.

use super::shapes::{Record, Shape, shapes};
use serde_json::Value;
use std::collections::BTreeSet;

/// Who writes a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Clients: what they may write today must be taken tomorrow.
    Sent,
    /// We: what clients may count on today must be so tomorrow.
    Answered,
}

/// What is compared, and what was found. A schema with a name is looked at once for each way.
pub(super) struct Bodies<'a> {
    released: &'a Value,
    now: &'a Value,
    seen: BTreeSet<(Way, &'a str, &'a str, String)>,
    pub(super) breaks: BTreeSet<String>,
}

impl<'a> Bodies<'a> {
    /// Nothing found yet between the schemas with names of two descriptions.
    pub(super) fn new(released: &'a Value, now: &'a Value) -> Self {
        Self {
            released: &released["components"]["schemas"],
            now: &now["components"]["schemas"],
            seen: BTreeSet::new(),
            breaks: BTreeSet::new(),
        }
    }

    /// Compares what a schema let through with what it does now.
    pub(super) fn compare(&mut self, place: &str, way: Way, released: &'a Value, now: &'a Value) {
        let old = shapes(self.released, released);
        let new = shapes(self.now, now);
        for shape in &old {
            match partner(shape, &old, &new, way) {
                Some(partner) => self.pair(place, way, shape, partner),
                None => self.lost(place, way, shape),
            }
        }
        if way == Way::Answered {
            for shape in new
                .iter()
                .filter(|shape| partner(shape, &new, &old, Way::Sent).is_none())
            {
                self.gained(place, &old, shape);
            }
        }
    }

    /// What is answered where no page was asked for: of a list that may be one or the other, the list itself.
    pub(super) fn unpaged(&self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"]
            .as_str()
            .and_then(|reference| reference.rsplit('/').next());
        let forms = name
            .filter(|name| name.starts_with("Listing_"))
            .and_then(|name| self.now[name]["oneOf"].as_array());
        let whole = forms.and_then(|forms| forms.iter().find(|form| form["type"] == "array"));
        whole.unwrap_or(schema)
    }

    fn say(&mut self, place: &str, what: &str) {
        self.breaks.insert(format!("{place}: {what}"));
    }

    fn lost(&mut self, place: &str, way: Way, shape: &Shape<'_>) {
        let what = described(shape);
        match (way, shape) {
            (Way::Sent, _) => self.say(place, &format!("{what} is not taken any more")),
            (Way::Answered, Shape::Record(_)) => {
                self.say(place, &format!("{what} is never answered any more"));
            }
            (Way::Answered, _) => {}
        }
    }

    fn gained(&mut self, place: &str, old: &[Shape<'_>], shape: &Shape<'_>) {
        let was_union = old.iter().filter(|one| matches!(one, Shape::Record(_))).count() > 1;
        let is_variant = matches!(shape, Shape::Record(_)) && was_union;
        if !is_variant {
            self.say(place, &format!("{} may be answered now", described(shape)));
        }
    }

    fn pair(&mut self, place: &str, way: Way, old: &Shape<'a>, new: &Shape<'a>) {
        match (old, new) {
            (Shape::Text(old), Shape::Text(new)) => self.words(place, way, old.as_ref(), new.as_ref()),
            (Shape::List(Some(old)), Shape::List(Some(new))) => {
                self.compare(&format!("{place}[]"), way, old, new);
            }
            (Shape::Record(old), Shape::Record(new)) => self.records(place, way, old, new),
            _ => {}
        }
    }

    fn words(&mut self, place: &str, way: Way, old: Option<&BTreeSet<&str>>, new: Option<&BTreeSet<&str>>) {
        let end = match way {
            Way::Sent => "is not taken any more",
            Way::Answered => "is never answered any more",
        };
        match (old, new) {
            (Some(old), Some(new)) => {
                for word in old - new {
                    self.say(place, &format!("the word `{word}` {end}"));
                }
            }
            (None, Some(_)) if way == Way::Sent => self.say(place, "only certain words are taken now"),
            _ => {}
        }
    }

    fn records(&mut self, place: &str, way: Way, old: &Record<'a>, new: &Record<'a>) {
        let mut place = place.to_owned();
        if let (Some(old_name), Some(new_name)) = (old.name, new.name) {
            if !self.seen.insert((way, old_name, new_name, old.tag())) {
                return;
            }
            old_name.clone_into(&mut place);
        }
        for (name, field) in &old.fields {
            let at = format!("{place}.{name}");
            let Some(now) = new.fields.get(name) else {
                let what = match way {
                    Way::Sent => "the field is not taken any more",
                    Way::Answered => "the field is gone from the answer",
                };
                self.say(&at, what);
                continue;
            };
            match (way, old.required.contains(name), new.required.contains(name)) {
                (Way::Sent, false, true) => self.say(&at, "the field must be sent now"),
                (Way::Answered, true, false) => self.say(&at, "the field may be missing from the answer now"),
                _ => {}
            }
            self.compare(&at, way, field, now);
        }
        let added = new.required.iter().filter(|name| !old.fields.contains_key(*name));
        for name in added.filter(|_| way == Way::Sent) {
            self.say(&format!("{place}.{name}"), "the field is new and must be sent");
        }
        match (old.others, new.others) {
            (Some(old), Some(new)) => self.compare(&format!("{place}.*"), way, old, new),
            (Some(_), None) => self.say(&place, "fields of any name are not known any more"),
            _ => {}
        }
    }
}

/// The form among `others` that `shape`, one of `own`, became.
fn partner<'s, 'a>(
    shape: &Shape<'a>,
    own: &[Shape<'a>],
    others: &'s [Shape<'a>],
    way: Way,
) -> Option<&'s Shape<'a>> {
    let records = |all: &[Shape<'a>]| all.iter().filter(|one| matches!(one, Shape::Record(_))).count();
    let is_only = records(own) == 1 && records(others) == 1;
    others.iter().find(|other| match (shape, other) {
        (_, Shape::Anything) | (Shape::Null, Shape::Null) | (Shape::Text(_), Shape::Text(_)) => true,
        (Shape::List(_), Shape::List(_)) => true,
        (Shape::Plain("integer"), Shape::Plain("number")) if way == Way::Sent => true,
        (Shape::Plain("number"), Shape::Plain("integer")) if way == Way::Answered => true,
        (Shape::Plain(one), Shape::Plain(other)) => one == other,
        (Shape::Record(one), Shape::Record(other)) => is_only || one.tag() == other.tag(),
        _ => false,
    })
}

fn described(shape: &Shape<'_>) -> String {
    match shape {
        Shape::Null => "null".to_owned(),
        Shape::Text(_) => "a text".to_owned(),
        Shape::Plain("integer") => "an integer".to_owned(),
        Shape::Plain(kind) => format!("a {kind}"),
        Shape::List(_) => "a list".to_owned(),
        Shape::Record(record) => match record.tag() {
            tag if tag.is_empty() => "an object".to_owned(),
            tag => format!("the variant `{tag}`"),
        },
        Shape::Anything => "anything".to_owned(),
    }
}
