//! `docs/alarms.md` says what the code does: its tables are rendered here.
//!
//! `WATERWATCH_WRITE_DOCS=1` writes them into the page.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::life::{Life, MINUTE_MS, order};
use crate::alarm::{Alarm, Input, Kind, PointSettings, Priority, State};

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/alarms.md")
}

fn page() -> String {
    fs::read_to_string(page_path()).expect("docs/alarms.md")
}

/// The part of the page between the two comments of this name is `wanted`.
fn says(name: &str, wanted: &str) {
    let page = page();
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = page.split_once(&begin).expect(&begin);
    let (said, after) = rest.split_once(&end).expect(&end);
    if said == wanted {
        return;
    }
    if env::var_os("WATERWATCH_WRITE_DOCS").is_some() {
        fs::write(page_path(), [before, &begin, wanted, &end, after].concat()).expect("docs/alarms.md");
        return;
    }
    panic!(
        "docs/alarms.md does not say what the code does; with WATERWATCH_WRITE_DOCS=1 this test writes \
         between the comments \"{name}\":\n{wanted}"
    );
}

/// What an alarm has come to: its name in the page, and how it came there.
type Situation = (&'static str, fn(&mut Life));

const SITUATIONS: &[Situation] = &[
    ("normal", |_| {}),
    ("normal; an on-delay is set", |life| life.settings.on_delay_ms = MINUTE_MS),
    ("normal, on-delay running", |life| {
        life.settings.on_delay_ms = MINUTE_MS;
        goes(life, &[Input::Contact(true)]);
    }),
    ("normal, one raise short of chatter", |life| {
        life.settings.chatter_raises = 1;
        goes(life, &[ON, acknowledge(1), OFF]);
    }),
    ("unacknowledged", |life| goes(life, &[ON])),
    ("unacknowledged; clears on return", |life| {
        life.settings = PointSettings::of(Priority::Medium);
        goes(life, &[ON]);
    }),
    ("unacknowledged; an off-delay is set", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON]);
    }),
    ("unacknowledged, off-delay running", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON, OFF]);
    }),
    ("unacknowledged, off-delay over", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON, OFF]);
        life.now_ms += MINUTE_MS;
    }),
    ("acknowledged", |life| goes(life, &[ON, acknowledge(1)])),
    ("acknowledged; an off-delay is set", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON, acknowledge(1)]);
    }),
    ("acknowledged, off-delay running", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON, acknowledge(1), OFF]);
    }),
    ("acknowledged, off-delay over", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON, acknowledge(1), OFF]);
        life.now_ms += MINUTE_MS;
    }),
    ("returned, unacknowledged", |life| goes(life, &[ON, OFF])),
    ("returned, unacknowledged; an on-delay is set", |life| {
        goes(life, &[ON, OFF]);
        life.settings.on_delay_ms = MINUTE_MS;
    }),
    ("returned, unacknowledged, on-delay running", |life| {
        goes(life, &[ON, OFF]);
        life.settings.on_delay_ms = MINUTE_MS;
        goes(life, &[ON]);
    }),
    ("returned, unacknowledged, one raise short of chatter", |life| {
        life.settings.chatter_raises = 1;
        goes(life, &[ON, OFF]);
    }),
    ("chattering, on, unacknowledged", chatters),
    ("chattering, off, unacknowledged", |life| {
        chatters(life);
        goes(life, &[OFF]);
    }),
    ("chattering, off for long enough, unacknowledged", |life| {
        chatters(life);
        goes(life, &[OFF]);
        life.now_ms += life.settings.chatter_window_ms;
    }),
    ("chattering, on, acknowledged", |life| {
        chatters(life);
        goes(life, &[acknowledge(1)]);
    }),
    ("chattering, off, acknowledged", |life| {
        chatters(life);
        goes(life, &[acknowledge(1), OFF]);
    }),
    ("chattering, off for long enough, acknowledged", |life| {
        chatters(life);
        goes(life, &[acknowledge(1), OFF]);
        life.now_ms += life.settings.chatter_window_ms;
    }),
    ("shelved, off", |life| goes(life, &[SHELVE])),
    ("shelved, off; an on-delay is set", |life| {
        life.settings.on_delay_ms = MINUTE_MS;
        goes(life, &[SHELVE]);
    }),
    ("shelved, off, on-delay running", |life| {
        life.settings.on_delay_ms = MINUTE_MS;
        goes(life, &[SHELVE, ON]);
    }),
    ("shelved, on", |life| goes(life, &[ON, SHELVE])),
    ("shelved, on; an off-delay is set", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON, SHELVE]);
    }),
    ("shelved, on, off-delay running", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON, SHELVE, OFF]);
    }),
    ("shelved, on, off-delay over", |life| {
        life.settings.off_delay_ms = MINUTE_MS;
        goes(life, &[ON, SHELVE, OFF]);
        life.now_ms += MINUTE_MS;
    }),
    ("shelved, off, its end announced", |life| {
        goes(life, &[SHELVE]);
        life.now_ms += 30 * MINUTE_MS;
        goes(life, &[Input::Time]);
    }),
    ("shelved, on, its end announced", |life| {
        goes(life, &[ON, SHELVE]);
        life.now_ms += 30 * MINUTE_MS;
        goes(life, &[Input::Time]);
    }),
    ("suppressed, off", |life| goes(life, &[SUPPRESS])),
    ("suppressed, on", |life| goes(life, &[ON, SUPPRESS])),
    ("out of service, off", |life| goes(life, &[TAKE_OUT])),
    ("out of service, on", |life| goes(life, &[ON, TAKE_OUT])),
    ("out of service, off, its end announced", |life| {
        goes(life, &[TAKE_OUT]);
        life.now_ms += 30 * MINUTE_MS;
        goes(life, &[Input::Time]);
    }),
    ("out of service, on, its end announced", |life| {
        goes(life, &[ON, TAKE_OUT]);
        life.now_ms += 30 * MINUTE_MS;
        goes(life, &[Input::Time]);
    }),
    ("shelved and suppressed, off", |life| goes(life, &[SHELVE, SUPPRESS])),
    ("shelved and suppressed, on", |life| goes(life, &[ON, SHELVE, SUPPRESS])),
    ("shelved and out of service, off", |life| goes(life, &[SHELVE, TAKE_OUT])),
    ("shelved and out of service, on", |life| goes(life, &[ON, SHELVE, TAKE_OUT])),
    ("suppressed and out of service, off", |life| goes(life, &[SUPPRESS, TAKE_OUT])),
    ("suppressed and out of service, on", |life| goes(life, &[ON, SUPPRESS, TAKE_OUT])),
    ("all three, off", |life| goes(life, &[SHELVE, SUPPRESS, TAKE_OUT])),
    ("all three, on", |life| goes(life, &[ON, SHELVE, SUPPRESS, TAKE_OUT])),
];

