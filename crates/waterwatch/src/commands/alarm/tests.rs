use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use waterwatch_core::alarm::{
    Alarm, AlarmSource, Event, Input, Kind, Ledger, Order, Point, PointSettings, Priority, State, Subject,
};
use waterwatch_core::{Origin, StationId};

use super::explain;
use super::list::List;
use super::{history, show};
use crate::cli::{AlarmListOptions, DataOption, LookOptions};
use crate::commands::page::json;
use crate::shown::alarm::worst_first;
use crate::shown::story::Story;
use crate::shown::time::Clock;
use crate::store::AlarmKey;
use crate::store::reader::communication::Comms;
use crate::store::reader::{LastContact, Page, Past, Picture, Raise, Raises, ServerRows, Suppressed, Window};

/// 2026-11-24 02:10:00 +01:00
const BEGIN_MS: i64 = 1_795_482_600_000;
const MINUTE_MS: i64 = 60_000;

fn clock(after_min: i64) -> Clock {
    let now = jiff::Timestamp::from_millisecond(BEGIN_MS + after_min * MINUTE_MS).unwrap();
    Clock { now, zone: TimeZone::get("Europe/Berlin").unwrap() }
}

fn station(id: i64) -> AlarmSource {
    AlarmSource::Station(StationId::new(id).unwrap())
}

fn origin() -> Origin {
    let mut peer = [0; 16];
    peer[10..].copy_from_slice(&[0xff, 0xff, 10, 20, 0, 7]);
    Origin { listener: 1, peer }
}

fn contact(id: i64, received_at_ms: i64) -> LastContact {
    LastContact {
        station_id: StationId::new(id).unwrap(),
        last_date: "2026-11-24 02:10".into(),
        received_at_ms: Some(received_at_ms),
        alarm1: false,
        alarm2: false,
        reports: 1,
        sequence: 1,
        life: None,
    }
}

/// One alarm with its ledger, as a server keeps them.
struct Played {
    key: AlarmKey,
    settings: PointSettings,
    alarm: Option<Alarm>,
    sequence: i64,
    events: Vec<Event>,
}

impl Played {
    fn new(source: AlarmSource, point: Point) -> Played {
        let settings = PointSettings::of(Priority::High);
        Played { key: (source, point), settings, alarm: None, sequence: 4_700, events: Vec::new() }
    }

    /// One input, so many minutes after the beginning.
    fn at(&mut self, after_min: i64, input: Input<'_>) -> &mut Played {
        let at_ms = BEGIN_MS + after_min * MINUTE_MS;
        let is_report = matches!(input, Input::Contact(_)) && self.key.1 != Point::Comms;
        if is_report {
            self.sequence += 1;
        }
        let subject = Subject {
            source: self.key.0.clone(),
            point: self.key.1,
            event_time_ms: at_ms,
            received_at_ms: at_ms,
            origin: if is_report { origin() } else { Origin::default() },
            cause: is_report.then_some(self.sequence),
            reason: None,
        };
        let mut ledger = Ledger { sequence: &mut self.sequence, events: &mut self.events };
        let stepped = Alarm::step(self.alarm.as_ref(), input, &self.settings, &subject, &mut ledger);
        self.alarm = stepped.expect("the script fits");
        self
    }

    fn blind(&mut self, from_min: i64, to_min: i64) -> &mut Played {
        let mut ledger = Ledger { sequence: &mut self.sequence, events: &mut self.events };
        let [from_ms, to_ms] = [from_min, to_min].map(|after_min| BEGIN_MS + after_min * MINUTE_MS);
        ledger.was_blind(from_ms, to_ms, "nothing could be stored");
        self
    }

    /// The last occurrence.
    fn occurrence(&self) -> i64 {
        self.events.iter().rev().find(|event| event.kind == Kind::Raised).expect("it was raised").sequence
    }

    /// What a reader finds of an occurrence, `now_min` after the beginning and
    /// with the station heard then.
    fn past(&self, occurrence: i64, now_min: i64) -> Past {
        let now_ms = BEGIN_MS + now_min * MINUTE_MS;
        let of_alarm = |event: &&Event| event.point.is_some();
        Past {
            occurrence: Some(occurrence),
            before: self
                .events
                .iter()
                .filter(of_alarm)
                .filter(|event| event.sequence < occurrence)
                .cloned()
                .collect(),
            events: self
                .events
                .iter()
                .filter(|event| event.occurrence == Some(occurrence))
                .cloned()
                .collect(),
            unreadable: Vec::new(),
            since: Vec::new(),
            heard_at_ms: None,
            is_cut: false,
            hearing: self.events.iter().filter(|event| event.point.is_none()).cloned().collect(),
            alarm: self.alarm.clone(),
            contact: match self.key.0 {
                AlarmSource::Station(id) => Some(contact(id.get(), now_ms)),
                AlarmSource::Area(_) | AlarmSource::Server => None,
            },
            is_silent: false,
            priority: None,
            server: ServerRows { alive_until_ms: Some(now_ms), ..ServerRows::default() },
            listeners: HashMap::new(),
            raises: Raises::new(),
            suppressed: Vec::new(),
        }
    }

