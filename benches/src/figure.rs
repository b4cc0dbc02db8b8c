//! A figure beside its limit, and the report that prints them. The only place in the benches that prints.

use serde::Serialize;

/// One measured figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured, in words.
    pub what: String,
    /// The figure.
    pub value: f64,
    /// Its unit, e.g. `steps/s`, `ms`.
    pub unit: String,
    /// The limit measured in the same run, in the same unit, and what it is.
    pub limit: Option<(f64, String)>,
    /// What we aim at, in words, e.g. `≥ 0.5 × limit`.
    pub target: String,
}

impl Figure {
    /// A figure without a limit.
    pub fn new(what: impl Into<String>, value: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            value,
            unit: unit.to_owned(),
            limit: None,
            target: String::new(),
        }
    }

    /// Sets the limit it is held against.
    #[must_use]
    pub fn against(mut self, limit: f64, what: impl Into<String>) -> Self {
        self.limit = Some((limit, what.into()));
        self
    }

    /// Says what is aimed at.
    #[must_use]
    pub fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// The figure divided by its limit.
    pub fn ratio(&self) -> Option<f64> {
        self.limit.as_ref().map(|(limit, _)| self.value / limit)
    }
}

/// The figures of one run of a program.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The machine.
    pub machine: String,
    /// The figures, in the order of measurement.
    pub figures: Vec<Figure>,
}

impl Report {
    /// An empty report about this machine.
    pub fn new() -> Self {
        Self {
            machine: crate::machine(),
            figures: Vec::new(),
        }
    }

    /// Adds a figure and says it on standard error, so that a long run shows progress.
    #[expect(clippy::print_stderr, reason = "the one place in the benches that prints")]
    pub fn add(&mut self, figure: Figure) {
        eprintln!("  {}: {}", figure.what, number(figure.value, &figure.unit));
        self.figures.push(figure);
    }

    /// Prints everything to standard output: a Markdown table, or JSON.
    #[expect(clippy::print_stdout, reason = "the one place in the benches that prints")]
    pub fn print(&self, json: bool) {
        if json {
            println!(
                "{}",
                serde_json::to_string_pretty(self).expect("figures are plain data")
            );
            return;
        }
        println!("{}\n", self.machine);
        println!("| what | figure | limit in the same run | ratio | target |\n|---|---|---|---|---|");
        for figure in &self.figures {
            let limit = figure.limit.as_ref().map_or_else(String::new, |(value, what)| {
                format!("{} ({what})", number(*value, &figure.unit))
            });
            let ratio = figure
                .ratio()
                .map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            println!(
                "| {} | {} | {limit} | {ratio} | {} |",
                figure.what,
                number(figure.value, &figure.unit),
                figure.target
            );
        }
    }
}

fn number(value: f64, unit: &str) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0} {unit}"),
        v if v >= 1.0 => format!("{value:.2} {unit}"),
        _ => format!("{value:.3} {unit}"),
    }
}

/// The middle of some measurements.
///
/// # Panics
/// When there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "a median needs at least one measurement");
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