const ON: Input<'_> = Input::Contact(true);
const OFF: Input<'_> = Input::Contact(false);
const SUPPRESS: Input<'_> = Input::Suppress { occurrence: 9_999 };
/// They end an hour after midnight; everything here takes less.
const SHELVE: Input<'_> =
    Input::Shelve(crate::alarm::Order { until_ms: 60 * MINUTE_MS, by: "Ann", reason: "-" });
const TAKE_OUT: Input<'_> =
    Input::TakeOutOfService(crate::alarm::Order { until_ms: 60 * MINUTE_MS, by: "Ann", reason: "-" });

fn acknowledge(occurrence: i64) -> Input<'static> {
    Input::Acknowledge { occurrence, by: "Ann" }
}

fn goes(life: &mut Life, inputs: &[Input<'_>]) {
    for input in inputs {
        life.step(*input).unwrap();
    }
}

fn chatters(life: &mut Life) {
    life.settings.chatter_raises = 1;
    goes(life, &[ON, OFF, ON]);
    assert!(life.alarm.as_ref().unwrap().chatter.chattering.is_some());
}

/// An input: its name in the page, and what a cell says of it.
type Column = (&'static str, fn(Life) -> String);

const INPUTS: [Column; 14] = [
    ("report: on", |life| after(life, |_| ON)),
    ("report: off", |life| after(life, |_| OFF)),
    ("time passes", |mut life| {
        let Some(due_ms) = life.clone().next_told_ms() else { return "–".to_owned() };
        life.now_ms = due_ms;
        after(life, |_| Input::Time)
    }),
    ("acknowledge", |life| {
        after(life, |life| Input::Acknowledge { occurrence: life.occurrence().unwrap_or(1), by: "Ben" })
    }),
    ("shelve", |life| after(life, |life| Input::Shelve(order(life.now_ms + 90 * MINUTE_MS)))),
    ("unshelve", |life| after(life, |_| Input::Unshelve { by: "Ben" })),
    ("take out of service", |life| {
        after(life, |life| Input::TakeOutOfService(order(life.now_ms + 90 * MINUTE_MS)))
    }),
    ("return to service", |life| after(life, |_| Input::ReturnToService { by: "Ben" })),
    ("suppress", |life| after(life, |_| SUPPRESS)),
    ("unsuppress", |life| after(life, |_| Input::Unsuppress)),
    ("retire", |life| after(life, |_| Input::Retire { by: "Ben", reason: "sold" })),
    ("forget", |life| after(life, |_| Input::Forget { by: "Ben" })),
    ("disable", |mut life| {
        life.settings.enabled = false;
        after(life, |_| Input::Time)
    }),
    ("acknowledge another", |life| after(life, |_| Input::Acknowledge { occurrence: 8_888, by: "Ben" })),
];

/// What a cell says.
fn after(mut life: Life, input: impl FnOnce(&Life) -> Input<'static>) -> String {
    let before = life.alarm.clone();
    let input = input(&life);
    let Ok(events) = life.step(input).map(<[_]>::to_vec) else { return "refused".to_owned() };
    let mut cell = life.state().short().to_owned();
    if events.is_empty() && life.alarm == before {
        return "–".to_owned();
    }
    for (place, event) in events.iter().enumerate() {
        write!(cell, "{} `{}`", if place == 0 { "" } else { "," }, event.kind).unwrap();
    }
    cell
}

#[test]
fn the_table_of_situations_and_inputs_is_what_the_code_does() {
    let mut table = String::from("| situation | state |");
    for (input, _) in INPUTS {
        write!(table, " {input} |").unwrap();
    }
    table += "\n| --- | --- |";
    table += &" --- |".repeat(INPUTS.len());
    table += "\n";
    let mut seen = Vec::new();
    for (name, comes_there) in SITUATIONS {
        let mut life = Life::new(PointSettings::of(Priority::High));
        comes_there(&mut life);
        let ground = (life.alarm.clone(), life.settings, life.now_ms);
        assert!(!seen.contains(&ground), "{name} is in the table twice");
        seen.push(ground);
        write!(table, "| {name} | {} |", life.state().short()).unwrap();
        for (_, cell) in INPUTS {
            write!(table, " {} |", cell(life.clone())).unwrap();
        }
        table += "\n";
    }
    for kind in Kind::ALL {
        // Of no alarm, of many stations at once, of where reports come from, or of lines
        // that are none: no input of one alarm.
        let is_another_matter = kind.is_about_no_point()
            || matches!(
                kind,
                Kind::StandsFor | Kind::HeardAgain | Kind::OriginChanged | Kind::SendingRefused | Kind::Note
            );
        assert!(
            is_another_matter || table.contains(&format!("`{kind}`")),
            "nothing in the table leads to {kind}"
        );
    }
    says("situations", &table);
}

#[test]
fn the_defaults_are_those_of_the_code() {
    let mut table = String::from("| setting |");
    for priority in Priority::ALL.iter().rev() {
        write!(table, " {priority} |").unwrap();
    }
    table += "\n| --- | --- | --- | --- | --- |\n";
    let seconds = |ms: i64| format!("{}", ms / 1_000);
    let yes = |yes| if yes { "yes" } else { "no" }.to_owned();
    let rows: [(&str, &dyn Fn(PointSettings) -> String); 9] = [
        ("`on_delay_s`", &|of| seconds(of.on_delay_ms)),
        ("`off_delay_s`", &|of| seconds(of.off_delay_ms)),
        ("waits for its acknowledgement (derived points: no)", &|of| yes(of.latched)),
        ("`realarm_after_s`", &|of| of.realarm_after_ms.map_or("never".to_owned(), seconds)),
        ("chatter: more than so many raises", &|of| of.chatter_raises.to_string()),
        ("… in so many seconds", &|of| seconds(of.chatter_window_ms)),
        ("stuck: on for three periods, with a period of 60 s", &|of| seconds(of.stuck_after_ms)),
        ("shelved at most, s", &|of| seconds(of.shelf_max_ms)),
        ("out of service at most, s (`comms`, that is a pause: 31622400)", &|of| seconds(of.service_max_ms)),
    ];
    for (setting, of) in rows {
        write!(table, "| {setting} |").unwrap();
        for priority in Priority::ALL.iter().rev() {
            write!(table, " {} |", of(PointSettings::of(*priority))).unwrap();
        }
        table += "\n";
    }
    says("defaults", &table);
}

#[test]
fn every_kind_of_event_and_every_state_has_its_row() {
    let page = page();
    let part = |title: &str| {
        let (_, part) = page.split_once(&format!("\n## {title}\n")).expect(title);
        part.split("\n## ").next().unwrap().to_owned()
    };
    let (states, ledger) = (part("States"), part("The ledger"));
    for kind in Kind::ALL {
        assert_eq!(ledger.matches(&format!("\n| `{kind}` | ")).count(), 1, "{kind} has one row");
    }
    assert_eq!(ledger.matches("\n| `").count(), Kind::ALL.len(), "a row for nothing");
    for state in State::ALL {
        assert_eq!(states.matches(&format!("\n| `{state}` | {} | ", state.short())).count(), 1, "{state}");
    }
}

#[test]
fn an_end_is_announced_as_long_before_as_the_page_says() {
    assert_eq!(Alarm::WARN_BEFORE_MS, 30 * MINUTE_MS);
    assert!(page().contains("30 minutes before"));
}
