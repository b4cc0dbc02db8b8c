//! Lists as tables: columns without borders, cut to the screen on a terminal and never elsewhere; ids are never cut.

use super::tone::Tone;
use anstyle::{AnsiColor, Color as StyleColor};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width,
};
use std::borrow::Cow;

/// Spaces between two columns.
const GAP: u16 = 2;

/// Writes one cell, with its tone.
type Cells<T> = Box<dyn Fn(&T) -> (String, Tone)>;

/// One column of a list of `T`.
pub(crate) struct Column<T> {
    title: Cow<'static, str>,
    cell: Cells<T>,
    is_number: bool,
    is_wide: bool,
    is_spare: bool,
    fit: Fit,
}

/// What becomes of a cell for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It is cut.
    Cut,
    /// It goes on in the next line.
    Wrapped,
    /// It has its room.
    Fixed,
}

impl<T> Column<T> {
    /// A column of plain text.
    pub(crate) fn new(title: impl Into<Cow<'static, str>>, cell: impl Fn(&T) -> String + 'static) -> Self {
        Self::toned(title, move |item| (cell(item), Tone::Plain))
    }

    /// A column of text that has a tone.
    pub(crate) fn toned(
        title: impl Into<Cow<'static, str>>,
        cell: impl Fn(&T) -> (String, Tone) + 'static,
    ) -> Self {
        Self {
            title: title.into(),
            cell: Box::new(cell),
            is_number: false,
            is_wide: false,
            is_spare: false,
            fit: Fit::Cut,
        }
    }

    /// Set to the right.
    pub(crate) fn number(mut self) -> Self {
        self.is_number = true;
        self
    }

    /// Only shown with `-o wide`.
    pub(crate) fn wide(mut self) -> Self {
        self.is_wide = true;
        self
    }

    /// Left out on a screen without room for it, the last one first.
    pub(crate) fn spare(mut self) -> Self {
        self.is_spare = true;
        self
    }

    /// Wrapped where there is no room, because a part of it says nothing; others are cut.
    pub(crate) fn whole(mut self) -> Self {
        self.fit = Fit::Wrapped;
        self
    }

    /// Never cut or wrapped.
    pub(crate) fn fixed(mut self) -> Self {
        self.fit = Fit::Fixed;
        self
    }

    const fn is_rigid(&self) -> bool {
        matches!(self.fit, Fit::Fixed) || self.is_number
    }
}

impl<T> std::fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Column({})", self.title)
    }
}

/// How a list is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Whether columns for a wide screen are shown.
    pub(crate) is_wide: bool,
    /// Whether titles stand above the columns.
    pub(crate) has_headers: bool,
    /// The screen's width; none when there is no screen.
    pub(crate) width: Option<u16>,
}

