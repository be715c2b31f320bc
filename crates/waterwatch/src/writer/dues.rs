//! When things are due by the clock on the wall, the first first.

use std::collections::BTreeSet;
use std::hash::Hash;

use hashbrown::HashMap;

/// When each alarm or station has something due, each once.
#[derive(Debug)]
pub(super) struct Dues<K> {
    by_time: BTreeSet<(i64, K)>,
    of: HashMap<K, i64>,
}

impl<K> Default for Dues<K> {
    fn default() -> Dues<K> {
        Dues { by_time: BTreeSet::new(), of: HashMap::new() }
    }
}

impl<K: Clone + Ord + Hash> Dues<K> {
    /// The first of all, and when it is due.
    pub(super) fn first(&self) -> Option<(i64, &K)> {
        self.by_time.first().map(|(due_ms, key)| (*due_ms, key))
    }

    /// Whether the time of any has come.
    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        self.first().is_some_and(|(due_ms, _)| due_ms <= now_ms)
    }

    /// Whose time has come, the first first.
    pub(super) fn due(&self, now_ms: i64, keys_max: usize) -> Vec<K> {
        let due = self.by_time.iter().take_while(|(due_ms, _)| *due_ms <= now_ms);
        due.take(keys_max).map(|(_, key)| key.clone()).collect()
    }

    /// When its time is; `None`: nothing is due.
    pub(super) fn set(&mut self, key: &K, due_ms: Option<i64>) {
        let before = match due_ms {
            Some(due_ms) => self.of.insert(key.clone(), due_ms),
            None => self.of.remove(key),
        };
        if before == due_ms {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key.clone()));
        }
        if let Some(due_ms) = due_ms {
            self.by_time.insert((due_ms, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_once_and_at_the_time_that_was_set_last() {
        let mut dues = Dues::default();
        for (key, due_ms) in [("a", Some(30)), ("b", Some(10)), ("c", Some(20)), ("a", Some(5)), ("c", None)]
        {
            dues.set(&key, due_ms);
        }
        assert!(!dues.is_due(4) && dues.is_due(5));
        assert_eq!(dues.due(5, 9), ["a"]);
        assert_eq!(dues.due(30, 9), ["a", "b"], "once, and at no time that was taken back");
        assert_eq!(dues.due(30, 1), ["a"]);
        dues.set(&"a", None);
        dues.set(&"b", None);
        assert!(!dues.is_due(i64::MAX));
    }
}
