//! One alarm that is lived through: its facts, its ledger and its clock.

use crate::alarm::{
    Alarm, AlarmSource, Event, Input, Kind, Ledger, Order, Point, PointSettings, Rejected, State, Subject,
};
use crate::report::Origin;
use crate::station::StationId;

pub(super) const SECOND_MS: i64 = 1_000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;

pub(super) fn subject(now_ms: i64) -> Subject {
    Subject {
        source: AlarmSource::Station(StationId::new(7).unwrap()),
        point: Point::Alarm1,
        event_time_ms: now_ms,
        received_at_ms: now_ms,
        origin: Origin::default(),
        cause: None,
        reason: None,
    }
}

pub(super) fn order(until_ms: i64) -> Order<'static> {
    Order { until_ms, by: "Ann", reason: "pump away" }
}

#[derive(Clone, Debug)]
pub(super) struct Life {
    pub alarm: Option<Alarm>,
    pub settings: PointSettings,
    pub now_ms: i64,
    pub sequence: i64,
    pub events: Vec<Event>,
}

impl Life {
    pub fn new(settings: PointSettings) -> Life {
        Life { alarm: None, settings, now_ms: 0, sequence: 0, events: Vec::new() }
    }

    /// Takes one input; gives what it added to the ledger.
    pub fn step(&mut self, input: Input<'_>) -> Result<&[Event], Rejected> {
        let written = self.events.len();
        let mut ledger = Ledger { sequence: &mut self.sequence, events: &mut self.events };
        let subject = subject(self.now_ms);
        self.alarm = Alarm::step(self.alarm.as_ref(), input, &self.settings, &subject, &mut ledger)?;
        Ok(&self.events[written..])
    }

    pub fn state(&self) -> State {
        self.alarm.as_ref().map_or(State::Normal, Alarm::state)
    }

    /// The name of what is open.
    pub fn occurrence(&self) -> Option<i64> {
        Some(self.alarm.as_ref()?.occurrence.as_ref()?.sequence)
    }

    /// Goes on until the next thing that time brings and that is told, and
    /// gives when that is.
    pub fn next_told_ms(mut self) -> Option<i64> {
        loop {
            self.now_ms = self.alarm.as_ref()?.due_ms()?;
            if !self.step(Input::Time).unwrap().is_empty() {
                return Some(self.now_ms);
            }
        }
    }
}

pub(super) fn kinds(events: &[Event]) -> Vec<Kind> {
    events.iter().map(|event| event.kind).collect()
}
