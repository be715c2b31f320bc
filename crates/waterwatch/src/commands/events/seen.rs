//! What a follower has shown of late: by it a ledger is known again.

use std::collections::VecDeque;

use serde_json::value::Value;

/// Entries that are remembered. A ledger that has none of so many is another one.
const REMEMBERED_MAX: usize = 1_000;

/// By what an entry is known: no two have all of this, and no entry is ever changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) sequence: i64,
    is: [Value; 4],
}

/// The last entries that were shown, in their order.
#[derive(Debug, Default)]
pub(super) struct Seen(VecDeque<Mark>);

impl Mark {
    /// Of an entry as the server writes it; `None` if it is none.
    pub(super) fn of(event: &Value) -> Option<Mark> {
        let is = ["received_at", "source", "point", "kind"].map(|field| event[field].clone());
        Some(Mark { sequence: event["sequence"].as_i64()?, is })
    }
}

impl Seen {
    /// Remembers an entry, unless it is no newer than the last.
    pub(super) fn add(&mut self, mark: Mark) {
        if self.last().is_some_and(|last| last >= mark.sequence) {
            return;
        }
        if self.0.len() == REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(mark);
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<i64> {
        self.0.back().map(|mark| mark.sequence)
    }

    /// Forgets what a ledger `has` not, and says whether it has all. What two ledgers have
    /// in common they have from the beginning on.
    pub(super) fn forget_what_is_gone<E>(
        &mut self,
        mut has: impl FnMut(&Mark) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let Some(last) = self.0.back() else { return Ok(true) };
        if has(last)? {
            return Ok(true);
        }
        let (mut kept, mut gone) = (0, self.0.len() - 1);
        while kept < gone {
            let middle = kept.midpoint(gone);
            if has(&self.0[middle])? {
                kept = middle + 1;
            } else {
                gone = middle;
            }
        }
        self.0.truncate(kept);
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_two_ledgers_have_in_common_is_found() {
        let mark = |sequence: i64| Mark::of(&json!({"sequence": sequence, "kind": "raised"})).unwrap();
        let sequences = || (1..=1_100).map(|place| place * 3);
        for parts_at in [0, 298, 303, 1_000, 3_299, 3_300, 9_999] {
            let mut seen = Seen::default();
            sequences().for_each(|sequence| seen.add(mark(sequence)));
            seen.add(mark(7));
            let mut asked = 0;
            let all = seen.forget_what_is_gone(|mark| {
                asked += 1;
                Ok::<_, ()>(mark.sequence <= parts_at)
            });
            assert_eq!(all, Ok(parts_at >= 3_300), "{parts_at}");
            let first = 3 * (1_100 - REMEMBERED_MAX as i64 + 1);
            let last = sequences().rfind(|sequence| (first..=parts_at).contains(sequence));
            assert_eq!(seen.last(), last, "{parts_at}");
            assert!(asked < 13, "{asked} questions");
        }
        let other = Mark::of(&json!({"sequence": 3, "kind": "returned"})).unwrap();
        assert_ne!(mark(3), other, "another entry has the number");
    }
}
