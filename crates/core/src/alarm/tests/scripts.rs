//! Scripts that a supervisor could read: a line is a time and what happens
//! then, and behind the bar what is written in the ledger, the state after it,
//! and which occurrence is open (`#1` is the first).
//!
//! A line `given …` settles the point; what is not given is as by default.

mod chatter;
mod delays;
mod hiding;
mod raising;

use std::fmt::Write as _;

use super::life::{HOUR_MS, Life, MINUTE_MS, SECOND_MS};
use crate::alarm::{Event, Input, Kind, Order, PointSettings, Priority};

/// Plays the script and compares what comes of it with what it says.
fn plays(script: &str) {
    let script: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut teller = Teller { life: Life::new(PointSettings::of(Priority::High)), names: Vec::new() };
    let mut played = String::new();
    for line in &script {
        let said = line.split_once('|').map_or(*line, |(said, _)| said.trim());
        if let Some(given) = said.strip_prefix("given ") {
            teller.life.settings = settings(given);
            writeln!(played, "{line}").unwrap();
            continue;
        }
        let (time, what) = said.split_once(' ').expect("a time and what happens");
        let outcome = teller.takes(time, what.trim());
        writeln!(played, "{said} | {outcome}").unwrap();
    }
    let wanted: String = script
        .iter()
        .map(|line| match line.split_once('|') {
            Some((said, outcome)) => format!("{} | {}\n", said.trim(), outcome.trim()),
            None => format!("{line}\n"),
        })
        .collect();
    assert!(played == wanted, "the script says\n{wanted}\nand what happens is\n{played}");
}

fn settings(given: &str) -> PointSettings {
    let mut settings = PointSettings::of(Priority::High);
    for one in given.split(", ") {
        let words: Vec<&str> = one.split(' ').collect();
        match words[..] {
            ["comms"] => settings.latched = false,
            ["disabled"] => settings.enabled = false,
            ["enabled"] => settings.enabled = true,
            [name] => settings = PointSettings::of(Priority::from_name(name).expect(name)),
            ["on-delay", long, unit] => settings.on_delay_ms = lasts(long, unit),
            ["off-delay", long, unit] => settings.off_delay_ms = lasts(long, unit),
            ["stuck", "after", long, unit] => settings.stuck_after_ms = lasts(long, unit),
            ["re-alarm", "after", long, unit] => settings.realarm_after_ms = Some(lasts(long, unit)),
            ["more", "than", raises, "raises", "in", long, unit] => {
                settings.chatter_raises = raises.parse().unwrap();
                settings.chatter_window_ms = lasts(long, unit);
            }
            _ => panic!("nobody settles {one}"),
        }
    }
    settings
}

fn lasts(long: &str, unit: &str) -> i64 {
    long.parse::<i64>().expect(long)
        * match unit {
            "s" => SECOND_MS,
            "min" => MINUTE_MS,
            "h" => HOUR_MS,
            _ => panic!("{unit} is no unit"),
        }
}

/// `HH:MM` or `HH:MM:SS`; hours go on beyond 24.
fn time_ms(time: &str) -> i64 {
    let units = [HOUR_MS, MINUTE_MS, SECOND_MS];
    time.split(':').zip(units).map(|(digits, unit_ms)| digits.parse::<i64>().expect(time) * unit_ms).sum()
}

fn time(ms: i64) -> String {
    let (hours, minutes, seconds) = (ms / HOUR_MS, ms / MINUTE_MS % 60, ms / SECOND_MS % 60);
    if seconds == 0 {
        format!("{hours:02}:{minutes:02}")
    } else {
        format!("{hours:02}:{minutes:02}:{seconds:02}")
    }
}

struct Teller {
    life: Life,
    /// The sequences of the occurrences so far.
    names: Vec<i64>,
}

impl Teller {
    fn takes(&mut self, at: &str, what: &str) -> String {
        self.life.now_ms = time_ms(at);
        let words: Vec<&str> =
            what.split(' ').map(|word| if word == "Nobody" { " " } else { word }).collect();
        let current = self.life.occurrence();
        let order = || {
            let (_, end) = what.split_once(" until ").expect("an end");
            let (until, reason) = end.split_once(": ").unwrap_or((end.trim_end_matches(':'), ""));
            Order { until_ms: time_ms(until), by: words[0], reason }
        };
        let input = match words[..] {
            ["contact", "on"] => Input::Contact(true),
            ["contact", "off"] => Input::Contact(false),
            ["time", "passes"] => Input::Time,
            ["clock", "jumps", by, unit] => Input::ClockJump { by_ms: lasts(by, unit) },
            [by, "acknowledges"] => Input::Acknowledge { occurrence: current.unwrap_or(0), by },
            [by, "acknowledges", other] => {
                let place: usize = other.trim_start_matches('#').parse().expect(other);
                Input::Acknowledge { occurrence: self.names.get(place - 1).copied().unwrap_or(0), by }
            }
            [_, "shelves", ..] => Input::Shelve(order()),
            [_, "takes", "out", ..] => Input::TakeOutOfService(order()),
            [by, "unshelves"] => Input::Unshelve { by },
            [by, "returns", "to", "service"] => Input::ReturnToService { by },
            ["another", "stands", "for", "it"] => Input::Suppress { occurrence: 9_999 },
            ["none", "stands", "for", "it"] => Input::Unsuppress,
            [by, "retires:", ..] => Input::Retire { by, reason: what.split_once(':').unwrap().1 },
            _ => panic!("nobody does {what}"),
        };
        let told = match self.life.step(input) {
            Ok(events) => events.iter().map(told).collect::<Vec<_>>(),
            Err(rejected) => return format!("refused: {}", self.named(&rejected.to_string())),
        };
        let raised = self.life.events.iter().filter(|event| event.kind == Kind::Raised);
        self.names = raised.map(|event| event.sequence).collect();
        let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
        let open = self.life.occurrence().map(|open| {
            let place = self.names.iter().position(|name| *name == open).expect("it was raised");
            format!(" #{}", place + 1)
        });
        format!("{told}; {}{}", self.life.state(), open.unwrap_or_default())
    }

    /// Occurrences by their place instead of their sequence.
    fn named(&self, text: &str) -> String {
        let word = |word: &str| {
            let place = self.names.iter().position(|name| name.to_string() == word);
            place.map_or_else(|| word.to_owned(), |place| format!("#{}", place + 1))
        };
        // A colon belongs to the sentence.
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

fn told(event: &Event) -> String {
    let mut told = event.kind.name().replace('_', " ");
    if let Some(by) = &event.by {
        write!(told, " by {by}").unwrap();
    }
    if let Some(until_ms) = event.until_ms {
        write!(told, " until {}", time(until_ms)).unwrap();
    }
    if let Some(reason) = &event.reason {
        write!(told, " ({reason})").unwrap();
    }
    if let Some(was_on) = event.was_on {
        let to = was_on.to_ms.map_or(String::new(), time);
        write!(told, " [was on {}–{to}]", time(was_on.from_ms)).unwrap();
    }
    if let Some(count) = event.count {
        write!(told, " [{count} raises]").unwrap();
    }
    told
}
