//! `waterwatch check`: whether all is well, as a plugin of Nagios and its kin says it.
//!
//! What cannot be found out is not well: it is unknown, and says so.

mod alarms;
mod backup;
mod server;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::alarm::output;
use super::page::json;
use crate::cli::CheckOptions;
use crate::shown::text::plain;
use crate::shown::time::{Clock, span};

/// The exit code of what is not known.
pub const UNKNOWN: i32 = 3;

/// How well something is, the worst last: what is known to be bad says more than what
/// is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl Level {
    /// As the plugins' guidelines have it.
    fn exit_code(self) -> u8 {
        match self {
            Level::Ok => 0,
            Level::Warning => 1,
            Level::Critical => 2,
            Level::Unknown => 3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Level::Ok => "OK",
            Level::Unknown => "UNKNOWN",
            Level::Warning => "WARNING",
            Level::Critical => "CRITICAL",
        }
    }

    /// Of a value that should stay below both of these.
    fn of(value: u64, warning: Option<u64>, critical: Option<u64>) -> Level {
        let reaches = |limit: Option<u64>| limit.is_some_and(|limit| value >= limit);
        match (reaches(warning), reaches(critical)) {
            (_, true) => Level::Critical,
            (true, false) => Level::Warning,
            (false, false) => Level::Ok,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    status: Level,
    text: String,
    values: Vec<Value>,
}

/// A number for those who draw curves.
#[derive(Debug, Serialize)]
struct Value {
    name: &'static str,
    value: u64,
    /// `s`, or nothing.
    unit: &'static str,
    warning: Option<u64>,
    critical: Option<u64>,
}

/// All of it, for programs.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    status: Level,
    findings: &'a [Finding],
}

/// Looks at everything, says it in a line, and how well it is by the exit code.
#[must_use]
pub fn run(options: &CheckOptions) -> ExitCode {
    if let Some(why) = contradiction(options) {
        // Nobody may be there to read it; the exit code is.
        let _ = writeln!(std::io::stderr(), "waterwatch: {why}");
        return ExitCode::from(Level::Unknown.exit_code());
    }
    let clock = Clock::system();
    let mut findings = vec![server::look(options, &clock)];
    if !options.no_alarms {
        findings.extend(alarms::look(options, &clock));
    }
    if !options.backup.is_empty() {
        findings.push(backup::look(options, &clock));
    }
    let (mut out, _) = output();
    let status = worst(&findings);
    let printed = match options.json {
        true => json::object(&mut out, &Whole { status, findings: &findings }),
        false => writeln!(out, "{}", line(&findings)),
    };
    // Whoever reads it may be gone; the exit code is there.
    let _ = printed.and_then(|()| out.flush());
    ExitCode::from(status.exit_code())
}

/// That something would be critical before it is a warning, which nobody means.
fn contradiction(options: &CheckOptions) -> Option<String> {
    let age = |age: Duration| span(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    let ages = [
        ("unacknowledged", options.unacknowledged_warning(), options.unacknowledged_critical),
        ("backup", options.backup_warning(), options.backup_critical),
    ];
    let ages = ages.map(|(of, warning, critical)| (of, warning > critical, age(warning), age(critical)));
    let silent = options
        .silent_warning
        .zip(options.silent_critical)
        .map(|(warning, critical)| ("silent", warning > critical, warning.to_string(), critical.to_string()));
    let (of, _, warning, critical) = ages.into_iter().chain(silent).find(|(_, is_one, ..)| *is_one)?;
    Some(format!(
        "--{of}-warning is {warning}, and --{of}-critical {critical}: a warning must come first, or with it"
    ))
}

fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.status).max().unwrap_or(Level::Unknown)
}

/// `WATERWATCH WARNING - 2 alarms …; the server is ready | unacknowledged=2;;;0 …`
fn line(findings: &[Finding]) -> String {
    let mut worst_first: Vec<&Finding> = findings.iter().collect();
    worst_first.sort_by_key(|finding| std::cmp::Reverse(finding.status));
    // What follows a bar is data.
    let texts: Vec<String> =
        worst_first.iter().map(|finding| plain(&finding.text).replace('|', "/")).collect();
    let values: Vec<String> = findings.iter().flat_map(|finding| &finding.values).map(Value::data).collect();
    let data = if values.is_empty() { String::new() } else { format!(" | {}", values.join(" ")) };
    format!("WATERWATCH {} - {}{data}", worst(findings).name(), texts.join("; "))
}

impl Value {
    /// `unacknowledged=2;;;0`
    fn data(&self) -> String {
        let Value { name, value, unit, warning, critical } = self;
        let limit = |limit: &Option<u64>| limit.map_or_else(String::new, |limit| limit.to_string());
        format!("{name}={value}{unit};{};{};0", limit(warning), limit(critical))
    }
}

fn seconds(span: Duration) -> Option<u64> {
    Some(span.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_says_how_it_is_and_stands_first() {
        let finding =
            |status, text: &str, values| Finding { what: "server", status, text: text.to_owned(), values };
        let value = |name, value, warning| Value { name, value, unit: "s", warning, critical: None };
        let mut findings = vec![
            finding(Level::Ok, "the server is ready", Vec::new()),
            finding(Level::Unknown, "no | backup", vec![value("b", 2, None)]),
            finding(Level::Warning, "1 alarm\n", vec![value("a", 1, Some(5))]),
        ];
        assert_eq!(
            line(&findings),
            "WATERWATCH WARNING - 1 alarm\u{fffd}; no / backup; the server is ready | b=2s;;;0 a=1s;5;;0"
        );
        findings.pop();
        assert!(line(&findings).starts_with("WATERWATCH UNKNOWN - no / backup; "));
        findings.pop();
        assert_eq!(line(&findings), "WATERWATCH OK - the server is ready");
        let codes = [Level::Ok, Level::Warning, Level::Critical, Level::Unknown].map(Level::exit_code);
        assert_eq!(codes, [0, 1, 2, 3]);
    }

    #[test]
    fn a_limit_is_reached_by_what_is_as_much() {
        for (value, level) in [(4, Level::Ok), (5, Level::Warning), (6, Level::Warning), (7, Level::Critical)]
        {
            assert_eq!(Level::of(value, Some(5), Some(7)), level);
        }
        assert_eq!(Level::of(9, None, None), Level::Ok);
    }
}
