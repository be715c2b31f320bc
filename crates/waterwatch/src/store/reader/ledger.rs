//! The ledger: what happened to alarms, entry by entry.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use rusqlite::{OptionalExtension, ToSql, Transaction, named_params};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{Alarm, AlarmSource, Event, Kind as EventKind, Point, Priority};

use super::entries::{Entry, Names, UnreadableEntry, split};
use super::of_many::OfMany;
use super::{KnownAlarm, LastContact, Raises, ReadError, Reader, ServerRows, Suppressed, Which, of_station};
use crate::store::alarm_rows::{self, HAPPENED_BEFORE, Source};
use crate::store::alarms::AlarmKey;
use crate::store::schema::Kind;

/// Which part of the ledger is asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Of this source only.
    pub source: Option<AlarmSource>,
    /// Of this point only.
    pub point: Option<Point>,
    /// What came to be known since, in milliseconds UTC.
    pub since_ms: Option<i64>,
    /// What happened until then, in milliseconds UTC.
    pub until_ms: Option<i64>,
    /// Of this occurrence only.
    pub occurrence: Option<i64>,
    /// Of these kinds only; of all if there is none.
    pub kinds: Vec<EventKind>,
    /// Of this area and of the stations that are in it now only.
    pub area: Option<Box<str>>,
    /// By this person or program only.
    pub by: Option<Box<str>>,
    /// From where on.
    pub window: Window,
    /// At most so many entries.
    pub entries_max: usize,
    /// At most about so many bytes of them, but one entry at least; `None`: however
    /// many.
    pub bytes_max: Option<usize>,
}

impl Asked {
    /// Bytes for whoever asks from elsewhere: an entry about many stations may have a
    /// hundred thousand, and a thousand of them must not fill the memory.
    pub const BYTES_MAX: usize = 1024 * 1024;
}

/// From where on the ledger is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// The first after this sequence.
    After(i64),
    /// The newest before this sequence.
    Before(i64),
    /// The newest.
    #[default]
    Newest,
}

/// How many entries are looked at, at most, for those of some kinds, of an area or
/// by somebody, which no index has: some 50 ms. A page that ends there says so.
const LOOKED_AT_MAX: i64 = 20_000;

/// A part of the ledger.
#[derive(Debug, Default)]
pub struct Page {
    /// Its entries, the newest last.
    pub events: Vec<Event>,
    /// Those among them that cannot be read, the newest last: each takes the place of an
    /// entry, and is passed over by nobody who goes from page to page.
    pub unreadable: Vec<UnreadableEntry>,
    /// Whether there are more beyond: later ones after [`Window::After`],
    /// else earlier ones.
    pub is_cut: bool,
    /// Where to read on: if [`is_cut`](Self::is_cut), or if so much was looked at
    /// without finding as many as were asked for, that there may be more.
    pub next: Option<Window>,
    /// The addresses of the listeners by the numbers that origins name.
    pub listeners: HashMap<u16, String>,
}

/// All that is recorded of one occurrence, or of an alarm that was never raised.
#[derive(Debug, Default)]
pub struct Past {
    /// Which occurrence; `None` if the alarm has had none.
    pub occurrence: Option<i64>,
    /// What the same alarm went through just before, the newest last.
    pub before: Vec<Event>,
    /// What belongs to it, the newest last.
    pub events: Vec<Event>,
    /// What may belong to it, or be about its alarm, and cannot be read: in the order of
    /// the ledger.
    pub unreadable: Vec<UnreadableEntry>,
    /// What the same alarm went through since, if none was asked for by name and
    /// none is open.
    pub since: Vec<Event>,
    /// Whether there was more than is read at once.
    pub is_cut: bool,
    /// What the server says of its own hearing: the last entry before all of
    /// this, and those within.
    pub hearing: Vec<Event>,
    /// The alarm as it is now; `None` if it is at rest.
    pub alarm: Option<Alarm>,
    /// Its station, if it is a station's that is known.
    pub contact: Option<LastContact>,
    /// When the station was heard last before the occurrence, which is one of
    /// silence, in milliseconds UTC; `None` if that is not known.
    pub heard_at_ms: Option<i64>,
    /// Whether the contact of that station's `comms` alarm is on.
    pub is_silent: bool,
    /// How urgent the alarm is as all stand now.
    pub priority: Option<Priority>,
    /// What the server says of itself.
    pub server: ServerRows,
    /// The addresses of the listeners by the numbers that origins name.
    pub listeners: HashMap<u16, String>,
    /// The occurrences that stand for this alarm, or did.
    pub raises: Raises,
    /// For whom this one stood besides those that its entries name: stations that
    /// have an entry of their own.
    pub suppressed: Vec<Suppressed>,
}

