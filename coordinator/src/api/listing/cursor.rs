//! Cursors: where a page ended, as text that means nothing to whoever carries it. A cursor names the place and not the item, so it stays good when the item
//! goes; and it says of which question it is, so that it is taken for no other.

use super::key::Key;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tidemill_protocol::digest::Digest;

/// How every cursor begins; another form will begin otherwise.
const MARK: &str = "c1_";
/// Longest cursor that is looked at: the longest key is a name, a path or a label.
const CURSOR_BYTES_MAX: usize = 8 * 1024;
/// Letters of a question's digest that a cursor carries.
const QUESTION_LETTERS: usize = 16;

/// The place after which the next page begins.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor<'a> {
    /// The order, as `sort` spells it.
    pub(super) sort: Cow<'a>,
    /// The digest of the question.
    pub(super) question: Cow<'a>,
    /// The key of the page's last item.
    pub(super) key: Key<'a>,
    /// What tells that item from others with the same key.
    pub(super) id: Key<'a>,
}

type Cow<'a> = std::borrow::Cow<'a, str>;

/// Why a text is no cursor that can be gone on from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CursorError {
    /// It was not made by a list, or is damaged.
    None,
    /// It is of another list, or of the same with other filters.
    OtherQuestion,
    /// It is of this list in another order.
    OtherOrder(String),
}

impl Cursor<'_> {
    pub(super) fn print(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{MARK}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

/// Whether a text has the form of a cursor at all.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(MARK)
}

/// The place that a cursor names, when it is of this question and this order.
pub(super) fn read(
    text: &str,
    question: &str,
    sort: &str,
) -> Result<(Key<'static>, Key<'static>), CursorError> {
    let coded = text.strip_prefix(MARK).filter(|_| text.len() <= CURSOR_BYTES_MAX);
    let bytes = coded.and_then(|coded| URL_SAFE_NO_PAD.decode(coded).ok());
    let cursor: Option<Cursor<'static>> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let cursor = cursor.ok_or(CursorError::None)?;
    if cursor.question != question {
        return Err(CursorError::OtherQuestion);
    }
    if cursor.sort != sort {
        return Err(CursorError::OtherOrder(cursor.sort.into_owned()));
    }
    Ok((cursor.key, cursor.id))
}

/// What makes a question: the list, and everything that chooses among its items.
pub(super) fn question(path: &str, filters: &mut Vec<(String, String)>) -> String {
    filters.sort();
    let whole = serde_json::to_vec(&(path, filters)).unwrap_or_default();
    let mut digest = Digest::of(&whole).to_string();
    digest = digest.rsplit(':').next().unwrap_or_default().to_owned();
    digest.truncate(QUESTION_LETTERS);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor<'static> {
        Cursor {
            sort: "-created_at".into(),
            question: "abc".into(),
            key: Key::Number(17),
            id: Key::Text("gr\u{f6}\u{df}e \"1\"".into()),
        }
    }

    #[test]
    fn a_cursor_is_read_again_as_it_was_printed_and_for_its_own_question_and_order_only() {
        let text = cursor().print();
        let place = (cursor().key, cursor().id);
        assert_eq!(read(&text, "abc", "-created_at"), Ok(place));
        assert_eq!(read(&text, "abd", "-created_at"), Err(CursorError::OtherQuestion));
        let other = CursorError::OtherOrder("-created_at".into());
        assert_eq!(read(&text, "abc", "name"), Err(other));
        for cut in 0..text.len() {
            let (short, _) = text.split_at(cut);
            assert_eq!(
                read(short, "abc", "-created_at"),
                Err(CursorError::None),
                "{short}"
            );
        }
    }

    #[test]
    fn a_question_is_the_same_in_whatever_order_its_filters_are_written() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let one = question("/x", &mut vec![pair("a", "1"), pair("b", "2")]);
        assert_eq!(one, question("/x", &mut vec![pair("b", "2"), pair("a", "1")]));
        assert_ne!(one, question("/y", &mut vec![pair("a", "1"), pair("b", "2")]));
        assert_ne!(one, question("/x", &mut vec![pair("a", "1b"), pair("", "2")]));
    }
}
