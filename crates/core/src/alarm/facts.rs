//! The facts of one alarm, and the state that follows from them.

use super::words::State;

/// The facts of one alarm. An alarm [at rest](Alarm::is_at_rest) is not kept
/// at all: whoever has no facts is off, and nothing waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Alarm {
    /// Whether the contact is on, as it was last reported.
    pub contact: bool,
    /// Since when, in milliseconds UTC.
    pub contact_since_ms: i64,
    /// While the condition does not follow the contact yet, as a delay runs:
    /// when that is over.
    pub delay_due_ms: Option<i64>,
    /// The raise that is not over yet.
    pub occurrence: Option<Occurrence>,
    /// What hides it.
    pub hidden: Hidden,
    /// How often it was raised of late.
    pub chatter: Chatter,
}

/// One raise until it is back to normal and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Occurrence {
    /// The sequence of the event that raised it: its name.
    pub sequence: i64,
    /// When that was, in milliseconds UTC.
    pub raised_at_ms: i64,
    /// When it returned to normal; `None` while it is on.
    pub returned_at_ms: Option<i64>,
    /// Who answered, if somebody did.
    pub acknowledged: Option<Acknowledgement>,
    /// When it needs another acknowledgement if it is still on then; one that
    /// chatters counts as on.
    pub realarm_due_ms: Option<i64>,
    /// When it stands for others no more, since somebody has acknowledged it.
    pub hand_over_due_ms: Option<i64>,
    /// How many raises it stands for.
    pub raises: u32,
}

/// Somebody's answer to an occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acknowledgement {
    /// Who.
    pub by: Box<str>,
    /// When, in milliseconds UTC.
    pub at_ms: i64,
}

/// What hides an alarm: it has no occurrence meanwhile, and is recorded all
/// the same. The three are independent: each ends by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hidden {
    /// An operator put it aside.
    pub shelf: Option<Aside>,
    /// It is being worked on.
    pub service: Option<Aside>,
    /// The occurrence of the alarm that stands for it.
    pub suppressed_by: Option<i64>,
    /// When it was last on since it was hidden, or when what was open then had
    /// been on.
    pub was_on: Option<OnWhileHidden>,
}

/// An entry that a person made, with its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aside {
    /// When it ends, in milliseconds UTC.
    pub until_ms: i64,
    /// Who made it.
    pub by: Box<str>,
    /// Why.
    pub reason: Box<str>,
    /// Whether it was told that it ends soon.
    pub warned: bool,
}

/// When a hidden alarm was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OnWhileHidden {
    /// Since when, in milliseconds UTC.
    pub from_ms: i64,
    /// Until when; `None` while it is on.
    pub to_ms: Option<i64>,
}

/// Raises of late, and whether they are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chatter {
    /// When it was raised within the window, the oldest first; empty while it
    /// chatters.
    pub raised_at_ms: Vec<i64>,
    /// When the newest of them is out of the window.
    pub forget_due_ms: Option<i64>,
    /// It comes and goes too often.
    pub chattering: Option<Chattering>,
}

/// An alarm that comes and goes too often, since it began to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chattering {
    /// Since when: the first of the raises that were too many. It goes along
    /// with a clock that jumps, so that the rate stays right.
    pub since_ms: i64,
    /// How many raises there were since.
    pub raises: u32,
    /// When it is stuck if it stays on, or calm if it stays off until then.
    pub due_ms: i64,
}

impl Alarm {
    /// How long before its end an operator's entry is said to end soon.
    pub const WARN_BEFORE_MS: i64 = 30 * 60_000;

