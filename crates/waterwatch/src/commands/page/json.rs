//! JSON for programs: one object, or one array of them.

use std::io::{self, Write};

use serde::Serialize;

/// Writes one object as one line.
pub(in crate::commands) fn object(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    writeln!(out)
}

/// Writes an array, an object a line.
pub(in crate::commands) fn array<T: Serialize>(
    out: &mut impl Write,
    objects: impl Iterator<Item = T>,
) -> io::Result<()> {
    between(out, objects, ["[\n  ", ",\n  ", "\n]\n"])
}

/// An array that is written as its objects become known, an object a line.
pub(in crate::commands) struct Array<W> {
    out: W,
    is_empty: bool,
}

impl<W: Write> Array<W> {
    pub(in crate::commands) fn new(out: W) -> Array<W> {
        Array { out, is_empty: true }
    }

    pub(in crate::commands) fn push(&mut self, object: &impl Serialize) -> io::Result<()> {
        self.out.write_all(if self.is_empty { b"[\n  " } else { b",\n  " })?;
        self.is_empty = false;
        Ok(serde_json::to_writer(&mut self.out, object)?)
    }

    pub(in crate::commands) fn end(mut self) -> io::Result<()> {
        self.out.write_all(if self.is_empty { b"[]\n" } else { b"\n]\n" })?;
        self.out.flush()
    }
}

/// Writes an array as one line.
pub(in crate::commands) fn array_line<T: Serialize>(
    out: &mut impl Write,
    objects: impl Iterator<Item = T>,
) -> io::Result<()> {
    between(out, objects, ["[", ",", "]\n"])
}

fn between<T: Serialize>(
    out: &mut impl Write,
    objects: impl Iterator<Item = T>,
    [begin, between, end]: [&str; 3],
) -> io::Result<()> {
    let mut mark = begin;
    for object in objects {
        out.write_all(mark.as_bytes())?;
        serde_json::to_writer(&mut *out, &object)?;
        mark = between;
    }
    if mark == begin {
        return writeln!(out, "[]");
    }
    out.write_all(end.as_bytes())
}
