//! What is wrong with a configuration file, and where: for people who write such a file
//! once a year.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How many problems are told, at most: a file that is none at all has one a line.
const PROBLEMS_MAX: usize = 50;

/// How much of a line is shown, around the place.
const LINE_CHARS_MAX: usize = 100;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is not taken.
    Error,
    /// It is taken, and may not do what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// Where it is, in bytes of the file; `None`: nowhere in particular.
    pub place: Option<Range<usize>>,
    /// What it is, in a sentence.
    pub says: String,
}

/// What is found while a file is read.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Something because of which the file is not taken.
    pub(super) fn error(&self, place: impl Into<Option<Range<usize>>>, says: impl Into<String>) {
        self.add(Severity::Error, place.into(), says.into());
    }

    /// Something that may not be what was meant.
    pub(super) fn warning(&self, place: impl Into<Option<Range<usize>>>, says: impl Into<String>) {
        self.add(Severity::Warning, place.into(), says.into());
    }

    fn add(&self, severity: Severity, place: Option<Range<usize>>, says: String) {
        let mut problems = self.0.borrow_mut();
        let problem = Problem { severity, place, says };
        if problems.len() < PROBLEMS_MAX && !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Whether the file is not taken.
    pub(super) fn has_error(&self) -> bool {
        self.0.borrow().iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them, in the order of the file.
    pub(super) fn into_told(self, file: &Path, text: &str) -> Told {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|problem| problem.place.as_ref().map_or(0, |place| place.start));
        let problems = problems.into_iter().map(|problem| ToldProblem::new(problem, text)).collect();
        Told { file: file.to_owned(), problems }
    }
}

/// What is wrong with a file, as people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong, in the order of the file.
    pub problems: Vec<ToldProblem>,
}

/// One thing that is wrong, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldProblem {
    /// How much it matters.
    pub severity: Severity,
    /// Its line and column, from 1 on.
    pub place: Option<(usize, usize)>,
    /// What it is, in a sentence.
    pub says: String,
    /// The line, and which of its letters are meant.
    shown: Option<(String, Range<usize>)>,
}

impl Told {
    /// How many of these there are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }
}

impl ToldProblem {
    fn new(Problem { severity, place, says }: Problem, text: &str) -> ToldProblem {
        let shown = place.as_ref().and_then(|place| shown(place, text));
        let place = place.and_then(|place| line_and_column(place.start, text));
        ToldProblem { severity, place, says, shown }
    }
}

/// The line and column of a byte, from 1 on.
fn line_and_column(at: usize, text: &str) -> Option<(usize, usize)> {
    let before = text.get(..at)?;
    let line = before.rsplit('\n').next()?;
    Some((before.matches('\n').count() + 1, line.chars().count() + 1))
}

/// The line in which a place begins, and which of its letters belong to it.
fn shown(place: &Range<usize>, text: &str) -> Option<(String, Range<usize>)> {
    let from = text.get(..place.start)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(from..)?.lines().next()?;
    let chars = |bytes: usize| line.get(..bytes.min(line.len())).map(|part| part.chars().count());
    let (start, end) = (chars(place.start - from)?, chars(place.end - from)?);
    let end = end.max(start + 1);
    let skipped = start.saturating_sub(LINE_CHARS_MAX / 2);
    // A tab would put the mark elsewhere.
    let line: String = line.chars().skip(skipped).take(LINE_CHARS_MAX).map(visible).collect();
    let marked = start - skipped..(end - skipped).min(line.chars().count().max(start - skipped + 1));
    Some((line, marked))
}

fn visible(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some((line, column)) = problem.place {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}: {}", problem.severity, problem.says)?;
            if let (Some((text, marked)), Some((line, _))) = (&problem.shown, problem.place) {
                let number = line.to_string();
                let (gap, marks) = (" ".repeat(marked.start), "^".repeat(marked.len()));
                write!(f, "\n  {number} | {text}\n  {} | {gap}{marks}", " ".repeat(number.len()))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Told {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_in_its_line() {
        let text = "a = 1\n\tgrüße = \"Ühm\" # x\n";
        let at = text.find("\"Ühm\"").unwrap();
        let problems = Problems::default();
        problems.warning(None, "it is short.");
        problems.error(at..at + "\"Ühm\"".len(), "that is no number.");
        problems.error(at..at + "\"Ühm\"".len(), "that is no number.");
        problems.error(0..text.len(), "all of it.");
        assert!(problems.has_error());
        let told = problems.into_told(Path::new("w.toml"), text);
        assert_eq!((told.count(Severity::Error), told.count(Severity::Warning)), (2, 1));
        assert_eq!(
            told.to_string(),
            "w.toml: warning: it is short.\n\
             w.toml:1:1: error: all of it.\n  1 | a = 1\n    | ^^^^^\n\
             w.toml:2:10: error: that is no number.\n  2 |  grüße = \"Ühm\" # x\n    |          ^^^^^"
        );
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let text = format!("{}X{}", "a".repeat(1_000), "b".repeat(1_000));
        let problems = Problems::default();
        problems.error(1_000..1_001, "an X.");
        let told = problems.into_told(Path::new("w"), &text).to_string();
        let line = format!("{}X{}", "a".repeat(50), "b".repeat(49));
        assert_eq!(told, format!("w:1:1001: error: an X.\n  1 | {line}\n    | {}^", " ".repeat(50)));
        // At the very end of the file, and beyond it.
        for place in [text.len()..text.len(), 9_999..10_000] {
            let problems = Problems::default();
            problems.error(place, "the end.");
            assert!(problems.into_told(Path::new("w"), &text).to_string().contains("the end."));
        }
    }
}
