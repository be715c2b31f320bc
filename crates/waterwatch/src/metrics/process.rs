//! The process itself, under the names that every Prometheus client uses.
//!
//! What the system does not tell is left out, never shown as 0.

use std::fmt;
use std::fs;
use std::time::{Duration, SystemTime};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What the system says of this process.
#[derive(Debug)]
pub(super) struct Process {
    started: SystemTime,
}

impl Process {
    /// One that started then.
    pub(super) fn started(started: SystemTime) -> Process {
        Process { started }
    }
}

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let cpu = ConstCounter::new(cpu_time().as_secs_f64());
        let help = "Processor time of all threads, user and system";
        put(&mut to, "process_cpu_seconds", help, Some(&Unit::Seconds), &cpu)?;
        if let Some(bytes) = resident_bytes() {
            let help = "Memory that is resident";
            let bytes = ConstGauge::new(bytes);
            put(&mut to, "process_resident_memory_bytes", help, Some(&Unit::Bytes), &bytes)?;
        }
        if let Some(files) = open_files() {
            put(
                &mut to,
                "process_open_fds",
                "Open files, connections included",
                None,
                &ConstGauge::new(files),
            )?;
        }
        if let Some(files) = getrlimit(Resource::Nofile).current {
            let files = ConstGauge::new(i64::try_from(files).unwrap_or(i64::MAX));
            put(&mut to, "process_max_fds", "Files that may be open (RLIMIT_NOFILE)", None, &files)?;
        }
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let started = ConstGauge::new(started.as_secs_f64());
        let help = "When the process started, since 1970 UTC";
        put(&mut to, "process_start_time_seconds", help, Some(&Unit::Seconds), &started)
    }
}

/// Writes one metric that is known now; its unit ends its name.
pub(super) fn put(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    let name = match unit {
        Some(unit) => {
            name.strip_suffix(unit.as_str()).and_then(|name| name.strip_suffix('_')).unwrap_or(name)
        }
        None => name,
    };
    metric.encode(to.encode_descriptor(name, help, unit, metric.metric_type())?)
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

fn open_files() -> Option<i64> {
    // Newer systems say how many entries there are; older ones must be asked for each.
    let entries = fs::metadata("/proc/self/fd").ok()?.len();
    let files = match usize::try_from(entries) {
        Ok(entries) if entries > 0 => entries,
        // This looking is one of them.
        _ => fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1),
    };
    i64::try_from(files).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_something_of_this_process() {
        let before = open_files().unwrap();
        let files: Vec<_> = (0..20).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        assert!(open_files().unwrap() >= before + 10, "{before}");
        drop(files);
        assert!(resident_bytes().unwrap() > 1_000_000);
        assert!(cpu_time() > Duration::ZERO);
    }
}
