//! What is to go wrong, and when.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};

use crate::unsynced::Takes;

/// An operation that SQLite asks of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opening or making a file.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Syncing.
    Sync,
    /// Cutting a file off.
    Truncate,
    /// Deleting a file.
    Delete,
    /// Mapping a piece of the log's index.
    Shm,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] =
        [Kind::Open, Kind::Read, Kind::Write, Kind::Sync, Kind::Truncate, Kind::Delete, Kind::Shm];

    fn name(self) -> &'static str {
        match self {
            Kind::Open => "open",
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::Sync => "sync",
            Kind::Truncate => "truncate",
            Kind::Delete => "delete",
            Kind::Shm => "shm",
        }
    }

    /// Whether something may differ on the disk after it.
    fn changes(self) -> bool {
        self != Kind::Read
    }
}

/// Which operations are counted until the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Those of one kind.
    Kind(Kind),
    /// All that may change the disk.
    Changes,
}

/// What happens at the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It fails with this SQLite code. A write has written half by then.
    Fail(i32),
    /// It and all of its kind after it fail with this code.
    FailFromThen(i32),
    /// The process is killed before it.
    KillBefore,
    /// The process is killed while it is half done, if it is a write; before
    /// it otherwise.
    KillWithin,
    /// The process is killed after it.
    KillAfter,
    /// The power is cut before it.
    CutPower(Takes),
}

/// One thing that goes wrong. As text: `write:17:fail=778`,
/// `sync:3:fail-from-then=1034`, `changes:40:kill-within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which operations count.
    pub counted: Counted,
    /// At which of them, from 1.
    pub number: u64,
    /// What happens.
    pub act: Act,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = match self.counted {
            Counted::Kind(kind) => kind.name(),
            Counted::Changes => "changes",
        };
        write!(f, "{counted}:{}:", self.number)?;
        match self.act {
            Act::Fail(code) => write!(f, "fail={code}"),
            Act::FailFromThen(code) => write!(f, "fail-from-then={code}"),
            Act::KillBefore => write!(f, "kill-before"),
            Act::KillWithin => write!(f, "kill-within"),
            Act::KillAfter => write!(f, "kill-after"),
            Act::CutPower(Takes::All) => write!(f, "cut-power"),
            Act::CutPower(Takes::EveryOther) => write!(f, "cut-power-half"),
        }
    }
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Fault> {
        let [counted, number, act] = text.split(':').collect::<Vec<_>>()[..] else {
            bail!("a fault is KIND:NUMBER:ACT");
        };
        let counted = match Kind::ALL.into_iter().find(|kind| kind.name() == counted) {
            Some(kind) => Counted::Kind(kind),
            None if counted == "changes" => Counted::Changes,
            None => bail!("there is no operation \"{counted}\""),
        };
        let act = match act.split_once('=') {
            Some(("fail", code)) => Act::Fail(code.parse().context("a code of SQLite's")?),
            Some(("fail-from-then", code)) => Act::FailFromThen(code.parse().context("a code of SQLite's")?),
            None if act == "kill-before" => Act::KillBefore,
            None if act == "kill-within" => Act::KillWithin,
            None if act == "kill-after" => Act::KillAfter,
            None if act == "cut-power" => Act::CutPower(Takes::All),
            None if act == "cut-power-half" => Act::CutPower(Takes::EveryOther),
            _ => bail!("nothing is known of \"{act}\""),
        };
        Ok(Fault { counted, number: number.parse().context("which operation")?, act })
    }
}

impl Fault {
    /// What it makes of the operation that is number `number` of those that
    /// count.
    fn step(&self, kind: Kind, number: u64) -> Option<Step> {
        let step = match self.act {
            Act::FailFromThen(code) if number >= self.number => Step::Fail(code),
            _ if number != self.number => return None,
            Act::Fail(code) | Act::FailFromThen(code) => Step::Fail(code),
            Act::KillBefore => Step::KillBefore,
            Act::KillWithin => Step::KillWithin,
            Act::KillAfter => Step::KillAfter,
            Act::CutPower(takes) => Step::CutPower(takes),
        };
        if number == self.number {
            // The tests look for it.
            eprintln!("faulty disk: {} {number}: {step:?}", kind.name());
        }
        Some(step)
    }
}

