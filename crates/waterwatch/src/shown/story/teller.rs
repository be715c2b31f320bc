//! The sentences of single entries.

use waterwatch_core::alarm::{AlarmSource, Event, Kind, Point, State};
use waterwatch_core::station_life::without_remark;

use crate::shown::alarm::which;
use crate::shown::event::peer;
use crate::shown::text::plain;
use crate::shown::time::{Clock, span};
use crate::store::AlarmKey;
use crate::store::reader::{Past, Raises};

/// What must be known of the entries before to tell the next.
pub(super) struct Teller<'a> {
    clock: &'a Clock,
    key: &'a AlarmKey,
    /// When its station was heard last before it fell silent, if that is known.
    heard_at_ms: Option<i64>,
    raised_at_ms: Option<i64>,
    /// Who has acknowledged it, as far as was told.
    answered_by: Option<String>,
    /// Whether an on-delay was told to run.
    is_delayed: bool,
    /// The sequence of the entry that was told last.
    pub(super) told: Option<i64>,
    /// Whose the occurrences are that stood for it.
    raises: &'a Raises,
}

impl<'a> Teller<'a> {
    pub(super) fn new(clock: &'a Clock, key: &'a AlarmKey, past: &'a Past) -> Teller<'a> {
        Teller {
            clock,
            key,
            heard_at_ms: past.heard_at_ms,
            raised_at_ms: None,
            answered_by: None,
            is_delayed: false,
            told: None,
            raises: &past.raises,
        }
    }

    /// The sentence of one entry.
    pub(super) fn sentence(&mut self, event: &Event) -> String {
        match event.kind {
            Kind::OnDelayStarted => {
                self.is_delayed = true;
                format!("{}; it is raised if that lasts for {}.", self.goes(event, true), lasting(event))
            }
            Kind::OnDelayCancelled => {
                format!("{}, before the on-delay was over: no alarm.", self.goes(event, false))
            }
            Kind::Raised => {
                self.raised_at_ms = Some(event.event_time_ms);
                let why = self.why_raised(event);
                self.is_delayed = false;
                format!("raised: {why}{}.", remark(event))
            }
            Kind::RaisedAgain => format!(
                "raised again: {}{}. Nobody had acknowledged, so it is the same occurrence{}.",
                self.goes(event, true),
                remark(event),
                event.count.map_or(String::new(), |count| format!(" (raise {count})"))
            ),
            Kind::OffDelayStarted => {
                format!("{}; it has returned if that lasts for {}.", self.goes(event, false), lasting(event))
            }
            Kind::OffDelayCancelled => {
                format!("{}, before the off-delay was over: it never returned.", self.goes(event, true))
            }
            Kind::Returned => {
                let (after, why) = (self.after(event), because(event));
                format!("returned to normal{after}{why}; {}.", self.who_had_answered(event))
            }
            Kind::Acknowledged => self.acknowledged(event),
            Kind::Realarmed => {
                let before = self.answered_by.take();
                let by = before.map_or(String::new(), |by| format!(" by {by}"));
                format!("still on so long after the acknowledgement{by}: it needs another one.")
            }
            Kind::ChatterStarted => {
                format!("comes and goes too often{}: it stays one alarm until it is calm.", raises(event))
            }
            Kind::ChatterCalmed => {
                format!(
                    "calm after coming and going{}: it has returned; {}.",
                    raises(event),
                    self.who_had_answered(event)
                )
            }
            Kind::ChatterStuck => {
                self.answered_by = None;
                format!("stays on after coming and going{}: it needs an answer now.", raises(event))
            }
            Kind::OnWhileHidden => {
                format!("{}, while it was hidden: recorded, and no alarm.", self.goes(event, true))
            }
            Kind::OffWhileHidden => format!("{}, while it was hidden.", self.goes(event, false)),
            Kind::OriginChanged => format!("its reports come from elsewhere{}.", because(event)),
            Kind::Retired => {
                format!("closed{}, since the station was retired{}.", by(event), because(event))
            }
            Kind::Forgotten => format!("closed{}, since the station was forgotten.", by(event)),
            Kind::VisitBegan => format!("somebody is at the station{}{}.", by(event), because(event)),
            Kind::VisitEnded => format!("nobody is at the station any more{}{}.", by(event), because(event)),
            Kind::RetirementEnded if event.by.is_some() => {
                format!("its retirement was ended{}.", by(event))
            }
            Kind::RetirementEnded => "the station was heard again after it was retired.".to_owned(),
            Kind::TokenAdded => format!("a token was added{}{}.", by(event), because(event)),
            Kind::TokenRevoked => format!("a token was revoked{}{}.", by(event), because(event)),
            Kind::Disabled => format!("closed, since the point was disabled{}.", because(event)),
            Kind::Shelved
            | Kind::Unshelved
            | Kind::ShelfExpired
            | Kind::ShelfExpiring
            | Kind::TakenOutOfService
            | Kind::ReturnedToService
            | Kind::ServiceExpired
            | Kind::ServiceExpiring
            | Kind::Suppressed
            | Kind::Unsuppressed => self.hidden(event),
            Kind::StandsFor => format!("silent together with others: {} stands for it.", self.other(event)),
            Kind::HeardAgain => "heard again, and suppressed no more.".to_owned(),
            Kind::SettingsChanged => format!("settings were changed{}{}.", by(event), because(event)),
            Kind::Note => {
                let text =
                    event.reason.as_deref().map(|text| format!(": {}", plain(text))).unwrap_or_default();
                let end = if text.ends_with(['.', '…', '!', '?']) { "" } else { "." };
                format!("remarked{}{text}{end}", by(event))
            }
            Kind::SendingRefused => {
                let why = event.reason.as_deref().map_or_else(|| "its lines are refused".to_owned(), plain);
                format!("{why}.")
            }
            Kind::Blind => {
                let (from, to) = self.between(event);
                format!("the server could hear nobody from {from} to {to}{}.", because(event))
            }
            Kind::ClockJumped => {
                let (from, to) = self.between(event);
                format!(
                    "the server's clock was set from {from} to {to}: times before and after differ by that."
                )
            }
        }
    }

    /// What hides it, and what no longer does.
    fn hidden(&self, event: &Event) -> String {
        let until = event
            .until_ms
            .map_or(String::new(), |until_ms| format!(" until {}", self.clock.minute(until_ms)));
        let again = if event.from == event.to { " anew" } else { "" };
        let was_on = event.was_on.map_or(String::new(), |was_on| {
            let from = self.clock.minute(was_on.from_ms);
            match was_on.to_ms {
                Some(to_ms) => format!("; meanwhile it was on from {from} to {}", self.clock.minute(to_ms)),
                None => format!("; it is on since {from}"),
            }
        });
        let (by, because) = (by(event), because(event));
        match event.kind {
            Kind::Shelved => format!("shelved{again}{by}{until}{because}."),
            Kind::TakenOutOfService => format!("taken out of service{again}{by}{until}{because}."),
            Kind::Unshelved => format!("unshelved{by}{was_on}."),
            Kind::ReturnedToService => format!("returned to service{by}{was_on}."),
            Kind::ShelfExpired => format!("its time on the shelf is over{was_on}."),
            Kind::ServiceExpired => format!("its time out of service is over{was_on}."),
            Kind::ShelfExpiring => "its time on the shelf is over soon.".to_owned(),
            Kind::ServiceExpiring => "its time out of service is over soon.".to_owned(),
            Kind::Suppressed => format!("suppressed: {} stands for it{because}.", self.other(event)),
            Kind::Unsuppressed => {
                format!("no longer suppressed: {} no longer stands for it{was_on}.", self.other(event))
            }
            kind => unreachable!("{kind} hides nothing"),
        }
    }

    /// The alarm that stands for it.
    fn other(&self, event: &Event) -> String {
        let of = |cause| which(cause, self.raises.get(&cause).map(AsRef::as_ref));
        event.cause.map_or_else(|| "another alarm".to_owned(), of)
    }

    /// What made it an alarm.
    fn why_raised(&self, event: &Event) -> String {
        let (reason, _) = reason_and_remark(event);
        match (&self.key, event.cause, reason) {
            ((AlarmSource::Station(_), Point::Alarm1 | Point::Alarm2), _, Some(reason)) => {
                format!("the contact is {}", plain(reason))
            }
            ((AlarmSource::Station(_), Point::Comms), cause, None)
                if !self.is_delayed && (cause.is_none() || self.told != cause) =>
            {
                let since = self.heard_at_ms.map_or(String::new(), |heard_at_ms| {
                    format!(" since {},", self.clock.exact(heard_at_ms))
                });
                format!("nothing was heard of the station{since} for its period and grace")
            }
            (_, _, Some(reason)) => plain(reason),
            (_, None, None) => "it stayed on for the on-delay".to_owned(),
            // An entry of its own, and no report: what hid it is over.
            (_, Some(cause), None) if self.told == Some(cause) => {
                "it is on, and nothing hides it any more".to_owned()
            }
            (_, Some(_), None) => self.goes(event, true),
        }
    }

    /// That the condition goes on or off, and how that was known.
    fn goes(&self, event: &Event, on: bool) -> String {
        match (&self.key.0, self.key.1, on) {
            (AlarmSource::Station(_), Point::Alarm1 | Point::Alarm2, on) => {
                let from = peer(&event.origin).map_or(String::new(), |peer| format!(" from {peer}"));
                format!("its report{from} said that the contact is {}", if on { "on" } else { "off" })
            }
            (AlarmSource::Server, Point::NewStations, true) => "too many stations were new".to_owned(),
            (AlarmSource::Server, Point::NewStations, false) => {
                "within the last hour no more stations were new than may be".to_owned()
            }
            (AlarmSource::Server, Point::OnCall, true) => "nobody has duty, or will not have soon".to_owned(),
            (AlarmSource::Server, Point::OnCall, false) => "somebody has duty, and will have".to_owned(),
            (AlarmSource::Station(_), Point::Identity, true) => "several devices report as it".to_owned(),
            (AlarmSource::Station(_), Point::Identity, false) => "one device alone was heard".to_owned(),
            (AlarmSource::Station(_), Point::Comms | Point::NewStations | Point::OnCall, true) => {
                "nothing was heard of the station".to_owned()
            }
            (AlarmSource::Station(_), Point::Comms | Point::NewStations | Point::OnCall, false) => {
                "the station was heard".to_owned()
            }
            (AlarmSource::Area(_) | AlarmSource::Server, _, true) => "it went on".to_owned(),
            (AlarmSource::Area(_) | AlarmSource::Server, _, false) => "it went off".to_owned(),
        }
    }

    /// ` after 42 min`
    fn after(&self, event: &Event) -> String {
        self.raised_at_ms.map_or(String::new(), |raised_at_ms| {
            format!(" after {}", span(event.event_time_ms.saturating_sub(raised_at_ms).max(0) / 1_000))
        })
    }

    fn who_had_answered(&self, event: &Event) -> String {
        match &self.answered_by {
            Some(by) => format!("{by} had acknowledged"),
            None if event.to == Some(State::Normal) => {
                "nobody had acknowledged, and nobody needs to".to_owned()
            }
            None => "nobody had acknowledged".to_owned(),
        }
    }

    fn acknowledged(&mut self, event: &Event) -> String {
        let name = event.by.as_deref().map_or_else(|| "somebody".to_owned(), plain);
        let after = self.raised_at_ms.map_or(String::new(), |raised_at_ms| {
            let passed_s = event.event_time_ms.saturating_sub(raised_at_ms).max(0) / 1_000;
            format!(", {} after it was raised", span(passed_s))
        });
        let over = if event.to == Some(State::Normal) { "; it had returned already" } else { "" };
        let text = format!("acknowledged by {name}{after}{over}.");
        self.answered_by = Some(name);
        text
    }

    fn between(&self, event: &Event) -> (String, String) {
        let to_ms = event.until_ms.unwrap_or(event.received_at_ms);
        (self.clock.exact(event.event_time_ms), self.clock.exact(to_ms))
    }
}

/// For how long something must last.
fn lasting(event: &Event) -> String {
    let until_ms = event.until_ms.unwrap_or(event.received_at_ms);
    span(until_ms.saturating_sub(event.received_at_ms).max(0) / 1_000)
}

/// `, during the visit of Ana`
fn remark(event: &Event) -> String {
    reason_and_remark(event).1.map_or(String::new(), |remark| format!(", {}", plain(remark)))
}

fn reason_and_remark(event: &Event) -> (Option<&str>, Option<&str>) {
    event.reason.as_deref().map_or((None, None), without_remark)
}

/// ` by Ann`
fn by(event: &Event) -> String {
    event.by.as_deref().map_or(String::new(), |by| format!(" by {}", plain(by)))
}

/// ` (pump exchange)`
fn because(event: &Event) -> String {
    event.reason.as_deref().map_or(String::new(), |reason| format!(" ({})", plain(reason)))
}

/// ` (6 raises)`
fn raises(event: &Event) -> String {
    event.count.map_or(String::new(), |count| format!(" ({count} raises)"))
}