/// Lays out a list.
pub(crate) fn render<T>(items: &[T], columns: &[Column<T>], layout: Layout) -> String {
    let mut columns: Vec<&Column<T>> = columns
        .iter()
        .filter(|column| layout.is_wide || !column.is_wide)
        .collect();
    if let Some(width) = layout.width {
        make_room(&mut columns, items, width.into());
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.enforce_styling();
    table.set_truncation_indicator("…");
    match layout.width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if layout.has_headers {
        table.set_header(columns.iter().map(|column| {
            let cell = Cell::new(&column.title).add_attribute(Attribute::Dim);
            if column.is_number {
                cell.set_alignment(CellAlignment::Right)
            } else {
                cell
            }
        }));
    }
    let is_wrapped = columns.iter().any(|column| column.fit == Fit::Wrapped);
    for item in items {
        let mut row = Row::from(columns.iter().map(|column| {
            let (text, tone) = (column.cell)(item);
            let cell = styled(Cell::new(text), tone);
            if column.is_number {
                cell.set_alignment(CellAlignment::Right)
            } else {
                cell
            }
        }));
        if !is_wrapped {
            row.max_height(1);
        }
        table.add_row(row);
    }
    for (place, column) in columns.iter().enumerate() {
        let Some(laid_out) = table.column_mut(place) else {
            continue;
        };
        laid_out.set_padding((0, GAP));
        laid_out.set_constraint(if column.is_rigid() {
            ColumnConstraint::ContentWidth
        } else {
            // A title is never broken.
            let title = u16::try_from(column.title.chars().count()).unwrap_or(u16::MAX);
            ColumnConstraint::LowerBoundary(Width::Fixed(title.saturating_add(GAP)))
        });
    }
    let lines: Vec<String> = table.lines().map(|line| without_trailing_spaces(&line)).collect();
    lines.join("\n")
}

/// Leaves spare columns out until the others have room, each as wide as its title and, where it is never cut, as its cells.
fn make_room<T>(columns: &mut Vec<&Column<T>>, items: &[T], width: usize) {
    let least = |column: &Column<T>| {
        let cells = items.iter().filter(|_| column.is_rigid());
        let widest = cells.map(|item| (column.cell)(item).0.chars().count()).max();
        column.title.chars().count().max(widest.unwrap_or_default()) + usize::from(GAP)
    };
    let mut wanted: usize = columns.iter().map(|column| least(column)).sum();
    while wanted > width
        && let Some(place) = columns.iter().rposition(|column| column.is_spare)
    {
        wanted -= least(columns.remove(place));
    }
}

/// The last column is filled up with spaces, partly inside its colours; nobody needs them, and they wrap on a narrow screen.
fn without_trailing_spaces(line: &str) -> String {
    let visible = anstream::adapter::strip_str(line).to_string();
    let wanted = visible.trim_end().chars().count();
    let mut text = String::with_capacity(line.len());
    let (mut seen, mut is_code) = (0, false);
    for c in line.chars() {
        let starts_code = c == '\x1b';
        is_code |= starts_code;
        if is_code || seen < wanted {
            text.push(c);
        }
        if is_code {
            // Colours are the only codes here, and each ends with an `m`.
            is_code = c != 'm';
        } else {
            seen += 1;
        }
    }
    text
}

/// The table crate has its own names for colours.
fn styled(cell: Cell, tone: Tone) -> Cell {
    let style = tone.style();
    let mut cell = cell;
    if let Some(StyleColor::Ansi(color)) = style.get_fg_color() {
        cell = cell.fg(match color {
            AnsiColor::Red => Color::DarkRed,
            AnsiColor::Green => Color::DarkGreen,
            AnsiColor::Yellow => Color::DarkYellow,
            AnsiColor::Blue => Color::DarkBlue,
            AnsiColor::Cyan => Color::DarkCyan,
            _ => Color::Reset,
        });
    }
    let effects = style.get_effects();
    if effects.contains(anstyle::Effects::BOLD) {
        cell = cell.add_attribute(Attribute::Bold);
    }
    if effects.contains(anstyle::Effects::DIMMED) {
        cell = cell.add_attribute(Attribute::Dim);
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_screen_nothing_is_cut_and_columns_stand_below_their_titles() {
        let columns = [
            Column::new("NAME", |text: &String| text.clone()),
            Column::new("LENGTH", |text: &String| text.len().to_string()).number(),
            Column::new("TWICE", |text: &String| text.repeat(2)).wide(),
        ];
        let long = "x".repeat(300);
        let items = ["ab".to_owned(), long.clone()];
        let text = |has_headers| {
            let layout = Layout {
                is_wide: false,
                has_headers,
                width: None,
            };
            anstream::adapter::strip_str(&render(&items, &columns, layout)).to_string()
        };
        let rows = text(false);
        let text = text(true);
        assert_eq!(text.lines().skip(1).count(), rows.lines().count());
        assert!(!rows.contains("NAME"), "{rows}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("NAME") && lines[0].ends_with("LENGTH"));
        assert!(lines[2].starts_with(&long) && lines[2].ends_with("300"));
        assert!(!text.contains("TWICE"));
    }

    #[test]
    fn on_a_screen_spare_columns_make_room_and_texts_are_cut_but_titles_are_not_broken() {
        let columns = [
            Column::new("NAME", |text: &String| text.clone()),
            Column::new("KIND", |_: &String| "k".repeat(9)).spare(),
            Column::new("COUNT", |_: &String| "12".to_owned()).number(),
            Column::new("LAST", |_: &String| "x".to_owned()).number().spare(),
        ];
        let shown = |width| {
            let layout = Layout {
                is_wide: false,
                has_headers: true,
                width: Some(width),
            };
            let items = ["a name of some length".to_owned()];
            anstream::adapter::strip_str(&render(&items, &columns, layout)).to_string()
        };
        let titles = |width| {
            let text = shown(width);
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            assert_eq!(lines.len(), 2, "{text}");
            assert!(
                lines.iter().all(|line| line.chars().count() <= width.into()),
                "{text}"
            );
            lines[0].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(titles(60), ["NAME", "KIND", "COUNT", "LAST"]);
        assert_eq!(titles(24), ["NAME", "KIND", "COUNT"]);
        assert_eq!(titles(14), ["NAME", "COUNT"]);
        assert!(shown(24).contains('…'), "{}", shown(24));
        assert!(!shown(60).contains('…'), "{}", shown(60));
    }

    #[test]
    fn spaces_at_the_end_go_and_colours_stay_closed() {
        assert_eq!(
            without_trailing_spaces("\x1b[31mab  \x1b[0m  "),
            "\x1b[31mab\x1b[0m"
        );
        assert_eq!(without_trailing_spaces("  a b"), "  a b");
        assert_eq!(without_trailing_spaces("   "), "");
    }
}
