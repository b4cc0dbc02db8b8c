//! What the scanner is inside of.

use super::words::Commands;
use std::ops::Range;

/// Where the scanner stands.
pub(super) enum Frame {
    Commands(Commands),
    /// Inside double quotes.
    Double,
    /// In the body of a heredoc with a bare delimiter.
    Body,
    /// Inside `$((…))`, `((…))` (closed by two parentheses) or `$[…]`.
    Arithmetic {
        parens: usize,
        bracket: bool,
    },
    /// Inside `${…}`.
    Parameter,
}

/// The quotes around a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    None,
    Double,
    Single,
    Ansi,
}

/// A heredoc whose body has not come yet.
pub(super) struct Pending {
    pub(super) delimiter: String,
    /// Whether any of the delimiter was quoted, so that the body is taken as it is.
    pub(super) quoted: bool,
    pub(super) strip_tabs: bool,
    /// Where the delimiter stands in the output.
    pub(super) written: Range<usize>,
}