impl Past {
    /// How many entries of an occurrence are read, at most: one that goes on
    /// for months must not fill the memory of whoever asks.
    pub const ENTRIES_MAX: usize = 10_000;

    /// How many entries before it are looked at.
    const BEFORE_MAX: usize = 64;
}

/// What no index has: conditions, and what they name.
struct Sieve {
    conditions: String,
    names: Vec<(&'static str, Box<dyn ToSql>)>,
}

impl Sieve {
    fn of(asked: &Asked) -> Option<Sieve> {
        let Asked { kinds, area, by, .. } = asked;
        let mut sieve = Sieve { conditions: String::new(), names: Vec::new() };
        if !kinds.is_empty() {
            let kinds: Vec<String> = kinds.iter().map(|kind| format!("'{}'", kind.name())).collect();
            sieve.conditions += &format!(" AND kind IN ({})", kinds.join(", "));
        }
        if let Some(area) = area {
            sieve.conditions += " AND (source = 'area/' || :area OR (typeof(source) = 'integer'
                AND EXISTS (SELECT 1 FROM station_settings WHERE station_id = source AND area = :area)))";
            sieve.names.push((":area", Box::new(area.clone())));
        }
        if let Some(by) = by {
            // A person, a token, or a person by a token as it is written: `Ana (by pager)`.
            sieve.conditions += " AND (\"by\" = :by OR substr(\"by\", 1, length(:by) + 5) = :by || ' (by '
                OR substr(\"by\", -(length(:by) + 6)) = ' (by ' || :by || ')')";
            sieve.names.push((":by", Box::new(by.clone())));
        }
        (!sieve.conditions.is_empty()).then_some(sieve)
    }
}

