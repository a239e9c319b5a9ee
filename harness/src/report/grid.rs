//! A matrix as a grid: a row for each source, a column for each port of each
//! destination, one sign for each cell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tabled::builder::Builder;
use tabled::settings::object::{Cell as At, Columns};
use tabled::settings::style::{Style, VerticalLine};
use tabled::settings::{Modify, Padding, Span};
use unicode_width::UnicodeWidthStr;

use super::look::Look;
use super::mark::Mark;
use crate::model::{Cell, Endpoint, Family, Protocol, Via};

/// A grid with more rows or columns than this shows only those in which something differs.
const LARGE: usize = 40;

/// The order of fields is the order of columns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    destination: Endpoint,
    via: Via,
    port: u16,
    protocol: Protocol,
}

impl Column {
    fn of(cell: &Cell) -> Self {
        Self {
            destination: cell.destination.clone(),
            via: cell.via,
            port: cell.port,
            protocol: cell.protocol,
        }
    }

    /// The two lines of the destination: what it is in, and its name.
    fn names(&self) -> (&str, &str) {
        match &self.destination {
            Endpoint::Pod(pod) => (&pod.namespace, &pod.name),
            Endpoint::External(name) => ("", name),
            Endpoint::Node(name) => ("node", name),
        }
    }

    fn port(&self) -> String {
        let mut text = format!(":{}", self.port);
        if self.protocol != Protocol::Tcp {
            let _ = write!(text, "/{}", self.protocol);
        }
        if self.via != Via::Pod {
            let _ = write!(text, " {}", self.via);
        }
        text
    }
}

/// One sign where both families agree, two where they do not.
type Marks = BTreeMap<Family, Mark>;

/// Renders cells as a grid with its legend, within the look's width: columns
/// that do not fit go into further grids beneath.
pub(crate) fn render(cells: impl IntoIterator<Item = (Cell, Mark)>, look: Look) -> String {
    let mut marks = BTreeMap::<(Endpoint, Column), Marks>::new();
    for (cell, mark) in cells {
        let at = (cell.source.clone(), Column::of(&cell));
        marks.entry(at).or_default().insert(cell.family, mark);
    }
    let mut rows: Vec<Endpoint> =
        marks.keys().map(|(row, _)| row.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut columns: Vec<Column> = marks
        .keys()
        .map(|(_, column)| column.clone())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let left_out = leave_out(&marks, &mut rows, &mut columns);

    let longest = look.table() / 3;
    let grid = Grid {
        names: rows.iter().map(|row| look.shorten(&row.to_string(), longest)).collect(),
        rows,
        marks,
        look,
    };
    let mut text = String::new();
    let mut rest = columns.as_slice();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(grid.fitting(rest));
        if !text.is_empty() {
            text.push('\n');
        }
        text += &grid.table(chunk, &grid.rows);
        rest = after;
    }
    text += &legend(&grid.marks, look);
    if let Some(sentence) = left_out {
        text += &look.wrap("  ", "  ", &sentence);
    }
    text
}

/// Leaves out the rows and columns of a large grid in which nothing differs.
fn leave_out(
    marks: &BTreeMap<(Endpoint, Column), Marks>,
    rows: &mut Vec<Endpoint>,
    columns: &mut Vec<Column>,
) -> Option<String> {
    if rows.len() <= LARGE && columns.len() <= LARGE {
        return None;
    }
    let differing = || marks.iter().filter(|(_, m)| m.values().any(|mark| mark.differs()));
    let differing_rows: BTreeSet<&Endpoint> = differing().map(|((row, _), _)| row).collect();
    let differing_columns: BTreeSet<&Column> = differing().map(|((_, column), _)| column).collect();
    if differing_rows.is_empty() {
        return None;
    }
    let before = (rows.len(), columns.len());
    rows.retain(|row| differing_rows.contains(row));
    columns.retain(|column| differing_columns.contains(column));
    let (fewer_rows, fewer_columns) = (before.0 - rows.len(), before.1 - columns.len());
    (fewer_rows + fewer_columns > 0).then(|| {
        format!(
            "not shown: {fewer_rows} of {} rows and {fewer_columns} of {} columns in which every cell is as it should be",
            before.0, before.1
        )
    })
}

/// What keeps the columns of one heading together, and the heading.
type Level = fn(&Column) -> (String, String);

