//! Tables for people: as many rows as there are, in the memory of a few.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, Table, Width, presets};

/// Rows that are laid out at once. The table of a million stations would
/// fill gigabytes with its cells; tables of this many rows, with one set of
/// widths, look the same.
const ROWS_AT_ONCE: usize = 10_000;

/// Blanks between two columns.
const GAP: u16 = 2;

/// A column: what stands above it, and whether its texts end below each other.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Column {
    header: &'static str,
    is_number: bool,
    is_optional: bool,
}

/// A column of words.
pub(in crate::commands) const fn words(header: &'static str) -> Column {
    Column { header, is_number: false, is_optional: false }
}

/// A column of numbers.
pub(in crate::commands) const fn numbers(header: &'static str) -> Column {
    Column { header, is_number: true, is_optional: false }
}

/// A column of words that is left out if no item has any.
pub(in crate::commands) const fn optional(header: &'static str) -> Column {
    Column { header, is_number: false, is_optional: true }
}

/// How a cell looks on a terminal. The words say the same without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Paint {
    /// Somebody must act.
    Alarm,
    /// Not known, or not well.
    Doubt,
    /// No longer of concern: the whole row.
    Past,
}

/// Writes a row for each item. `paint` says which column of it looks like
/// what; only a `terminal` gets colours.
pub(in crate::commands) fn write<T, const N: usize>(
    out: &mut impl Write,
    columns: [Column; N],
    items: &[T],
    terminal: bool,
    texts: impl Fn(&T) -> [String; N],
    paint: impl Fn(&T) -> Option<(usize, Paint)>,
) -> io::Result<()> {
    let mut widths = columns.map(|column| column.header.len());
    let mut is_shown = columns.map(|column| !column.is_optional);
    for item in items {
        for ((width, is_shown), text) in widths.iter_mut().zip(&mut is_shown).zip(texts(item)) {
            *width = text.chars().count().max(*width);
            *is_shown |= !text.is_empty();
        }
    }
    // Nothing stands to the right of the last one.
    let widths = widths.map(|width| u16::try_from(width).unwrap_or(u16::MAX).min(u16::MAX - GAP));
    for (place, items) in items.chunks(ROWS_AT_ONCE).enumerate() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if place == 0 {
            let shown = columns.iter().zip(is_shown).filter(|(_, is_shown)| *is_shown);
            table.set_header(shown.map(|(column, _)| column.header));
        }
        for item in items {
            let painted = paint(item);
            let shown = texts(item).into_iter().enumerate().filter(|(place, _)| is_shown[*place]);
            let cells = shown.map(|(place, text)| {
                let cell = Cell::new_owned(text);
                match painted {
                    Some((at, Paint::Alarm)) if at == place => {
                        cell.fg(Color::Red).add_attribute(Attribute::Bold)
                    }
                    Some((at, Paint::Doubt)) if at == place => cell.fg(Color::Yellow),
                    Some((_, Paint::Past)) => cell.fg(Color::DarkGrey),
                    _ => cell,
                }
            });
            table.add_row(cells);
        }
        let shown = columns.iter().zip(widths).zip(is_shown).filter(|(_, is_shown)| *is_shown);
        for (place, ((column, width), _)) in shown.enumerate() {
            let Some(laid_out) = table.column_mut(place) else { continue };
            laid_out.set_padding((0, GAP));
            laid_out.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + GAP)));
            if column.is_number {
                laid_out.set_cell_alignment(CellAlignment::Right);
            }
        }
        if terminal {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        writeln!(out, "{}", table.trim_fmt())?;
    }
    Ok(())
}
