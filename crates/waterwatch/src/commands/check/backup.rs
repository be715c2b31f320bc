//! How old the newest backup is.

use super::{Finding, Level, Value, seconds};
use crate::backups;
use crate::cli::CheckOptions;
use crate::shown::time::{Clock, span};

pub(super) fn look(options: &CheckOptions, clock: &Clock) -> Finding {
    let (warning, critical) = (seconds(options.backup_warning()), seconds(options.backup_critical));
    let finding = |status, text, values| Finding { what: "backup", status, text, values };
    let newest = match backups::newest(&options.backup) {
        Ok(newest) => newest,
        Err((path, error)) => {
            let text = format!("cannot look for the backup {}: {error}", path.display());
            return finding(Level::Unknown, text, Vec::new());
        }
    };
    let Some((at_ms, file)) = newest else {
        let which: Vec<String> = options.backup.iter().map(|path| path.display().to_string()).collect();
        return finding(Level::Critical, format!("there is no backup {}", which.join(", ")), Vec::new());
    };
    let Some(age_s) = clock.age_s(at_ms).and_then(|age_s| u64::try_from(age_s).ok()) else {
        let text = format!("the backup {} is from a time that lies ahead of the clock", file.display());
        return finding(Level::Unknown, text, Vec::new());
    };
    let age = span(i64::try_from(age_s).unwrap_or(i64::MAX));
    let text = format!("the newest backup is {age} old");
    let value = Value { name: "backup_age", value: age_s, unit: "s", warning, critical };
    finding(Level::of(age_s, warning, critical), text, vec![value])
}
