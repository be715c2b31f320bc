//! The machine that is measured on, as its system describes it.

use std::fs;
use std::path::Path;

/// What a reader needs to know of it, as names and values.
pub(crate) fn describe(folder: &Path) -> Vec<(&'static str, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let unknown = || "unknown".to_owned();
    let cpu = value(&read("/proc/cpuinfo"), "model name", ':').unwrap_or_else(unknown);
    let cores = std::thread::available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string());
    let memory = value(&read("/proc/meminfo"), "MemTotal", ':').map_or_else(unknown, |kib| in_gib(&kib));
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let system = value(&read("/etc/os-release"), "PRETTY_NAME", '=')
        .map_or_else(unknown, |name| name.replace('"', ""));
    let file_system = folder
        .canonicalize()
        .ok()
        .and_then(|folder| file_system(&read("/proc/self/mounts"), &folder))
        .unwrap_or_else(unknown);
    vec![
        ("Processor", cpu),
        ("Cores", format!("{cores}, shared by the server and the load generator")),
        ("Memory", memory),
        ("System", format!("{system}, Linux {kernel}")),
        ("File system of the databases", file_system),
    ]
}

/// The value of `name` in lines of names and values.
fn value(text: &str, name: &str, separator: char) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(separator));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn in_gib(kib: &str) -> String {
    let number: Option<u64> = kib.split_whitespace().next().and_then(|number| number.parse().ok());
    number.map_or_else(|| kib.to_owned(), |kib| format!("{:.1} GiB", kib as f64 / 1_048_576.0))
}

/// The type of the file system that `path` is on: that of the longest mount
/// point above it, and of several there the last one.
fn file_system(mounts: &str, path: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        Some((Path::new(fields.next()?), fields.next()?))
    });
    mounts
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.components().count())
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_point_counts() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /data tmpfs rw 0 0\n/dev/vdb /data xfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/data/bench")).as_deref(), Some("xfs"));
        assert_eq!(file_system(mounts, Path::new("/database")).as_deref(), Some("ext4"));
    }

    #[test]
    fn names_and_values_are_told_apart() {
        assert_eq!(value("model name\t: EPYC: 2\n", "model name", ':').as_deref(), Some("EPYC: 2"));
        assert_eq!(in_gib("25165824 kB"), "24.0 GiB");
    }
}