    /// Whether the condition is on: it follows the contact after the delay.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.contact != self.delay_due_ms.is_some()
    }

    /// Whether it is hidden, by whatever.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        let Hidden { shelf, service, suppressed_by, was_on: _ } = &self.hidden;
        shelf.is_some() || service.is_some() || suppressed_by.is_some()
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.contact
            && self.delay_due_ms.is_none()
            && self.occurrence.is_none()
            && !self.is_hidden()
            && self.chatter.raised_at_ms.is_empty()
            && self.chatter.chattering.is_none()
    }

    /// What an operator sees.
    #[must_use]
    pub fn state(&self) -> State {
        if self.hidden.service.is_some() {
            return State::OutOfService;
        }
        if self.hidden.shelf.is_some() {
            return State::Shelved;
        }
        if self.hidden.suppressed_by.is_some() {
            return State::Suppressed;
        }
        match &self.occurrence {
            None => State::Normal,
            Some(Occurrence { acknowledged: Some(_), .. }) => State::Acknowledged,
            // One that chatters does not return until it is calm.
            Some(_) if self.is_on() || self.chatter.chattering.is_some() => State::Unacknowledged,
            Some(_) => State::ReturnedUnacknowledged,
        }
    }

    /// When time alone changes something, in milliseconds UTC.
    #[must_use]
    pub fn due_ms(&self) -> Option<i64> {
        self.next_due().map(|(due_ms, _)| due_ms)
    }

    /// From when on each report is needed, also one that says nothing new, in
    /// milliseconds UTC: an alarm returns only while its station reports, never
    /// because it is silent. `None`: only those that say something new are.
    #[must_use]
    pub fn reports_needed_from_ms(&self) -> Option<i64> {
        let chattering = self.chatter.chattering.map(|chattering| chattering.due_ms);
        self.delay_due_ms.into_iter().chain(chattering).min().filter(|_| !self.contact)
    }

    /// What time changes next, and when. What is due at the same moment happens
    /// in the order of [`Due`].
    pub(super) fn next_due(&self) -> Option<(i64, Due)> {
        let Alarm { contact, delay_due_ms, occurrence, hidden, chatter, .. } = self;
        let aside = |aside: &Option<Aside>, expiring, expired| {
            aside.as_ref().map(|aside| {
                if aside.warned {
                    (aside.until_ms, expired)
                } else {
                    (aside.until_ms.saturating_sub(Self::WARN_BEFORE_MS), expiring)
                }
            })
        };
        let chattering = chatter.chattering.filter(|_| *contact);
        [
            delay_due_ms.filter(|_| *contact).map(|due_ms| (due_ms, Due::OnDelay)),
            occurrence
                .as_ref()
                .and_then(|occurrence| occurrence.realarm_due_ms)
                .map(|due| (due, Due::Realarm)),
            aside(&hidden.shelf, Due::ShelfExpiring, Due::ShelfExpired),
            aside(&hidden.service, Due::ServiceExpiring, Due::ServiceExpired),
            chattering.map(|chattering| (chattering.due_ms, Due::Stuck)),
            chatter.forget_due_ms.map(|due_ms| (due_ms, Due::Forget)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Asserts that there is no [flaw](Alarm::flaw).
    ///
    /// # Panics
    /// If there is one.
    pub fn check(&self) {
        if let Some(flaw) = self.flaw() {
            panic!("{flaw}: {self:?}");
        }
    }

    /// What is wrong with the facts as a whole, if anything is. Asserted after
    /// each step, and asked of what a database holds.
    #[must_use]
    pub fn flaw(&self) -> Option<&'static str> {
        let (on, hidden) = (self.is_on(), self.is_hidden());
        let Alarm { occurrence, chatter, .. } = self;
        let chattering = chatter.chattering.is_some();
        let occurrence_is = |is: &dyn Fn(&Occurrence) -> bool| occurrence.as_ref().is_some_and(is);
        [
            (hidden && occurrence.is_some(), "a hidden alarm has no occurrence"),
            (
                !hidden && on && occurrence.is_none(),
                "an alarm that is on has an occurrence unless it is hidden",
            ),
            (!hidden && self.hidden.was_on.is_some(), "only a hidden alarm was on while it was hidden"),
            (
                hidden && on != self.hidden.was_on.is_some_and(|was_on| was_on.to_ms.is_none()),
                "a hidden alarm that is on is on while it is hidden, and no other",
            ),
            (chattering && occurrence.is_none(), "one that chatters has an occurrence"),
            (chattering && self.delay_due_ms.is_some(), "one that chatters follows its contact"),
            (
                chatter.forget_due_ms.is_none() != chatter.raised_at_ms.is_empty(),
                "raises of late are there until they are forgotten",
            ),
            (
                occurrence_is(&|open| !on && !chattering && open.acknowledged.is_some()),
                "an occurrence is over once it returned and is acknowledged",
            ),
            (
                occurrence_is(&|open| {
                    open.realarm_due_ms.is_some()
                        && (open.acknowledged.is_none() || (open.returned_at_ms.is_some() && !chattering))
                }),
                "only what is on and acknowledged asks again",
            ),
            (
                occurrence_is(&|open| open.hand_over_due_ms.is_some() && open.acknowledged.is_none()),
                "only what somebody has acknowledged is handed over",
            ),
            (
                occurrence_is(&|open| open.returned_at_ms.is_none() != on),
                "an occurrence has returned if it is off, and only then",
            ),
        ]
        .into_iter()
        .find_map(|(is_so, flaw)| is_so.then_some(flaw))
    }
}

/// What time can change, in the order in which it happens at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    OnDelay,
    Realarm,
    ShelfExpiring,
    ShelfExpired,
    ServiceExpiring,
    ServiceExpired,
    Stuck,
    Forget,
}
