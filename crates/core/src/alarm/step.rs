//! One input to one alarm.

use super::facts::{Acknowledgement, Alarm, Aside, Chatter, Chattering, Due, Occurrence, OnWhileHidden};
use super::input::{self, Input, Order, Rejected, name};
use super::ledger::{Entry, Ledger, Subject};
use super::settings::PointSettings;
use super::words::{Kind, State};

impl Alarm {
    /// The facts after one input, `None` if the alarm is at rest then. What
    /// happened is in the ledger; an input that changes nothing writes
    /// nothing.
    ///
    /// What is due by then happens before the input: it does not matter how
    /// often [`Input::Time`] comes, nor whether a report is faster.
    ///
    /// # Errors
    /// If an operator's input does not fit the facts: they stay as they are,
    /// and so does the ledger.
    pub fn step(
        before: Option<&Alarm>,
        input: Input<'_>,
        settings: &PointSettings,
        subject: &Subject,
        ledger: &mut Ledger<'_>,
    ) -> Result<Option<Alarm>, Rejected> {
        let (sequence, written) = (*ledger.sequence, ledger.events.len());
        let mut alarm = before.cloned().unwrap_or_default();
        // A jump moves what is due; only then is it known whether it is. Of
        // what is no longer judged nothing is due.
        let waits = !settings.enabled || matches!(input, Input::Time | Input::ClockJump { .. });
        if !waits && alarm.due_ms().is_some_and(|due_ms| due_ms <= subject.received_at_ms) {
            let subject = &subject.by_time();
            let mut step = Step { from: alarm.state(), alarm, settings, subject, ledger: &mut *ledger };
            step.time();
            // Of one at rest nothing is kept, whenever it came to it.
            alarm = if step.alarm.is_at_rest() { Alarm::default() } else { step.alarm };
        }
        let mut step = Step { from: alarm.state(), alarm, settings, subject, ledger: &mut *ledger };
        let taken = step.take(input);
        let alarm = step.alarm;
        if let Err(rejected) = taken {
            *ledger.sequence = sequence;
            ledger.events.truncate(written);
            return Err(rejected.known_up_to(sequence));
        }
        alarm.check();
        Ok((!alarm.is_at_rest()).then_some(alarm))
    }
}

/// One step under way.
struct Step<'a, 'l> {
    alarm: Alarm,
    /// The state before what happens next.
    from: State,
    settings: &'a PointSettings,
    subject: &'a Subject,
    ledger: &'a mut Ledger<'l>,
}

impl Step<'_, '_> {
    fn take(&mut self, input: Input<'_>) -> Result<(), Rejected> {
        if !self.settings.enabled && matches!(input, Input::Contact(_) | Input::Time) {
            self.closes(Kind::Disabled, Entry::default());
            return Ok(());
        }
        if !self.settings.enabled && matches!(input, Input::Shelve(_) | Input::TakeOutOfService(_)) {
            return Err(Rejected::PointDisabled);
        }
        match input {
            Input::Contact(on) => self.contact(on),
            Input::Time => self.time(),
            Input::ClockJump { by_ms } => self.clock_jumps(by_ms),
            Input::Acknowledge { occurrence, by } => return self.acknowledge(occurrence, by),
            Input::Shelve(order) => return self.shelve(order),
            Input::Unshelve { by } => return self.unshelve(by),
            Input::TakeOutOfService(order) => return self.take_out_of_service(order),
            Input::ReturnToService { by } => return self.return_to_service(by),
            Input::Suppress { occurrence } => self.suppress(occurrence),
            Input::Unsuppress => self.unsuppress(),
            Input::Retire { by, reason } => return self.retire(by, reason),
            Input::Forget { by } => {
                self.closes(Kind::Forgotten, Entry { by: Some(name(by)?), ..Entry::default() });
            }
        }
        Ok(())
    }

    /// The time of the step. Delays count from when we came to know of a
    /// change, not from when a station says that it was.
    fn now_ms(&self) -> i64 {
        self.subject.received_at_ms
    }

    /// The moment that is so long after the step.
    fn after(&self, for_ms: i64) -> i64 {
        self.now_ms().saturating_add(for_ms.clamp(0, PointSettings::LONGEST_MS))
    }