/// What an operation is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Go,
    Fail(i32),
    KillBefore,
    KillWithin,
    KillAfter,
    CutPower(Takes),
}

/// All that is to go wrong in this process, and what has happened so far.
#[derive(Debug, Default)]
pub struct Plan {
    faults: Vec<Fault>,
    /// Every sync does nothing.
    pub(crate) never_sync: bool,
    counts: [AtomicU64; Kind::ALL.len()],
    changes: AtomicU64,
    counts_file: Option<PathBuf>,
    /// What a power cut would take is kept from process to process.
    pub(crate) memory_file: Option<PathBuf>,
}

impl Plan {
    /// Reads the variables; see the crate.
    ///
    /// # Errors
    /// If one of them says nothing that is known.
    pub fn from_environment() -> anyhow::Result<Plan> {
        let faults = std::env::var("FAULTY_DISK").unwrap_or_default();
        let parsed: anyhow::Result<_> =
            faults.split(',').filter(|fault| !fault.is_empty()).map(str::parse).collect();
        Ok(Plan {
            faults: parsed.with_context(|| format!("FAULTY_DISK={faults}"))?,
            never_sync: std::env::var_os("FAULTY_DISK_SYNC").is_some_and(|sync| sync == "off"),
            counts_file: std::env::var_os("FAULTY_DISK_COUNTS").map(PathBuf::from),
            memory_file: std::env::var_os("FAULTY_DISK_MEMORY").map(PathBuf::from),
            ..Plan::default()
        })
    }

    /// Counts an operation and says what it is to do.
    pub(crate) fn step(&self, kind: Kind) -> Step {
        let number = count(&self.counts[kind as usize]);
        let change = if kind.changes() { count(&self.changes) } else { 0 };
        let steps = self.faults.iter().filter_map(|fault| {
            let number = match fault.counted {
                Counted::Kind(counted) if counted == kind => number,
                Counted::Changes if kind.changes() => change,
                _ => return None,
            };
            fault.step(kind, number)
        });
        // Each says what it does; the last one wins.
        steps.fold(Step::Go, |_, step| step)
    }

    /// Whether there will be a power cut, for which what is not synced must be
    /// known.
    pub(crate) fn cuts_power(&self) -> bool {
        self.memory_file.is_some() || self.faults.iter().any(|fault| matches!(fault.act, Act::CutPower(_)))
    }

    /// Writes the counts to the file that is named for them.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_counts(&self) -> anyhow::Result<()> {
        let Some(path) = &self.counts_file else { return Ok(()) };
        let mut lines = String::new();
        for kind in Kind::ALL {
            let count = self.counts[kind as usize].load(Ordering::SeqCst);
            lines.push_str(&format!("{} {count}\n", kind.name()));
        }
        lines.push_str(&format!("changes {}\n", self.changes.load(Ordering::SeqCst)));
        std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_it_is_written() {
        for text in [
            "write:17:fail=778",
            "sync:3:fail-from-then=1034",
            "changes:40:kill-within",
            "open:1:kill-before",
            "shm:2:kill-after",
            "changes:7:cut-power",
            "changes:7:cut-power-half",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for wrong in ["write:17", "wrote:1:fail=1", "write:x:fail=1", "write:1:fall=1", "write:1:fail"] {
            wrong.parse::<Fault>().unwrap_err();
        }
    }

    #[test]
    fn it_happens_at_its_operation_and_only_there_unless_it_stays() {
        let steps = |fault: &str| {
            let plan = Plan { faults: vec![fault.parse().unwrap()], ..Plan::default() };
            [Kind::Write, Kind::Sync, Kind::Read, Kind::Write, Kind::Write].map(|kind| plan.step(kind))
        };
        use Step::{Fail, Go, KillBefore};
        assert_eq!(steps("write:2:fail=10"), [Go, Go, Go, Fail(10), Go]);
        assert_eq!(steps("write:2:fail-from-then=10"), [Go, Go, Go, Fail(10), Fail(10)]);
        assert_eq!(steps("changes:3:kill-before"), [Go, Go, Go, KillBefore, Go]);
    }
}