    /// The story of an occurrence, as it is told `now_min` after the beginning.
    fn story(&self, occurrence: i64, now_min: i64) -> String {
        told(&self.key, &self.past(occurrence, now_min), &clock(now_min))
    }
}

fn told(key: &AlarmKey, past: &Past, clock: &Clock) -> String {
    let mut out = Vec::new();
    explain::write(&mut out, &Story::new(key, past, clock)).unwrap();
    String::from_utf8(out).unwrap()
}

fn order(until_min: i64) -> Order<'static> {
    Order { until_ms: BEGIN_MS + until_min * MINUTE_MS, by: "Ann", reason: "pump exchange" }
}

#[test]
fn a_story_of_delays_an_answer_and_a_blind_server() {
    let mut played = Played::new(station(123), Point::Alarm1);
    played.settings.on_delay_ms = MINUTE_MS;
    played.settings.off_delay_ms = 2 * MINUTE_MS;
    played.at(-60, Input::Contact(true)).at(-60, Input::Contact(false));
    played.blind(-5, -1).at(0, Input::Contact(true)).at(1, Input::Time);
    let occurrence = played.occurrence();
    played.at(4, Input::Acknowledge { occurrence, by: "Ann" }).blind(10, 20);
    played.at(21, Input::Contact(false)).at(22, Input::Contact(true));
    insta::assert_snapshot!(played.story(occurrence, 23), @"
    Station 123, alarm1 (high), occurrence 4708
    2026-11-24 02:09:00 +01:00  the server could hear nobody from 2026-11-24 02:05:00 +01:00 to 2026-11-24 02:09:00 +01:00 (nothing could be stored).
    2026-11-24 02:10:00 +01:00  its report from 10.20.0.7 said that the contact is on; it is raised if that lasts for 1 min.
    2026-11-24 02:11:00 +01:00  raised: it stayed on for the on-delay.
    2026-11-24 02:14:00 +01:00  acknowledged by Ann, 3 min after it was raised.
    2026-11-24 02:30:00 +01:00  the server could hear nobody from 2026-11-24 02:20:00 +01:00 to 2026-11-24 02:30:00 +01:00 (nothing could be stored).
    2026-11-24 02:31:00 +01:00  its report from 10.20.0.7 said that the contact is off; it has returned if that lasts for 2 min.
    2026-11-24 02:32:00 +01:00  its report from 10.20.0.7 said that the contact is on, before the off-delay was over: it never returned.
    It is on and acknowledged by Ann.
    ");
    played.at(43, Input::Contact(false)).at(44, Input::Contact(false)).at(45, Input::Contact(false));
    played.blind(50, 60);
    insta::assert_snapshot!(played.story(occurrence, 61), @"
    Station 123, alarm1 (high), occurrence 4708
    2026-11-24 02:09:00 +01:00  the server could hear nobody from 2026-11-24 02:05:00 +01:00 to 2026-11-24 02:09:00 +01:00 (nothing could be stored).
    2026-11-24 02:10:00 +01:00  its report from 10.20.0.7 said that the contact is on; it is raised if that lasts for 1 min.
    2026-11-24 02:11:00 +01:00  raised: it stayed on for the on-delay.
    2026-11-24 02:14:00 +01:00  acknowledged by Ann, 3 min after it was raised.
    2026-11-24 02:30:00 +01:00  the server could hear nobody from 2026-11-24 02:20:00 +01:00 to 2026-11-24 02:30:00 +01:00 (nothing could be stored).
    2026-11-24 02:31:00 +01:00  its report from 10.20.0.7 said that the contact is off; it has returned if that lasts for 2 min.
    2026-11-24 02:32:00 +01:00  its report from 10.20.0.7 said that the contact is on, before the off-delay was over: it never returned.
    2026-11-24 02:53:00 +01:00  its report from 10.20.0.7 said that the contact is off; it has returned if that lasts for 2 min.
    2026-11-24 02:55:00 +01:00  returned to normal after 44 min; Ann had acknowledged.
    It is over.
    ");
}

#[test]
fn a_story_of_returning_unanswered_and_asking_again() {
    let mut played = Played::new(station(123), Point::Alarm2);
    played.at(0, Input::Contact(true));
    let occurrence = played.occurrence();
    played.at(42, Input::Contact(false)).at(50, Input::Contact(true));
    played.at(51, Input::Acknowledge { occurrence, by: "Ann" }).at(51 + 240, Input::Time);
    insta::assert_snapshot!(played.story(occurrence, 292), @"
    Station 123, alarm2 (high), occurrence 4702
    2026-11-24 02:10:00 +01:00  raised: its report from 10.20.0.7 said that the contact is on.
    2026-11-24 02:52:00 +01:00  returned to normal after 42 min; nobody had acknowledged.
    2026-11-24 03:00:00 +01:00  raised again: its report from 10.20.0.7 said that the contact is on. Nobody had acknowledged, so it is the same occurrence (raise 2).
    2026-11-24 03:01:00 +01:00  acknowledged by Ann, 51 min after it was raised.
    2026-11-24 07:01:00 +01:00  still on so long after the acknowledgement by Ann: it needs another one.
    It is on, and nobody has acknowledged it.
    ");
    played.at(300, Input::Contact(false));
    insta::assert_snapshot!(played.story(occurrence, 301), @"
    Station 123, alarm2 (high), occurrence 4702
    2026-11-24 02:10:00 +01:00  raised: its report from 10.20.0.7 said that the contact is on.
    2026-11-24 02:52:00 +01:00  returned to normal after 42 min; nobody had acknowledged.
    2026-11-24 03:00:00 +01:00  raised again: its report from 10.20.0.7 said that the contact is on. Nobody had acknowledged, so it is the same occurrence (raise 2).
    2026-11-24 03:01:00 +01:00  acknowledged by Ann, 51 min after it was raised.
    2026-11-24 07:01:00 +01:00  still on so long after the acknowledgement by Ann: it needs another one.
    2026-11-24 07:10:00 +01:00  returned to normal after 5 h; nobody had acknowledged.
    It has returned to normal and waits for somebody to acknowledge it.
    ");
    played.at(310, Input::Acknowledge { occurrence, by: "Bob" }).at(400, Input::Contact(true));
    let story = played.story(occurrence, 401);
    let next = played.occurrence();
    assert!(story.ends_with(&format!("It is over. Occurrence {next} is open now.\n")), "{story}");
}

#[test]
fn a_story_of_the_shelf_and_what_follows_it() {
    let mut played = Played::new(station(123), Point::Alarm1);
    played.at(0, Input::Contact(true));
    let first = played.occurrence();
    played.at(5, Input::Shelve(order(65))).at(6, Input::Shelve(order(95)));
    played
        .at(10, Input::TakeOutOfService(order(200)))
        .at(20, Input::Contact(false))
        .at(30, Input::Contact(true));
    played.at(65, Input::Time).at(95, Input::Time);
    insta::assert_snapshot!(played.story(first, 96), @"
    Station 123, alarm1 (high), occurrence 4702
    2026-11-24 02:10:00 +01:00  raised: its report from 10.20.0.7 said that the contact is on.
    2026-11-24 02:15:00 +01:00  shelved by Ann until 2026-11-24 03:15 (pump exchange).
    It is over. The alarm is out of service and on until 2026-11-24 05:30 (by Ann).
    ");
    played.at(100, Input::ReturnToService { by: "Bob" });
    let second = played.occurrence();
    insta::assert_snapshot!(played.story(second, 101), @"
    Station 123, alarm1 (high), occurrence 4713
    2026-11-24 02:15:00 +01:00  shelved by Ann until 2026-11-24 03:15 (pump exchange).
    2026-11-24 02:16:00 +01:00  shelved anew by Ann until 2026-11-24 03:45 (pump exchange).
    2026-11-24 02:20:00 +01:00  taken out of service by Ann until 2026-11-24 05:30 (pump exchange).
    2026-11-24 02:30:00 +01:00  its report from 10.20.0.7 said that the contact is off, while it was hidden.
    2026-11-24 02:40:00 +01:00  its report from 10.20.0.7 said that the contact is on, while it was hidden: recorded, and no alarm.
    2026-11-24 03:15:00 +01:00  its time on the shelf is over soon.
    2026-11-24 03:45:00 +01:00  its time on the shelf is over.
    2026-11-24 03:50:00 +01:00  returned to service by Bob; it is on since 2026-11-24 02:40.
    2026-11-24 03:50:00 +01:00  raised: it is on, and nothing hides it any more.
    It is on, and nobody has acknowledged it.
    ");
}

#[test]
fn a_story_without_an_occurrence() {
    let mut played = Played::new(station(123), Point::Alarm1);
    played.settings.on_delay_ms = 10 * MINUTE_MS;
    played.at(-60, Input::Contact(true)).at(-59, Input::Contact(false)).at(0, Input::Contact(true));
    let mut past = played.past(0, 1);
    (past.occurrence, past.before, past.since) = (None, Vec::new(), played.events.clone());
    insta::assert_snapshot!(told(&played.key, &past, &clock(1)), @"
    Station 123, alarm1 (high), never raised
    2026-11-24 01:10:00 +01:00  its report from 10.20.0.7 said that the contact is on; it is raised if that lasts for 10 min.
    2026-11-24 01:11:00 +01:00  its report from 10.20.0.7 said that the contact is off, before the on-delay was over: no alarm.
    2026-11-24 02:10:00 +01:00  its report from 10.20.0.7 said that the contact is on; it is raised if that lasts for 10 min.
    It was never raised. The contact is on since 2026-11-24 02:10:00 +01:00; it is raised at 2026-11-24 02:20:00 +01:00 if that lasts.
    ");
    // One that is over, and what happened since.
    played.at(10, Input::Time);
    let occurrence = played.occurrence();
    played.at(11, Input::Acknowledge { occurrence, by: "Ann" }).at(12, Input::Contact(false));
    let last = played.sequence;
    played.at(20, Input::Contact(true));
    let mut past = played.past(occurrence, 21);
    past.since = played.events.iter().filter(|event| event.sequence > last).cloned().collect();
    let story = told(&played.key, &past, &clock(21));
    let lines: Vec<&str> = story.lines().rev().take(2).collect();
    assert_eq!(
        lines,
        [
            "It is over. The contact is on since 2026-11-24 02:30:00 +01:00; it is raised at \
             2026-11-24 02:40:00 +01:00 if that lasts.",
            "2026-11-24 02:30:00 +01:00  its report from 10.20.0.7 said that the contact is on; it is raised \
             if that lasts for 10 min.",
        ]
    );
}

#[test]
fn a_story_of_coming_and_going() {
    let mut played = Played::new(station(123), Point::Alarm1);
    for minute in 0..6 {
        played.at(2 * minute, Input::Contact(true)).at(2 * minute + 1, Input::Contact(false));
    }
    let occurrence = played.occurrence();
    let past = played.past(occurrence, 12);
    let story = told(&played.key, &past, &clock(12));
    assert!(story.ends_with("It comes and goes, and nobody has acknowledged it.\n"), "{story}");
    played.at(13, Input::Acknowledge { occurrence, by: "Ann" });
    played.at(14, Input::Contact(true)).at(17, Input::Time);
    insta::assert_snapshot!(played.story(occurrence, 18), @"
    Station 123, alarm1 (high), occurrence 4702
    2026-11-24 02:10:00 +01:00  raised: its report from 10.20.0.7 said that the contact is on.
    2026-11-24 02:11:00 +01:00  returned to normal after 1 min; nobody had acknowledged.
    2026-11-24 02:12:00 +01:00  raised again: its report from 10.20.0.7 said that the contact is on. Nobody had acknowledged, so it is the same occurrence (raise 2).
    2026-11-24 02:13:00 +01:00  returned to normal after 3 min; nobody had acknowledged.
    2026-11-24 02:14:00 +01:00  raised again: its report from 10.20.0.7 said that the contact is on. Nobody had acknowledged, so it is the same occurrence (raise 3).
    2026-11-24 02:15:00 +01:00  returned to normal after 5 min; nobody had acknowledged.
    2026-11-24 02:16:00 +01:00  raised again: its report from 10.20.0.7 said that the contact is on. Nobody had acknowledged, so it is the same occurrence (raise 4).
    2026-11-24 02:17:00 +01:00  returned to normal after 7 min; nobody had acknowledged.
    2026-11-24 02:18:00 +01:00  raised again: its report from 10.20.0.7 said that the contact is on. Nobody had acknowledged, so it is the same occurrence (raise 5).
    2026-11-24 02:19:00 +01:00  returned to normal after 9 min; nobody had acknowledged.
    2026-11-24 02:20:00 +01:00  raised again: its report from 10.20.0.7 said that the contact is on. Nobody had acknowledged, so it is the same occurrence (raise 6).
    2026-11-24 02:20:00 +01:00  comes and goes too often (6 raises): it stays one alarm until it is calm.
    2026-11-24 02:23:00 +01:00  acknowledged by Ann, 13 min after it was raised.
    2026-11-24 02:27:00 +01:00  stays on after coming and going (7 raises): it needs an answer now.
    It is on, and nobody has acknowledged it.
    ");
}

#[test]
fn a_story_of_silence_and_one_of_an_area() {
    let mut played = Played::new(station(7), Point::Comms);
    played.settings.latched = false;
    played.at(0, Input::Contact(true)).at(12, Input::Contact(false));
    insta::assert_snapshot!(played.story(played.occurrence(), 13), @"
    Station 7, comms (high), occurrence 4701
    2026-11-24 02:10:00 +01:00  raised: nothing was heard of the station for its period and grace.
    2026-11-24 02:22:00 +01:00  returned to normal after 12 min; nobody had acknowledged, and nobody needs to.
    It is over.
    ");
    let mut past = played.past(played.occurrence(), 13);
    past.heard_at_ms = Some(BEGIN_MS - 3 * MINUTE_MS);
    past.events[0].cause = Some(4_690);
    let story = told(&played.key, &past, &clock(13));
    assert!(
        story.contains(
            "  raised: nothing was heard of the station since 2026-11-24 02:07:00 +01:00, for its period and grace.\n"
        ),
        "{story}"
    );
    let mut played = Played::new(AlarmSource::Area("North\x1b[2J".into()), Point::Comms);
    played.at(0, Input::Contact(true));
    insta::assert_snapshot!(played.story(played.occurrence(), 1), @"
    Area North�[2J, comms (high), occurrence 4701
    2026-11-24 02:10:00 +01:00  raised: it stayed on for the on-delay.
    It is on, and nobody has acknowledged it.
    ");
}

#[test]
fn what_is_not_known_to_be_so_now_is_said_to_be_old() {
    let mut played = Played::new(station(123), Point::Alarm1);
    played.at(0, Input::Contact(true));
    let mut past = played.past(played.occurrence(), 1);
    let ending = |past: &Past, now_min| {
        let story = told(&played.key, past, &clock(now_min));
        story.lines().last().unwrap().to_owned()
    };
    let known = "It is on, and nobody has acknowledged it.";
    assert_eq!(ending(&past, 1), known);
    assert_eq!(ending(&past, 3), format!("{known} The station is late now: this was last known."));
    past.is_silent = true;
    assert_eq!(ending(&past, 3), format!("{known} The station is silent now: this was last known."));
    // Of what was forgotten nobody knows anything; the server is at work all the same.
    past.contact = None;
    assert_eq!(ending(&past, 1), format!("{known} Nothing is known of the station itself."));
    let no_server = "No server is seen at work now: this was last known.";
    assert_eq!(ending(&past, 3), format!("{known} Nothing is known of the station itself. {no_server}"));
    let heard = contact(123, BEGIN_MS);
    past.contact = Some(LastContact { received_at_ms: None, last_date: "".into(), reports: 0, ..heard });
    past.is_silent = false;
    let never_heard = format!("{known} The station was never heard, as far as is known.");
    assert_eq!(ending(&past, 1), never_heard);
    past.is_silent = true;
    assert_eq!(ending(&past, 1), never_heard);
    let mut played = Played::new(AlarmSource::Area("North".into()), Point::Comms);
    played.at(0, Input::Contact(true));
    let past = played.past(played.occurrence(), 1);
    let ending = |now_min| told(&played.key, &past, &clock(now_min)).lines().last().unwrap().to_owned();
    assert_eq!((ending(1), ending(3)), (known.to_owned(), format!("{known} {no_server}")));
}

#[test]
fn a_remark_is_told_as_it_was_written_and_turns_nothing_round() {
    for (text, shown) in [
        ("the pump is new", "the pump is new."),
        ("wait...", "wait..."),
        ("Why?", "Why?"),
        ("do \u{202e}ton touch", "do \u{fffd}ton touch."),
    ] {
        let mut played = Played::new(station(123), Point::Alarm1);
        played.at(0, Input::Contact(true));
        let mut past = played.past(played.occurrence(), 1);
        let mut note = past.events[0].clone();
        (note.kind, note.reason, note.by) = (Kind::Note, Some(text.into()), Some("Ann".into()));
        past.events.push(note);
        let story = told(&played.key, &past, &clock(1));
        assert!(story.contains(&format!("remarked by Ann: {shown}\n")), "{story}");
    }
}

#[test]
fn every_kind_has_its_sentence() {
    for &kind in Kind::ALL {
        for (source, point) in
            [(station(1), Point::Alarm1), (station(1), Point::Comms), (AlarmSource::Server, Point::Comms)]
        {
            let about_none = kind.is_about_no_point();
            let event = Event {
                sequence: 5,
                event_time_ms: BEGIN_MS,
                received_at_ms: BEGIN_MS,
                source: source.clone(),
                point: (!about_none).then_some(point),
                occurrence: Some(5),
                kind,
                from: Some(State::Normal),
                to: Some(State::Unacknowledged),
                by: None,
                reason: None,
                until_ms: Some(BEGIN_MS + MINUTE_MS),
                was_on: None,
                count: Some(3),
                origin: Origin::default(),
                cause: None,
                stations: None,
            };
            let mut past = Played::new(source.clone(), point).past(5, 0);
            past.events.push(event);
            let story = told(&(source, point), &past, &clock(0));
            let sentence = story.lines().nth(1).unwrap();
            let words = sentence.strip_prefix("2026-11-24 02:10:00 +01:00  ").expect(sentence);
            assert!(words.len() > 8 && words.ends_with('.') && !words.contains("  "), "{kind}: {words}");
        }
    }
}

#[test]
fn a_story_for_a_program() {
    let mut played = Played::new(station(123), Point::Alarm1);
    played.at(0, Input::Contact(true));
    let past = played.past(played.occurrence(), 1);
    let clock = clock(1);
    let mut out = Vec::new();
    json::object(&mut out, &Story::new(&played.key, &past, &clock).object()).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
    {"source":"123","station_id":123,"point":"alarm1","priority":"high","occurrence":4702,"is_open":true,"state":"unacknowledged","quality":"good","lines":[{"sequence":4702,"time":"2026-11-24T01:10:00Z","kind":"raised","count":null,"text":"raised: its report from 10.20.0.7 said that the contact is on."}],"is_cut":false,"unreadable":[],"now":"It is on, and nobody has acknowledged it."}
    "#);
}

/// A fleet in every state, seen half an hour after the beginning.
fn picture() -> Picture {
    let mut alarms: Vec<crate::store::reader::KnownAlarm> = Vec::new();
    let mut play = |id, point, play: &dyn Fn(&mut Played)| {
        let mut played = Played::new(station(id), point);
        play(&mut played);
        alarms.push((played.key, played.alarm.expect("not at rest").into()));
    };
    let on = Input::Contact(true);
    let off = Input::Contact(false);
    play(1, Point::Alarm1, &|played| {
        played.at(10, on);
    });
    play(2, Point::Alarm1, &|played| {
        played.at(5, on);
    });
    play(3, Point::Alarm1, &|played| {
        let occurrence = played.at(0, on).occurrence();
        played.at(2, Input::Acknowledge { occurrence, by: "Ann" });
    });
    play(3, Point::Alarm2, &|played| {
        played.at(0, on).at(7, off);
    });
    play(4, Point::Alarm2, &|played| {
        played.at(1, on).at(3, Input::Shelve(order(300)));
    });
    play(5, Point::Alarm1, &|played| {
        played.at(3, Input::TakeOutOfService(order(600)));
    });
    play(5, Point::Comms, &|played| {
        played.at(4, on);
    });
    play(6, Point::Comms, &|played| {
        played.at(8, on).at(9, Input::Suppress { occurrence: 4_000 });
    });
    play(7, Point::Alarm2, &|played| {
        played.settings.on_delay_ms = 60 * MINUTE_MS;
        played.at(29, on);
    });
    let heard = |id, min| contact(id, BEGIN_MS + min * MINUTE_MS);
    let mut stations =
        vec![heard(1, 30), heard(2, 25), heard(3, 30), heard(4, 30), heard(5, 1), heard(6, 1), heard(7, 30)];
    for ((source, point), alarm) in &alarms {
        let contact = stations.iter_mut().find(|contact| AlarmSource::Station(contact.station_id) == *source);
        match (contact, point) {
            (Some(contact), Point::Alarm1) => contact.alarm1 = alarm.contact,
            (Some(contact), Point::Alarm2) => contact.alarm2 = alarm.contact,
            (_, Point::Comms | Point::Identity | Point::NewStations | Point::OnCall) | (None, _) => {}
        }
    }
    let server = ServerRows { alive_until_ms: Some(BEGIN_MS + 30 * MINUTE_MS), ..ServerRows::default() };
    Picture { stations, alarms, server, ..Picture::default() }
}

fn options(state: &[State], all: bool) -> AlarmListOptions {
    let look = LookOptions {
        data: DataOption { file: "data.sqlite".into() },
        server: None,
        token_file: None,
        json: false,
    };
    let (state, priority) = (state.to_vec(), Vec::new());
    AlarmListOptions { state, priority, source: None, area: None, active: false, all, look }
}

/// Why some of them were raised, as the ledger has it.
fn raises() -> Raises {
    let raise =
        |source, reason: Option<&str>| Raise { source, point: Point::Comms, reason: reason.map(Into::into) };
    let refused = "sending, but refused: alarm2 is \"on\x1b\"; send 0 (off) or 1 (on), and nothing else";
    let raises =
        [(4_701, raise(station(5), Some(refused))), (4_000, raise(AlarmSource::Area("North".into()), None))];
    raises.into_iter().map(|(occurrence, raise)| (occurrence, Arc::new(raise))).collect()
}

fn list(options: &AlarmListOptions, terminal: bool) -> String {
    let clock = clock(30);
    let mut out = Vec::new();
    let mut list = List::new(&picture(), options, clock.now_ms());
    list.add_raises(&raises());
    list.write(&mut out, options, &clock, terminal, None).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_worst_alarms_come_first_and_none_is_left_out_without_a_word() {
    insta::assert_snapshot!(list(&options(&[], false), false), @r#"
    STATE   PRIORITY  SOURCE  POINT   SINCE             FOR     NOTE
    UNACK   high           5  comms   2026-11-24 02:14  26 min  sending, but refused: alarm2 is "on�"; send 0 (off) or 1 (o…
    UNACK?  high           2  alarm1  2026-11-24 02:15  25 min
    UNACK   high           1  alarm1  2026-11-24 02:20  20 min
    RTNUN   high           3  alarm2  2026-11-24 02:10  30 min  off since 2026-11-24 02:17
    ACKED   high           3  alarm1  2026-11-24 02:10  30 min  acknowledged by Ann 2026-11-24 02:12

    5 alarms: 3 unacknowledged, 1 returned unacknowledged, 1 acknowledged; 4 not shown: 1 shelved, 1 suppressed, 1 out of service, 1 on, not yet an alarm (--all shows them)
    "#);
    insta::assert_snapshot!(list(&options(&[], true), false), @r#"
    STATE   PRIORITY  SOURCE  POINT   SINCE             FOR     NOTE
    UNACK   high           5  comms   2026-11-24 02:14  26 min  sending, but refused: alarm2 is "on�"; send 0 (off) or 1 (o…
    UNACK?  high           2  alarm1  2026-11-24 02:15  25 min
    UNACK   high           1  alarm1  2026-11-24 02:20  20 min
    RTNUN   high           3  alarm2  2026-11-24 02:10  30 min  off since 2026-11-24 02:17
    ACKED   high           3  alarm1  2026-11-24 02:10  30 min  acknowledged by Ann 2026-11-24 02:12
    SHLVD   high           4  alarm2  2026-11-24 02:11  29 min  shelved until 2026-11-24 07:10 by Ann: pump exchange; on now
    DSUPR   high           6  comms   2026-11-24 02:18  22 min  area/North comms (occurrence 4000) stands for it; on now
    OOSRV?  high           5  alarm1  -                 -       out of service until 2026-11-24 12:10 by Ann: pump exchange
    NORM    high           7  alarm2  2026-11-24 02:39  1 min   on-delay until 2026-11-24 03:39

    9 alarms: 3 unacknowledged, 1 returned unacknowledged, 1 acknowledged, 1 shelved, 1 suppressed, 1 out of service, 1 on, not yet an alarm
    "#);
    insta::assert_snapshot!(list(&options(&[State::Shelved], false), false), @"
    STATE  PRIORITY  SOURCE  POINT   SINCE             FOR     NOTE
    SHLVD  high           4  alarm2  2026-11-24 02:11  29 min  shelved until 2026-11-24 07:10 by Ann: pump exchange; on now

    1 alarm: 1 shelved; 8 not shown: 3 unacknowledged, 1 returned unacknowledged, 1 acknowledged, 1 suppressed, 1 out of service, 1 on, not yet an alarm (--all shows them)
    ");
    let of_station = AlarmListOptions { source: Some(station(99)), ..options(&[], false) };
    assert_eq!(list(&of_station, false), "no alarms\n");
}

#[test]
fn only_a_terminal_gets_colours() {
    assert!(!list(&options(&[], true), false).contains('\x1b'));
    assert!(list(&options(&[], true), true).contains("\x1b["));
}

#[test]
fn an_alarm_for_a_program() {
    let mut options = options(&[State::Acknowledged], false);
    options.look.json = true;
    insta::assert_snapshot!(list(&options, false), @r#"
    [
      {"source":"3","station_id":3,"name":null,"area":null,"point":"alarm1","label":null,"state":"acknowledged","enabled":true,"priority":"high","quality":"good","on":true,"contact":true,"contact_since":"2026-11-24T01:10:00Z","delay_until":null,"occurrence":4702,"raised_at":"2026-11-24T01:10:00Z","raised_because":null,"returned_at":null,"acknowledged_at":"2026-11-24T01:12:00Z","acknowledged_by":"Ann","realarm_at":"2026-11-24T05:12:00Z","raises":1,"chattering_since":null,"shelved_until":null,"shelved_by":null,"shelved_reason":null,"out_of_service_until":null,"out_of_service_by":null,"out_of_service_reason":null,"suppressed_by":null,"suppressed_by_source":null,"was_on_from":null,"was_on_to":null,"consequence":null,"response":null,"respond_within_min":null,"location":null,"access_note":null,"telephones":null}
    ]
    "#);
}

#[test]
fn all_facts_of_one_alarm() {
    let mut standings = worst_first(&picture(), clock(30).now_ms());
    standings.iter_mut().for_each(|standing| standing.add_raises(&raises()));
    let show = |id, point| {
        let standing = standings.iter().find(|standing| standing.key == (station(id), point)).unwrap();
        let mut out = Vec::new();
        show::write(&mut out, standing, Some(Comms::Up), &clock(30)).unwrap();
        String::from_utf8(out).unwrap()
    };
    insta::assert_snapshot!(show(3, Point::Alarm1), @"
    Station 3, alarm1 (high)
      state           acknowledged (ACKED)
      quality         good
      contact         on since 2026-11-24 02:10 (30 min ago)
      occurrence      4702
      raised          2026-11-24 02:10 (30 min ago)
      acknowledged    2026-11-24 02:12 (28 min ago), by Ann
      asks again      2026-11-24 06:12, if it is still on then
    ");
    insta::assert_snapshot!(show(4, Point::Alarm2), @"
    Station 4, alarm2 (high)
      state           shelved (SHLVD)
      quality         good
      contact         on since 2026-11-24 02:11 (29 min ago)
      shelved         until 2026-11-24 07:10, by Ann: pump exchange
      on while hidden from 2026-11-24 02:11 until now
    ");
    let silent = show(5, Point::Comms);
    let reason = "  reason          sending, but refused: alarm2 is \"on\u{fffd}\"; send 0 (off) or 1 (on), and nothing else\n";
    assert!(silent.contains(reason), "{silent}");
    let suppressed = show(6, Point::Comms);
    assert!(
        suppressed.contains("  suppressed      area/North comms (occurrence 4000) stands for it\n"),
        "{suppressed}"
    );
}

#[test]
fn the_ledger_as_a_table() {
    let mut played = Played::new(station(123), Point::Alarm1);
    played.at(0, Input::Contact(true)).blind(1, 2).at(5, Input::Shelve(order(65))).at(65, Input::Time);
    let page = Page { events: played.events, is_cut: true, ..Page::default() };
    let table = |window| {
        let mut out = Vec::new();
        history::write(&mut out, &page, window, &clock(70), false).unwrap();
        String::from_utf8(out).unwrap()
    };
    insta::assert_snapshot!(table(Window::After(0)), @"
    SEQUENCE  TIME                        SOURCE  POINT   OCCURRENCE  WHAT           STATE  NOTE
        4702  2026-11-24 02:10:00 +01:00     123  alarm1        4702  raised         UNACK  from 10.20.0.7
        4703  2026-11-24 02:11:00 +01:00  server  -                -  blind          -      until 2026-11-24 02:12:00 +01:00; nothing could be stored
        4704  2026-11-24 02:15:00 +01:00     123  alarm1        4702  shelved        SHLVD  until 2026-11-24 03:15:00 +01:00; by Ann; pump exchange
        4705  2026-11-24 03:15:00 +01:00     123  alarm1           -  shelf_expired  NORM   was on 2026-11-24 02:10:00 +01:00 to now
        4706  2026-11-24 03:15:00 +01:00     123  alarm1        4706  raised         UNACK

    there are more: go on with --after 4706
    ");
    assert!(table(Window::Newest).contains("there are earlier ones"));
}

/// All that is known of an area's alarm and of one of its stations.
#[test]
fn a_story_of_many_stations_is_as_long_as_one_of_few() {
    let mut played = Played::new(AlarmSource::Area("North".into()), Point::Comms);
    let occurrence = played.at(0, Input::Contact(true)).occurrence();
    let mut past = played.past(occurrence, 1);
    let id = |number| StationId::new(number).unwrap();
    let raised = past.events[0].clone();
    let mut say = |sequence, kind, stations: std::ops::Range<i64>, reason: Option<&str>| {
        let event = Event { sequence, kind, cause: None, reason: reason.map(Into::into), ..raised.clone() };
        past.events.push(Event { stations: Some(stations.map(id).collect()), ..event });
    };
    for slice in 0..100 {
        let reason = (slice < 2).then_some("last heard in alarm: 7 (alarm1)");
        let from = slice * 100;
        say(occurrence + 10 + slice, Kind::StandsFor, from..from + 100, reason);
    }
    say(occurrence + 200, Kind::HeardAgain, 5..7, None);
    say(occurrence + 201, Kind::HeardAgain, 2..3, None);
    say(occurrence + 202, Kind::StandsFor, 2..3, None);
    let own =
        |sequence, had_alarmed, stations| Suppressed { sequence, time_ms: BEGIN_MS, had_alarmed, stations };
    past.suppressed = vec![
        own(occurrence + 50, true, vec![id(20_000), id(20_001)]),
        own(occurrence + 51, false, vec![id(20_002)]),
    ];
    insta::assert_snapshot!(told(&played.key, &past, &clock(1)), @"
    Area North, comms (high), occurrence 4701
    2026-11-24 02:10:00 +01:00  raised: it stayed on for the on-delay.
    2026-11-24 02:10:00 +01:00  stands for the silence of 10000 stations: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 9988 more (last heard in alarm: 7 (alarm1); and more, in `waterwatch alarm history`).
    2026-11-24 02:10:00 +01:00  stands for the silence of 2 stations: 20000, 20001, which had alarmed for themselves.
    2026-11-24 02:10:00 +01:00  stands for the silence of station 20002, which has an entry of its own.
    2026-11-24 02:10:00 +01:00  heard again: 3 stations: 2, 5, 6.
    2026-11-24 02:10:00 +01:00  stands for the silence of station 2.
    It is on, and nobody has acknowledged it.
    ");
    let story_clock = clock(1);
    let story = Story::new(&played.key, &past, &story_clock);
    let lines: Vec<_> = story.lines().iter().map(|line| (line.sequence - occurrence, line.count)).collect();
    assert_eq!(
        lines,
        [(0, None), (10, Some(10_000)), (50, Some(2)), (51, Some(1)), (200, Some(3)), (202, Some(1))]
    );
}

#[test]
fn a_story_names_the_alarm_that_stood_for_it() {
    let mut played = Played::new(station(6), Point::Comms);
    played.settings.latched = false;
    let occurrence = played.at(0, Input::Contact(true)).occurrence();
    played.at(1, Input::Suppress { occurrence: 4_000 });
    let mut past = played.past(occurrence, 2);
    past.raises = raises();
    let story = told(&played.key, &past, &clock(2));
    for sentence in [
        "suppressed: area/North comms (occurrence 4000) stands for it.",
        "It is over. The alarm is suppressed and on: area/North comms (occurrence 4000) stands for it.",
    ] {
        assert!(story.contains(sentence), "{story}");
    }
    past.raises.clear();
    let story = told(&played.key, &past, &clock(2));
    assert!(story.contains("suppressed: occurrence 4000 stands for it."), "{story}");
}

/// A million may be hidden.
#[test]
fn why_it_was_raised_is_read_for_what_is_shown_alone() {
    let occurrences = |options: &AlarmListOptions| {
        let mut occurrences = List::new(&picture(), options, clock(30).now_ms()).occurrences();
        occurrences.sort_unstable();
        occurrences.dedup();
        occurrences
    };
    assert_eq!(occurrences(&options(&[], true)), [4_000, 4_701, 4_702]);
    assert_eq!(occurrences(&options(&[], false)), [4_701, 4_702]);
    assert_eq!(occurrences(&options(&[State::Suppressed], false)), [4_000]);
    assert_eq!(occurrences(&options(&[State::Shelved], false)), [0; 0]);
}

/// The report that raised it is told as ever.
#[test]
fn a_story_says_that_somebody_was_there() {
    let mut played = Played::new(station(1), Point::Alarm1);
    let occurrence = played.at(0, Input::Contact(true)).occurrence();
    played.events[0].reason = Some("during the visit of Ana".into());
    let story = played.story(occurrence, 5);
    let told = "raised: its report from 10.20.0.7 said that the contact is on, during the visit of Ana.";
    assert!(story.contains(told), "{story}");
}