    /// Writes what happened; the facts are those after it.
    fn tell(&mut self, kind: Kind, entry: Entry<'_>) -> i64 {
        let occurrence = entry.occurrence.or(self.alarm.occurrence.as_ref().map(|open| open.sequence));
        let to = self.alarm.state();
        let sequence = self.ledger.write(self.subject, kind, self.from, to, Entry { occurrence, ..entry });
        self.from = to;
        sequence
    }

    fn contact(&mut self, on: bool) {
        if on == self.alarm.contact {
            self.goes_on_reporting();
            return;
        }
        let settings = self.settings;
        self.alarm.contact = on;
        self.alarm.contact_since_ms = self.subject.event_time_ms;
        let delay_ms = if on { settings.on_delay_ms } else { settings.off_delay_ms };
        if self.alarm.chatter.chattering.is_some() {
            self.comes_or_goes();
        } else if self.alarm.delay_due_ms.take().is_some() {
            // The condition had not followed yet, and stays as it is.
            let cancelled = if on { Kind::OffDelayCancelled } else { Kind::OnDelayCancelled };
            self.tell(cancelled, Entry::default());
        } else if delay_ms > 0 {
            let until_ms = Some(self.after(delay_ms));
            self.alarm.delay_due_ms = until_ms;
            let started = if on { Kind::OnDelayStarted } else { Kind::OffDelayStarted };
            self.tell(started, Entry { until_ms, ..Entry::default() });
        } else if on {
            self.goes_on();
        } else {
            self.goes_off();
        }
    }

    /// One more report of the same. Whatever ends because the contact stays
    /// off ends here and not by time: a station that is silent has not said
    /// that all is well.
    fn goes_on_reporting(&mut self) {
        if self.alarm.contact {
            return;
        }
        let now_ms = self.now_ms();
        if self.alarm.delay_due_ms.take_if(|due_ms| *due_ms <= now_ms).is_some() {
            self.goes_off();
        }
        if self.alarm.chatter.chattering.is_some_and(|chattering| chattering.due_ms <= now_ms) {
            self.calms_down();
        }
    }

    /// The condition is on now.
    fn goes_on(&mut self) {
        let at_ms = self.subject.event_time_ms;
        if self.alarm.is_hidden() {
            self.alarm.hidden.was_on = Some(OnWhileHidden { from_ms: at_ms, to_ms: None });
            self.tell(Kind::OnWhileHidden, Entry::default());
            return;
        }
        if let Some(occurrence) = &mut self.alarm.occurrence {
            occurrence.returned_at_ms = None;
            occurrence.raises = occurrence.raises.saturating_add(1);
            let count = Some(occurrence.raises);
            self.tell(Kind::RaisedAgain, Entry { count, ..Entry::default() });
        } else {
            self.raise(None);
        }
        self.count_raise();
    }

    /// A new occurrence.
    fn raise(&mut self, cause: Option<i64>) {
        let raised_at_ms = self.subject.event_time_ms;
        // The event that raises it gives it its name.
        let open = |sequence| Occurrence {
            sequence,
            raised_at_ms,
            returned_at_ms: None,
            acknowledged: None,
            realarm_due_ms: None,
            hand_over_due_ms: None,
            raises: 1,
        };
        let named = *self.ledger.sequence + 1;
        self.alarm.occurrence = Some(open(named));
        let raised = self.tell(Kind::Raised, Entry { cause, ..Entry::default() });
        assert_eq!(raised, named, "the ledger counts on by one");
    }

    /// The condition is off now.
    fn goes_off(&mut self) {
        let at_ms = self.subject.event_time_ms;
        if let Some(was_on) = &mut self.alarm.hidden.was_on {
            was_on.to_ms = Some(at_ms);
            self.tell(Kind::OffWhileHidden, Entry::default());
            return;
        }
        let occurrence = self.returns(at_ms);
        self.tell(Kind::Returned, Entry { occurrence, ..Entry::default() });
    }

    /// The occurrence has returned: it is over unless somebody must see it
    /// yet. Gives its name.
    fn returns(&mut self, at_ms: i64) -> Option<i64> {
        let occurrence = self.alarm.occurrence.as_mut()?;
        let sequence = occurrence.sequence;
        occurrence.returned_at_ms = Some(at_ms);
        occurrence.realarm_due_ms = None;
        if occurrence.acknowledged.is_some() || !self.settings.latched {
            self.alarm.occurrence = None;
        }
        Some(sequence)
    }