impl Reader {
    /// A part of the ledger. What is asked of source, point, occurrence and time is
    /// found by indexes; among what is found so, at most 20,000 entries are looked at
    /// for the rest. Of an entry that cannot be read it is asked as far as its columns say.
    ///
    /// # Errors
    /// If SQLite cannot read the file.
    pub fn events(&self, asked: &Asked) -> Result<Page, ReadError> {
        self.look(|moment| {
            if self.kind != Kind::Ours {
                return Ok(Page::default());
            }
            let Asked { source, point, since_ms, until_ms, occurrence, window, entries_max, .. } = asked;
            let of_comms = point.is_none_or(|point| point == Point::Comms);
            let id = match source {
                Some(AlarmSource::Station(id)) if of_comms && occurrence.is_none() => Some(*id),
                _ => None,
            };
            let source = source.as_ref().map(Source);
            let point = point.map(Point::name);
            let (mut after, before, order) = match window {
                Window::After(sequence) => (*sequence, i64::MAX, "ASC"),
                Window::Before(sequence) => (0, *sequence, "DESC"),
                Window::Newest => (0, i64::MAX, "DESC"),
            };
            // Where to begin is found by an index: the ledger is kept for ever.
            if let Some(since_ms) = since_ms {
                match alarm_rows::first_since(moment, *since_ms).map_err(|error| self.not_read(error))? {
                    Some(first) => after = after.max(first - 1),
                    None => return Ok(Page { listeners: self.listeners(moment)?, ..Page::default() }),
                }
            }
            let mut names: Vec<(&str, &dyn ToSql)> = vec![(":after", &after), (":before", &before)];
            let mut conditions = String::from("sequence > :after AND sequence < :before");
            let mut ask = |name, value: Option<_>, condition: &str| {
                if let Some(value) = value {
                    names.push((name, value));
                    conditions.push_str(condition);
                }
            };
            // What is said of many stations at once is said of each.
            let OfMany { found, looked_until } = match id {
                Some(id) => self.of_many_with(moment, id, (after, before), order)?,
                None => OfMany::default(),
            };
            let is_of_source = if found.is_empty() {
                " AND source = :source".to_owned()
            } else {
                let of_many: Vec<String> = found.iter().map(i64::to_string).collect();
                format!(" AND (source = :source OR sequence IN ({}))", of_many.join(", "))
            };
            ask(":source", source.as_ref().map(|source| source as &dyn ToSql), &is_of_source);
            ask(":point", point.as_ref().map(|point| point as &dyn ToSql), " AND point = :point");
            ask(
                ":occurrence",
                occurrence.as_ref().map(|occurrence| occurrence as &dyn ToSql),
                " AND occurrence = :occurrence",
            );
            ask(":since", since_ms.as_ref().map(|ms| ms as &dyn ToSql), " AND +received_at >= :since");
            ask(":until", until_ms.as_ref().map(|ms| ms as &dyn ToSql), " AND event_time <= :until");
            let later = match until_ms {
                Some(until_ms) => {
                    alarm_rows::all_later(moment, *until_ms).map_err(|error| self.not_read(error))?
                }
                None => None,
            };
            let mut asked_for = vec![(conditions.clone(), None)];
            if let Some(later) = &later {
                // What came to be known later is not gone through; the little of it
                // that had happened by then, such as a time of blindness, is found by
                // an index.
                asked_for = vec![
                    (format!("{conditions} AND sequence < :later"), Some((":later", later as &dyn ToSql))),
                    (format!("{conditions} AND sequence IN ({HAPPENED_BEFORE})"), None),
                ];
            }
            let sieve = Sieve::of(asked);
            let looked_at = match &sieve {
                Some(_) => {
                    let (conditions, later) = &asked_for[0];
                    let names: Vec<_> = names.iter().copied().chain(*later).collect();
                    self.last_looked_at(moment, conditions, order, &names)?
                }
                None => None,
            };
            let limit = i64::try_from(*entries_max).unwrap_or(i64::MAX).saturating_add(1);
            let mut entries: Vec<Entry> = Vec::new();
            let bytes_max = asked.bytes_max.unwrap_or(usize::MAX);
            // Where a part ended that has too much for a page.
            let mut full: Vec<i64> = looked_until.into_iter().collect();
            for (conditions, later) in asked_for {
                let mut names: Vec<_> = names.iter().copied().chain(later).collect();
                let mut query = conditions;
                if let Some(last) = &looked_at {
                    let until = if order == "ASC" { "<=" } else { ">=" };
                    query += &format!(" AND sequence {until} :looked_at");
                    names.push((":looked_at", last));
                }
                if let Some(Sieve { conditions, names: of_sieve }) = &sieve {
                    query += conditions;
                    names.extend(of_sieve.iter().map(|(name, value)| (*name, &**value)));
                }
                names.push((":limit", &limit));
                query += &format!(" ORDER BY sequence {order} LIMIT :limit");
                let (part, is_full) = self.entries_within(moment, &query, &names, bytes_max)?;
                full.extend(part.last().map(Entry::sequence).filter(|_| is_full));
                entries.extend(part);
            }
            // Beyond it the other part may have entries, and this one has more before.
            let first_of = |ends: Vec<i64>| {
                if order == "ASC" { ends.into_iter().min() } else { ends.into_iter().max() }
            };
            let bound = first_of(full);
            if let Some(bound) = bound {
                let is_beyond = |sequence| if order == "ASC" { sequence > bound } else { sequence < bound };
                entries.retain(|entry| !is_beyond(entry.sequence()));
            }
            entries.sort_by_key(Entry::sequence);
            entries.dedup_by_key(|entry| entry.sequence());
            if order == "DESC" {
                entries.reverse();
            }
            let has_more = entries.len() > *entries_max;
            entries.truncate(*entries_max);
            let last = match has_more {
                true => entries.last().map(Entry::sequence),
                false => first_of(bound.into_iter().chain(looked_at).collect()),
            };
            let is_cut = has_more || bound.is_some();
            let next =
                last.map(|last| if order == "ASC" { Window::After(last) } else { Window::Before(last) });
            if order == "DESC" {
                entries.reverse();
            }
            let (events, unreadable) = split(entries);
            Ok(Page { events, unreadable, is_cut, next, listeners: self.listeners(moment)? })
        })
    }

