//! Who reports as a station: what a draft makes of reports from elsewhere, and of
//! those that contradict each other.

use waterwatch_core::alarm::{AlarmSource, Input, Point, Subject};
use waterwatch_core::identity::Moment;
use waterwatch_core::{Contest, Origin, Report, Station};

use super::draft::{Draft, Ground};
use super::watch::Watch;
use crate::store::{AlarmKey, Slot, Store};

impl Draft {
    /// What a report means for who reports as its station; gives the contacts as
    /// they count.
    pub(super) fn identify<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        before: &Station,
        report: Report,
        origin: Origin,
    ) -> [bool; 2] {
        let Ground { store, watch, .. } = *ground;
        let (id, cause) = (report.station_id, self.batch.sequence);
        let known = self.judgement.contest(store, &self.batch, id);
        if !watch.settings().of(id).point(Point::Identity).enabled {
            if known.is_some() {
                self.judgement.remember(&mut self.batch, id, None);
            }
            return [report.alarm1, report.alarm2];
        }
        let at = Moment { received_at_ms: self.batch.received_at_ms, sequence: cause };
        let heard = Contest::hear(known, before, report, origin, at, watch.hearing(id));
        let was_contested = known.is_some_and(Contest::is_contested);
        let is_contested = heard.contest.as_ref().is_some_and(Contest::is_contested);
        if heard.contest.as_ref() != known {
            self.judgement.remember(&mut self.batch, id, heard.contest);
        }
        let subject = self.subject(AlarmSource::Station(id), Point::Identity, origin, Some(cause));
        if let Some(moved_from) = heard.moved_from {
            self.judgement.moved(store, &mut self.batch, &subject, moved_from);
        }
        let begins = heard.sign.filter(|_| !was_contested);
        let subject = Subject { reason: begins.map(|sign| sign.to_string().into()), ..subject };
        self.step(store, watch.settings(), &subject, Input::Contact(is_contested));
        heard.contacts
    }

    /// These have fallen silent, unless the batch has a report of them: nobody's
    /// word counts any more. That several devices report as one ends with a
    /// report, as any alarm does.
    pub(super) fn forget_silent<S: Store>(&mut self, store: &S, overdue: &[Slot]) {
        for &slot in overdue {
            let (id, _) = store.station(slot);
            let is_over = store.contests().get(id).is_some_and(|contest| !contest.is_contested());
            if is_over && !self.has_report_of(slot) && !self.is_forgotten(id) {
                self.judgement.remember(&mut self.batch, id, None);
            }
        }
    }
}

/// Whether the station's contact is on as far as is known. What no station has
/// (the silence of one that was heard, or what is not a station's) stays as it is.
pub(super) fn is_contact_on<S: Store>(store: &S, watch: &Watch, (source, point): &AlarmKey) -> bool {
    let AlarmSource::Station(id) = source else { return true };
    let Some((_, station)) = store.find(*id) else {
        return *point != Point::Comms || watch.is_expected(*id);
    };
    let contest =
        store.contests().get(*id).filter(|_| watch.settings().of(*id).point(Point::Identity).enabled);
    let holds = |contact| contest.is_some_and(|contest| contest.holds(contact));
    match point {
        Point::Alarm1 => station.alarm1 || holds(0),
        Point::Alarm2 => station.alarm2 || holds(1),
        Point::Comms | Point::NewStations | Point::OnCall => true,
        Point::Identity => contest.is_some_and(Contest::is_contested),
    }
}