    /// One raise more of late; too many are chatter.
    fn count_raise(&mut self) {
        let (now_ms, due_ms) = (self.now_ms(), self.after(self.settings.stuck_after_ms));
        let window_ms = self.settings.chatter_window_ms;
        let forget_due_ms = self.after(window_ms);
        let raises_max = match self.settings.chatter_raises {
            0 => return,
            raises => raises.min(PointSettings::CHATTER_RAISES_MAX) as usize,
        };
        let chatter = &mut self.alarm.chatter;
        chatter.raised_at_ms.retain(|raised_at_ms| *raised_at_ms > now_ms.saturating_sub(window_ms));
        chatter.raised_at_ms.push(now_ms);
        chatter.forget_due_ms = Some(forget_due_ms);
        if chatter.raised_at_ms.len() <= raises_max {
            return;
        }
        let raises = u32::try_from(chatter.raised_at_ms.len()).unwrap_or(u32::MAX);
        let since_ms = chatter.raised_at_ms[0];
        chatter.chattering = Some(Chattering { since_ms, raises, due_ms });
        chatter.raised_at_ms.clear();
        chatter.forget_due_ms = None;
        self.tell(Kind::ChatterStarted, Entry { count: Some(raises), ..Entry::default() });
    }

    /// The contact changes once more while it chatters: only counted.
    fn comes_or_goes(&mut self) {
        let at_ms = self.subject.event_time_ms;
        let on = self.alarm.contact;
        let settings = self.settings;
        let due_ms = self.after(if on { settings.stuck_after_ms } else { settings.chatter_window_ms });
        let (Some(chattering), Some(occurrence)) =
            (&mut self.alarm.chatter.chattering, &mut self.alarm.occurrence)
        else {
            return;
        };
        chattering.due_ms = due_ms;
        if on {
            chattering.raises = chattering.raises.saturating_add(1);
            occurrence.raises = occurrence.raises.saturating_add(1);
        }
        // Somebody who has acknowledged is asked again all the same.
        occurrence.returned_at_ms = (!on).then_some(at_ms);
    }

    /// It has been off for so long that it no longer chatters: it returns.
    fn calms_down(&mut self) {
        let count = self.alarm.chatter.chattering.take().map(|chattering| chattering.raises);
        // It returned when it went off for the last time.
        let occurrence = self.returns(self.alarm.contact_since_ms);
        self.tell(Kind::ChatterCalmed, Entry { occurrence, count, ..Entry::default() });
    }

    /// Everything that is due, one after the other.
    fn time(&mut self) {
        let now_ms = self.now_ms();
        while let Some((due_ms, due)) = self.alarm.next_due()
            && due_ms <= now_ms
        {
            match due {
                Due::OnDelay => {
                    self.alarm.delay_due_ms = None;
                    self.goes_on();
                }
                Due::Realarm => self.alarms_again(Kind::Realarmed, None),
                Due::Stuck => {
                    let count = self.alarm.chatter.chattering.take().map(|chattering| chattering.raises);
                    self.alarms_again(Kind::ChatterStuck, count);
                }
                Due::ShelfExpiring => {
                    if warns(&mut self.alarm.hidden.shelf, now_ms) {
                        self.tell(Kind::ShelfExpiring, Entry::default());
                    }
                }
                Due::ServiceExpiring => {
                    if warns(&mut self.alarm.hidden.service, now_ms) {
                        self.tell(Kind::ServiceExpiring, Entry::default());
                    }
                }
                Due::ShelfExpired => {
                    self.alarm.hidden.shelf = None;
                    self.comes_back(Kind::ShelfExpired, Entry::default());
                }
                Due::ServiceExpired => {
                    self.alarm.hidden.service = None;
                    self.comes_back(Kind::ServiceExpired, Entry::default());
                }
                Due::Forget => {
                    self.alarm.chatter.raised_at_ms.clear();
                    self.alarm.chatter.forget_due_ms = None;
                }
            }
        }
    }

