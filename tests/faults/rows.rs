//! Reads the fault matrix, `matrix.toml`. What is done with it is in `results`.

use serde::Deserialize;

/// One row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Its number in the plan of the campaign.
    pub(crate) number: u8,
    /// What goes wrong.
    pub(crate) fault: String,
    /// Names of the tests that prove what then holds.
    #[serde(default)]
    pub(crate) tests: Vec<String>,
    /// Why there are none.
    #[serde(default)]
    pub(crate) none: Option<String>,
    /// What they do not prove.
    #[serde(default)]
    pub(crate) but: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    row: Vec<Row>,
}

/// All rows, in order.
///
/// # Panics
/// When the file is no matrix.
pub(crate) fn all() -> Vec<Row> {
    let matrix: Matrix = toml::from_str(include_str!("matrix.toml")).expect("the matrix is sound TOML");
    matrix.row
}
