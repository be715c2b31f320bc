//! What a process has used and holds, as Linux tells it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, anyhow};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Processor time of all its threads, those that have ended included, and
    /// the system's on its behalf. In nanoseconds, from the process' own clock:
    /// `/proc/PID/stat` counts in ticks of 10 ms.
    pub(crate) cpu: Duration,
    /// Bytes that it had written to a disk; `None` if we may not know.
    pub(crate) written_bytes: Option<u64>,
}

impl Usage {
    /// What the process `pid` has used until now.
    ///
    /// # Errors
    /// There is no such process.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Usage> {
        let raw = i32::try_from(pid).context("no process id")?;
        let cpu = clock_getcpuclockid(Pid::from_raw(raw))
            .and_then(clock_gettime)
            .with_context(|| format!("cannot read what process {pid} has used"))?;
        // Only the process's own user may read this one.
        let io = fs::read_to_string(format!("/proc/{pid}/io")).ok();
        let written_bytes = io.and_then(|io| field(&io, "write_bytes:"));
        Ok(Usage { cpu: cpu.into(), written_bytes })
    }

    /// What was used since `before`.
    pub(crate) fn since(self, before: Usage) -> Usage {
        let written_bytes =
            self.written_bytes.zip(before.written_bytes).map(|(now, before)| now.saturating_sub(before));
        Usage { cpu: self.cpu.saturating_sub(before.cpu), written_bytes }
    }
}

/// What a process holds in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All of it that is resident, files that it has mapped included.
    pub(crate) resident_bytes: u64,
    /// What is its own: neither shared nor from a file.
    pub(crate) anonymous_bytes: u64,
}

impl Memory {
    /// What the process `pid` holds now.
    ///
    /// # Errors
    /// There is no such process, or this is not Linux.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Memory> {
        let path = format!("/proc/{pid}/status");
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let bytes = |name| {
            let kib: Option<u64> = field(&status, name);
            kib.map(|kib| kib * 1_024).ok_or_else(|| anyhow!("{path} does not say {name}"))
        };
        Ok(Memory { resident_bytes: bytes("VmRSS:")?, anonymous_bytes: bytes("RssAnon:")? })
    }
}

/// The number after `name` in a file of `/proc`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn fields_are_found_by_their_name() {
        let status = "Name:\tVmRSS: 7\nVmRSS:\t    1234 kB\nRssAnon:\t     144 kB\n";
        assert_eq!(field(status, "VmRSS:"), Some(1_234));
        assert_eq!(field(status, "VmSwap:"), None);
        assert_eq!(field("write_bytes: 4096\ncancelled_write_bytes: 0\n", "write_bytes:"), Some(4_096));
    }

    #[test]
    fn processor_time_is_told_finer_than_in_ticks() {
        let before = Usage::of(std::process::id()).unwrap();
        let began = Instant::now();
        // Threads of other tests count as well, so it can only be more.
        while began.elapsed() < Duration::from_millis(3) {}
        let used = Usage::of(std::process::id()).unwrap().since(before).cpu;
        assert!(used > Duration::from_micros(100), "{used:?}");
    }

    #[test]
    fn memory_that_is_filled_is_held() {
        let before = Memory::of(std::process::id()).unwrap();
        let filled = vec![1_u8; 64 << 20];
        let after = Memory::of(std::process::id()).unwrap();
        assert!(after.anonymous_bytes >= before.anonymous_bytes + (32 << 20), "{before:?} {after:?}");
        drop(filled);
    }
}