struct Grid {
    rows: Vec<Endpoint>,
    names: Vec<String>,
    marks: BTreeMap<(Endpoint, Column), Marks>,
    look: Look,
}

impl Grid {
    /// How many of the columns fit into the width, at least one.
    fn fitting(&self, columns: &[Column]) -> usize {
        let width = self.look.table();
        let fits = |n: usize| {
            let table = self.table(&columns[..n], &[]);
            table.lines().map(UnicodeWidthStr::width).max().unwrap_or(0) <= width
        };
        let (mut low, mut high) = (1, columns.len());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        low
    }

    fn table(&self, columns: &[Column], rows: &[Endpoint]) -> String {
        let look = self.look;
        // Without rows this is only measured: the widest name then stands for all of them.
        let widest = self.names.iter().max_by_key(|name| name.width()).cloned().unwrap_or_default();
        let room = look.table().saturating_sub(widest.width() + 6);
        let mut table = Builder::default();
        let mut spans = Vec::new();
        // The destination in two lines, of which hosts outside the cluster need one.
        let mut levels: Vec<Level> =
            vec![|column| (String::new(), column.names().0.to_owned()), |column| {
                (column.destination.to_string(), column.names().1.to_owned())
            }];
        levels.retain(|level| columns.iter().any(|column| !level(column).1.is_empty()));
        for (level, key) in levels.iter().enumerate() {
            let mut record = vec![String::new()];
            let mut start = 0;
            for group in columns.chunk_by(|a, b| key(a) == key(b)) {
                record.push(look.shorten(&key(&group[0]).1, room));
                record.extend(vec![String::new(); group.len() - 1]);
                spans.push((level, start + 1, group.len()));
                start += group.len();
            }
            table.push_record(record);
        }
        let corner = if rows.is_empty() { widest.clone() } else { String::new() };
        table.push_record(std::iter::once(corner).chain(columns.iter().map(Column::port)));
        for (row, name) in rows.iter().zip(&self.names) {
            let signs: Vec<String> = columns.iter().map(|column| self.sign(row, column)).collect();
            if signs.iter().any(|sign| !sign.is_empty()) {
                table.push_record(std::iter::once(name.clone()).chain(signs));
            }
        }
        let mut table = table.build();
        table
            .with(Style::empty().verticals([(1, VerticalLine::new('│'))]))
            .with(Padding::new(1, 1, 0, 0))
            .with(Modify::new(Columns::first()).with(Padding::new(0, 1, 0, 0)));
        for (row, column, span) in spans {
            table.with(
                Modify::new(At::new(row, column))
                    .with(Span::column(isize::try_from(span).unwrap_or(isize::MAX))),
            );
        }
        ruled(&table.to_string(), levels.len() + 1)
    }

    fn sign(&self, row: &Endpoint, column: &Column) -> String {
        let Some(marks) = self.marks.get(&(row.clone(), column.clone())) else {
            return String::new();
        };
        let mut signs: Vec<Mark> = marks.values().copied().collect();
        signs.dedup();
        signs
            .into_iter()
            .map(|mark| self.look.paint(mark.style(), &mark.glyph().to_string()))
            .collect()
    }
}

/// Lines without the blanks at their ends, indented, with a rule beneath the heading.
fn ruled(table: &str, heading: usize) -> String {
    let mut text = String::new();
    for (n, line) in table.lines().enumerate() {
        if n == heading {
            let above = table.lines().next().unwrap_or_default();
            let rule = above.chars().map(|c| if c == '│' { '┼' } else { '─' });
            let wide = UnicodeWidthStr::width(above) - above.chars().count();
            let _ = writeln!(text, "  {}{}", rule.collect::<String>(), "─".repeat(wide));
        }
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text
}

fn legend(marks: &BTreeMap<(Endpoint, Column), Marks>, look: Look) -> String {
    let used: BTreeSet<Mark> = marks.values().flat_map(|m| m.values().copied()).collect();
    let mut text = String::from("\n");
    for mark in used {
        let sign = look.paint(mark.style(), &mark.glyph().to_string());
        text += &look.wrap(&format!("  {sign}  "), "     ", mark.meaning());
    }
    let differ = marks.values().any(|m| m.values().collect::<BTreeSet<_>>().len() > 1);
    if differ {
        text += &look.wrap("  ", "  ", "two signs: the first is IPv4, the second IPv6");
    }
    text
}
