//! What a process has used, as Linux tells it in `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, anyhow};

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Processor time, its own and the system's on its behalf. It is counted
    /// in ticks (10 ms as a rule), so it takes seconds to mean something.
    pub(crate) cpu: Duration,
    /// Bytes that it had written to a disk; `None` if we may not know.
    pub(crate) written_bytes: Option<u64>,
}

impl Usage {
    /// What the process `pid` has used until now.
    ///
    /// # Errors
    /// There is no such process, or this is not Linux.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("cannot read what process {pid} has used"))?;
        let ticks = cpu_ticks(&stat).ok_or_else(|| anyhow!("/proc/{pid}/stat reads strangely: {stat}"))?;
        // Only the process's own user may read this one.
        let written_bytes = fs::read_to_string(format!("/proc/{pid}/io")).ok().and_then(|io| written(&io));
        let ticks_per_s = rustix::param::clock_ticks_per_second();
        Ok(Usage { cpu: Duration::from_micros(ticks * 1_000_000 / ticks_per_s), written_bytes })
    }

    /// What was used since `before`.
    pub(crate) fn since(self, before: Usage) -> Usage {
        let written_bytes =
            self.written_bytes.zip(before.written_bytes).map(|(now, before)| now.saturating_sub(before));
        Usage { cpu: self.cpu.saturating_sub(before.cpu), written_bytes }
    }
}

/// Fields 14 and 15 of `/proc/PID/stat`, see proc(5). The second field, the
/// name, is in brackets and may contain anything, brackets and blanks too.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(14 - 3);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn written(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_contain_anything() {
        let stat = "42 (a) 1 (b) S 1 42 42 0 -1 4194304 100 0 0 0 7 5 0 0 20 0 1 0 100 1000 10";
        assert_eq!(cpu_ticks(stat), Some(12));
        assert_eq!(cpu_ticks("nonsense"), None);
    }

    #[test]
    fn our_own_usage_can_be_read() {
        let now = Usage::of(std::process::id()).unwrap();
        assert_eq!(now.since(now).cpu, Duration::ZERO);
    }
}