    /// The last of the entries that fit which may be looked at; `None` if these are
    /// all.
    fn last_looked_at(
        &self,
        moment: &Transaction<'_>,
        conditions: &str,
        order: &str,
        names: Names<'_>,
    ) -> Result<Option<i64>, ReadError> {
        let query = format!(
            "SELECT sequence FROM alarm_event WHERE {conditions} ORDER BY sequence {order} LIMIT 1 OFFSET {}",
            LOOKED_AT_MAX - 1
        );
        moment
            .prepare_cached(&query)
            .and_then(|mut statement| statement.query_row(names, |row| row.get(0)).optional())
            .map_err(|error| self.not_read(error))
    }

    /// All that is recorded of an occurrence of an alarm: the one with this
    /// name, or else the current or last one, and what happened since. `Err`
    /// with the current or last one, if any, where there is none like that, or
    /// nothing to tell. What is read is about this alarm and its source, by indexes,
    /// but for the journal, as [`Reader::alarm`] has it.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn past(
        &self,
        key: &AlarmKey,
        occurrence: Option<i64>,
        zone: &TimeZone,
    ) -> Result<Result<Past, Option<i64>>, ReadError> {
        self.look(|moment| {
            if self.kind != Kind::Ours {
                return Ok(Err(None));
            }
            let last = alarm_rows::last_raise(moment, key).map_err(|error| self.not_read(error))?;
            let mut past = match occurrence.or(last) {
                Some(named) => {
                    let past = self.entries_about(moment, key, named)?;
                    // Its first entry is the one that names it, whether it can be read or not.
                    let is_named = past.events.first().is_some_and(|first| first.sequence == named)
                        || past.unreadable.iter().any(|entry| entry.sequence == named);
                    if !is_named {
                        return Ok(Err(last));
                    }
                    past
                }
                None => Past::default(),
            };
            let alarms = self.alarms_of(moment, &key.0)?;
            let is_silent = |(of, alarm): &KnownAlarm| of.0 == key.0 && of.1 == Point::Comms && alarm.contact;
            past.is_silent = of_station(key).is_some() && alarms.iter().any(is_silent);
            past.alarm = alarms.iter().find(|(of, _)| of == key).map(|(_, alarm)| Alarm::clone(alarm));
            if let Some(id) = of_station(key) {
                past.contact = self.contacts(moment, Which::These(&[id]), zone)?.pop();
                past.heard_at_ms = self.heard_before(moment, &past, id)?;
            }
            if occurrence.is_none() && past.alarm.as_ref().is_none_or(|alarm| alarm.occurrence.is_none()) {
                self.add_since(moment, key, &mut past)?;
            }
            past.unreadable.sort_by_key(|entry| entry.sequence);
            past.unreadable.dedup_by_key(|entry| entry.sequence);
            let is_on = past.contact.as_ref().is_some_and(|contact| contact.is_on(key.1));
            let is_empty = past.since.is_empty() && past.unreadable.is_empty();
            if past.occurrence.is_none() && is_empty && past.alarm.is_none() && !is_on {
                return Ok(Err(None));
            }
            past.server = self.server_of_source(moment, &key.0)?;
            let settings = &past.server.settings;
            past.priority = Some(self.priority_of(moment, key, past.alarm.as_ref(), &alarms, settings)?);
            past.listeners = self.listeners(moment)?;
            let told = past.before.iter().chain(&past.events).chain(&past.since);
            let suppressed_by = past.alarm.as_ref().and_then(|alarm| alarm.hidden.suppressed_by);
            past.raises = self.raises_named(moment, told, suppressed_by)?;
            if let (Some(occurrence), None) = (past.occurrence, of_station(key)) {
                let open = past.alarm.as_ref().and_then(|alarm| alarm.occurrence.as_ref());
                let is_open = open.is_some_and(|open| open.sequence == occurrence);
                let last = past.events.last().filter(|_| !is_open && !past.is_cut);
                let last = last.map_or(i64::MAX, |last| last.sequence);
                past.suppressed = self.suppressed_by(moment, occurrence, last)?;
            }
            Ok(Ok(past))
        })
    }

    /// Adds what the alarm went through after its last occurrence.
    fn add_since(&self, moment: &Transaction<'_>, key: &AlarmKey, past: &mut Past) -> Result<(), ReadError> {
        let after = past.events.last().map_or(0, |last| last.sequence);
        let since_max = i64::try_from(Past::BEFORE_MAX).unwrap_or(i64::MAX);
        past.since = self.entries_of(
            moment,
            "source = :source AND point = :point AND sequence > :after ORDER BY sequence DESC LIMIT :max",
            named_params! {
                ":source": Source(&key.0), ":point": key.1.name(), ":after": after, ":max": since_max + 1
            },
            &mut past.unreadable,
        )?;
        let with_others = self.silences_with_others(moment, key, (after, i64::MAX), &mut past.unreadable)?;
        past.since.extend(with_others);
        past.since.sort_by_key(|event| std::cmp::Reverse(event.sequence));
        past.is_cut |= past.since.len() > Past::BEFORE_MAX;
        past.since.truncate(Past::BEFORE_MAX);
        past.since.reverse();
        Ok(())
    }

    /// When the report was heard that a silence began with.
    fn heard_before(
        &self,
        moment: &Transaction<'_>,
        past: &Past,
        id: StationId,
    ) -> Result<Option<i64>, ReadError> {
        let raise = past.events.first().filter(|raise| raise.point == Some(Point::Comms));
        let Some(cause) = raise.and_then(|raise| raise.cause) else { return Ok(None) };
        if let Some(contact) = past.contact.as_ref().filter(|contact| contact.sequence == cause) {
            return Ok(contact.received_at_ms);
        }
        // The span that was over then ended with that report. One that a short
        // silence did not end has no time for it.
        let query = "SELECT last_at FROM span AS own WHERE station_id = ?1 AND sequence <= ?2
            AND (SELECT span_sequence FROM station_state WHERE station_id = ?1) > ?2
            AND last_at <= ?3 AND sequence = (SELECT max(sequence) FROM span
                WHERE station_id = ?1 AND sequence <= ?2)";
        let raised_at_ms = raise.map_or(i64::MAX, |raise| raise.event_time_ms);
        moment
            .query_row(query, (id.get(), cause, raised_at_ms), |row| row.get(0))
            .optional()
            .map_err(|error| self.not_read(error))
    }

    fn entries_about(
        &self,
        moment: &Transaction<'_>,
        key: &AlarmKey,
        occurrence: i64,
    ) -> Result<Past, ReadError> {
        let (source, point) = (Source(&key.0), key.1.name());
        let entries_max = i64::try_from(Past::ENTRIES_MAX).unwrap_or(i64::MAX);
        let before_max = i64::try_from(Past::BEFORE_MAX).unwrap_or(i64::MAX);
        let mut unreadable = Vec::new();
        let mut before = self.entries_of(
            moment,
            "source = :source AND point = :point AND sequence < :occurrence ORDER BY sequence DESC LIMIT :max",
            named_params! { ":source": source, ":point": point, ":occurrence": occurrence, ":max": before_max },
            &mut unreadable,
        )?;
        before.extend(self.silences_with_others(moment, key, (0, occurrence), &mut unreadable)?);
        before.sort_by_key(|event| event.sequence);
        before.drain(..before.len().saturating_sub(Past::BEFORE_MAX));
        let mut events = self.entries_of(
            moment,
            "occurrence = :occurrence AND source = :source AND point = :point ORDER BY sequence LIMIT :max",
            named_params! {
                ":occurrence": occurrence, ":source": source, ":point": point, ":max": entries_max + 1
            },
            &mut unreadable,
        )?;
        let is_cut = events.len() > Past::ENTRIES_MAX;
        events.truncate(Past::ENTRIES_MAX);
        let begin = before.first().map_or(occurrence, |first| first.sequence);
        let server = Source(&AlarmSource::Server);
        // The server says of itself also what has nothing to do with hearing.
        let of_hearing = format!(
            "source = :server AND point IS NULL AND kind IN ('{}', '{}')",
            EventKind::Blind.name(),
            EventKind::ClockJumped.name()
        );
        let mut hearing = self.entries_of(
            moment,
            &format!("{of_hearing} AND sequence < :begin ORDER BY sequence DESC LIMIT 1"),
            named_params! { ":server": server, ":begin": begin },
            &mut unreadable,
        )?;
        hearing.extend(self.entries_of(
            moment,
            &format!("{of_hearing} AND sequence >= :begin ORDER BY sequence LIMIT :max"),
            named_params! { ":server": server, ":begin": begin, ":max": entries_max },
            &mut unreadable,
        )?);
        Ok(Past {
            occurrence: Some(occurrence),
            before,
            events,
            unreadable,
            is_cut,
            hearing,
            ..Past::default()
        })
    }
}
