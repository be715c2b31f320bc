//! All that the configuration says of calling: who there is, who takes turns, what is
//! done about which alarms.

use std::collections::BTreeMap;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::ids::{ChannelId, ContactId, RotaId};
use super::on_call::{OnCall, TakeOver};
use super::policy::{Callee, Policy, Step, Subject};
use super::rota::{Rota, Shift};
use super::wall::{first_moment, shown};
use crate::alarm::Priority;
use crate::alarm::words::named;

/// How messages leave the house by a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKind {
    /// Mail, by SMTP.
    Email,
    /// An HTTP request to somebody's service: push, SMS, voice, chat.
    Webhook,
    /// A message to an MQTT broker.
    Mqtt,
    /// A program on this machine: a GSM modem, a siren.
    Program,
}

named!(ChannelKind {
    Email => "email",
    Webhook => "webhook",
    Mqtt => "mqtt",
    Program => "program",
});

/// A way by which messages leave the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// How.
    pub kind: ChannelKind,
    /// Whose service it needs, as far as that can be known: two channels of one
    /// provider fail together.
    pub provider: Box<str>,
}

/// Somebody who can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// What people call them.
    pub name: Box<str>,
    /// In which zone they are told times.
    pub zone: TimeZone,
    /// How they can be reached, the best way first; at least one.
    pub ways: Vec<Way>,
    /// When what is not critical waits.
    pub quiet: Option<QuietHours>,
}

/// How somebody can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// By which channel.
    pub channel: ChannelId,
    /// Where they are there: an address, a number, a topic. Empty where the channel
    /// knows by itself.
    pub to: Box<str>,
}

/// A time of the day in which somebody is not to be woken by what can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// From when on each day.
    pub from: Time,
    /// Until when, on the next day if it is earlier.
    pub until: Time,
}

/// A rota, and what is done where nobody has duty in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Who takes turns.
    pub rota: Rota,
    /// Who is called in a gap.
    pub fallback: ContactId,
    /// So long before a gap it is an alarm of the server, in milliseconds.
    pub warn_before_ms: i64,
}

/// All that the configuration says of calling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ways out of the house.
    pub channels: BTreeMap<ChannelId, Channel>,
    /// Who can be told.
    pub contacts: BTreeMap<ContactId, Contact>,
    /// Who takes turns.
    pub rotas: BTreeMap<RotaId, Duty>,
    /// What is done: the first that covers an alarm holds, and the last covers all.
    pub policies: Vec<Policy>,
}

/// Who is called by a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called<'a> {
    /// Who.
    pub contact: &'a ContactId,
    /// As whoever has duty in this rota; `None`: by name.
    pub rota: Option<&'a RotaId>,
    /// Because nobody has duty there.
    pub is_fallback: bool,
}

impl QuietHours {
    /// When they end, in milliseconds UTC, if they are now.
    #[must_use]
    pub fn end_ms(&self, zone: &TimeZone, now_ms: i64) -> Option<i64> {
        let now = shown(zone, now_ms);
        let (time, today) = (now.time(), now.date());
        let over_night = self.until <= self.from;
        let are_now = if over_night {
            time >= self.from || time < self.until
        } else {
            (self.from..self.until).contains(&time)
        };
        if !are_now {
            return None;
        }
        let ends_on = if over_night && time >= self.from { today.tomorrow().ok()? } else { today };
        let end_ms = first_moment(zone, ends_on.to_datetime(self.until));
        // In an hour that comes twice the end may have come already.
        (end_ms > now_ms).then_some(end_ms)
    }
}

impl Contact {
    /// Until when a notice of this priority waits, in milliseconds UTC; `None`: it does
    /// not. What is critical never does.
    #[must_use]
    pub fn waits_until_ms(&self, priority: Priority, now_ms: i64) -> Option<i64> {
        let quiet = self.quiet.filter(|_| priority != Priority::Critical)?;
        quiet.end_ms(&self.zone, now_ms)
    }
}

impl Plan {
    /// What is done about this alarm; `None` only if there is no plan at all.
    #[must_use]
    pub fn policy_for(&self, subject: &Subject<'_>) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.matches.covers(subject))
    }

    /// The rota with this name, with those who took over in it out of all of them.
    pub fn on_call<'a>(&'a self, rota: &str, take_overs: &'a [TakeOver]) -> Option<OnCall<'a>> {
        self.rotas.get(rota).map(|duty| OnCall::new(&duty.rota, take_overs))
    }

    /// That nobody has duty in a rota within a gap of it, and who stands in.
    #[must_use]
    pub fn gap_in_words(&self, (id, duty): (&RotaId, &Duty), gap: &Shift, now_ms: i64) -> String {
        let when = gap.in_words(duty.rota.zone(), now_ms);
        let fallback = self.contacts.get(&duty.fallback);
        let fallback = fallback.map_or(duty.fallback.as_str(), |contact| &contact.name);
        format!("nobody has duty in the rota {id} {when}: {fallback} stands in")
    }

    /// Who is called by a step that is taken now, nobody twice.
    pub fn called<'a>(
        &'a self,
        step: &'a Step,
        take_overs: &'a BTreeMap<RotaId, Vec<TakeOver>>,
        now_ms: i64,
    ) -> Vec<Called<'a>> {
        let mut called: Vec<Called<'a>> = Vec::new();
        for callee in &step.call {
            let Some(one) = self.called_as(callee, take_overs, now_ms) else { continue };
            if called.iter().all(|other| other.contact != one.contact) {
                called.push(one);
            }
        }
        called
    }

    fn called_as<'a>(
        &'a self,
        callee: &'a Callee,
        take_overs: &'a BTreeMap<RotaId, Vec<TakeOver>>,
        now_ms: i64,
    ) -> Option<Called<'a>> {
        let id = match callee {
            Callee::Contact(contact) => return Some(Called { contact, rota: None, is_fallback: false }),
            Callee::Rota(id) => id,
        };
        let duty = self.rotas.get(id)?;
        let said = take_overs.get(id).map_or(&[][..], Vec::as_slice);
        let who = OnCall::new(&duty.rota, said).shift_at(now_ms).who;
        // By its place in the plan: somebody who took over and is in it no more is nobody.
        let known = who.and_then(|who| self.contacts.get_key_value(&who)).map(|(contact, _)| contact);
        let contact = known.unwrap_or(&duty.fallback);
        Some(Called { contact, rota: Some(id), is_fallback: known.is_none() })
    }
}

#[cfg(test)]
mod tests;