    fn clock_jumps(&mut self, by_ms: i64) {
        let Alarm { delay_due_ms, occurrence, chatter, .. } = &mut self.alarm;
        let Chatter { raised_at_ms, forget_due_ms, chattering } = chatter;
        let (realarm_due_ms, hand_over_due_ms) = occurrence
            .as_mut()
            .map(|Occurrence { realarm_due_ms, hand_over_due_ms, .. }| {
                (realarm_due_ms.as_mut(), hand_over_due_ms.as_mut())
            })
            .unwrap_or_default();
        let (since_ms, due_ms) =
            chattering.as_mut().map(|Chattering { since_ms, due_ms, .. }| (since_ms, due_ms)).unzip();
        let one_each = [
            delay_due_ms.as_mut(),
            realarm_due_ms,
            hand_over_due_ms,
            since_ms,
            due_ms,
            forget_due_ms.as_mut(),
        ];
        for time_ms in one_each.into_iter().flatten().chain(raised_at_ms) {
            *time_ms = time_ms.saturating_add(by_ms);
        }
    }

    /// It is on and needs an answer, whatever was answered before.
    fn alarms_again(&mut self, kind: Kind, count: Option<u32>) {
        if let Some(occurrence) = &mut self.alarm.occurrence {
            occurrence.acknowledged = None;
            occurrence.realarm_due_ms = None;
            occurrence.hand_over_due_ms = None;
        }
        self.tell(kind, Entry { count, ..Entry::default() });
    }

    fn acknowledge(&mut self, named: i64, by: &str) -> Result<(), Rejected> {
        let by = name(by)?;
        let at_ms = self.now_ms();
        let stays = self.alarm.is_on() || self.alarm.chatter.chattering.is_some();
        let realarm_after_ms = self.settings.realarm_after_ms.filter(|after_ms| *after_ms > 0);
        let realarm_due_ms = realarm_after_ms.map(|after_ms| self.after(after_ms));
        let hand_over_due_ms = self.settings.hand_over_after_ms.map(|after_ms| self.after(after_ms));
        let occurrence = match &mut self.alarm.occurrence {
            Some(occurrence) if occurrence.sequence == named => occurrence,
            other => {
                let current = other.as_ref().map(|occurrence| occurrence.sequence);
                return Err(Rejected::OtherOccurrence { named, current });
            }
        };
        if let Some(Acknowledgement { by, at_ms }) = &occurrence.acknowledged {
            return Err(Rejected::AlreadyAcknowledged { by: by.clone(), at_ms: *at_ms });
        }
        if stays {
            occurrence.acknowledged = Some(Acknowledgement { by: by.into(), at_ms });
            occurrence.realarm_due_ms = realarm_due_ms;
            occurrence.hand_over_due_ms = hand_over_due_ms;
        } else {
            self.alarm.occurrence = None;
        }
        let entry = Entry { occurrence: Some(named), by: Some(by), ..Entry::default() };
        self.tell(Kind::Acknowledged, entry);
        Ok(())
    }

    fn shelve(&mut self, order: Order<'_>) -> Result<(), Rejected> {
        let order = self.fits(order, self.settings.shelf_max_ms)?;
        let aside = self.aside(order);
        if self.alarm.hidden.shelf.as_ref() == Some(&aside) {
            // Said twice.
            return Ok(());
        }
        let occurrence = self.hide();
        self.alarm.hidden.shelf = Some(aside);
        self.tell(Kind::Shelved, Entry { occurrence, ..Entry::of(order) });
        Ok(())
    }

    fn unshelve(&mut self, by: &str) -> Result<(), Rejected> {
        let by = name(by)?;
        self.alarm.hidden.shelf.take().ok_or(Rejected::NotShelved)?;
        self.comes_back(Kind::Unshelved, Entry { by: Some(by), ..Entry::default() });
        Ok(())
    }

    fn take_out_of_service(&mut self, order: Order<'_>) -> Result<(), Rejected> {
        let order = self.fits(order, self.settings.service_max_ms)?;
        let aside = self.aside(order);
        if self.alarm.hidden.service.as_ref() == Some(&aside) {
            // Said twice.
            return Ok(());
        }
        let occurrence = self.hide();
        self.alarm.hidden.service = Some(aside);
        self.tell(Kind::TakenOutOfService, Entry { occurrence, ..Entry::of(order) });
        Ok(())
    }

    fn return_to_service(&mut self, by: &str) -> Result<(), Rejected> {
        let by = name(by)?;
        self.alarm.hidden.service.take().ok_or(Rejected::NotOutOfService)?;
        self.comes_back(Kind::ReturnedToService, Entry { by: Some(by), ..Entry::default() });
        Ok(())
    }

    fn suppress(&mut self, by_occurrence: i64) {
        if self.alarm.hidden.suppressed_by.is_some() {
            return;
        }
        let occurrence = self.hide();
        self.alarm.hidden.suppressed_by = Some(by_occurrence);
        self.tell(Kind::Suppressed, Entry { occurrence, cause: Some(by_occurrence), ..Entry::default() });
    }

    fn unsuppress(&mut self) {
        if let Some(by_occurrence) = self.alarm.hidden.suppressed_by.take() {
            self.comes_back(Kind::Unsuppressed, Entry { cause: Some(by_occurrence), ..Entry::default() });
        }
    }

    fn retire(&mut self, by: &str, reason: &str) -> Result<(), Rejected> {
        let (by, reason) = (name(by)?, input::reason(reason)?);
        self.closes(Kind::Retired, Entry { by: Some(by), reason: Some(reason), ..Entry::default() });
        Ok(())
    }

    /// Its station is no more, or it is no longer judged: whatever is open is
    /// closed, and it is off, so that a report that says on raises again.
    fn closes(&mut self, kind: Kind, entry: Entry<'_>) {
        let closed = std::mem::take(&mut self.alarm);
        let occurrence = closed.occurrence.as_ref().map(|open| open.sequence);
        // How often it was raised of late is forgotten without a word.
        if closed.contact || closed.is_on() || closed.is_hidden() || occurrence.is_some() {
            self.tell(kind, Entry { occurrence, was_on: closed.hidden.was_on, ..entry });
        }
    }

    /// An operator's order, if it can be one.
    fn fits<'o>(&self, order: Order<'o>, max_ms: i64) -> Result<Order<'o>, Rejected> {
        let Order { until_ms, by, reason } = order;
        let (by, reason) = (name(by)?, input::reason(reason)?);
        if until_ms <= self.now_ms() {
            return Err(Rejected::EndHasPassed);
        }
        if until_ms > self.after(max_ms) {
            return Err(Rejected::EndTooFar { max_ms });
        }
        Ok(Order { until_ms, by, reason })
    }

    fn aside(&self, Order { until_ms, by, reason }: Order<'_>) -> Aside {
        // A short one is not announced to end as soon as it begins.
        let warned = until_ms.saturating_sub(Alarm::WARN_BEFORE_MS) <= self.now_ms();
        Aside { until_ms, by: by.into(), reason: reason.into(), warned }
    }

    /// From now on it is hidden, if it was not: what is open is over, and what
    /// is on is on while hidden. Gives the occurrence that is over.
    fn hide(&mut self) -> Option<i64> {
        if self.alarm.is_hidden() {
            return None;
        }
        self.alarm.chatter = Chatter::default();
        let Occurrence { sequence, raised_at_ms, returned_at_ms, .. } = self.alarm.occurrence.take()?;
        // Also of one that has returned: nobody has acknowledged, so it is told
        // at the end.
        self.alarm.hidden.was_on = Some(OnWhileHidden { from_ms: raised_at_ms, to_ms: returned_at_ms });
        Some(sequence)
    }

    /// One of the things that hid it is over. If it was the last: what is on
    /// is raised, as a new occurrence; what was on is told.
    fn comes_back(&mut self, kind: Kind, entry: Entry<'_>) {
        if self.alarm.is_hidden() {
            self.tell(kind, entry);
            return;
        }
        let is_on = self.alarm.is_on();
        let was_on = self.alarm.hidden.was_on.take();
        let over = self.tell(kind, Entry { was_on, ..entry });
        if is_on {
            self.raise(Some(over));
            self.count_raise();
        }
    }
}

/// Whether it is to be told that this ends soon: not if it has ended already.
fn warns(aside: &mut Option<Aside>, now_ms: i64) -> bool {
    aside.as_mut().is_some_and(|aside| {
        aside.warned = true;
        aside.until_ms > now_ms
    })
}
