//! The same life, told naively and from the prose alone: it remembers when
//! things began instead of when they end, and looks at each minute whether
//! anything has come to its end. It knows whole minutes only.

use crate::alarm::{Kind, State};

/// What can happen, in words without times of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Does {
    On,
    Off,
    /// So many minutes pass, and what is due is looked for.
    Passes(i64),
    /// So many minutes pass in which nobody looks.
    Sleeps(i64),
    Acknowledge,
    AcknowledgeOther,
    Shelve(i64),
    Unshelve,
    TakeOut(i64),
    Return,
    Suppress,
    Unsuppress,
    Retire,
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    OtherOccurrence,
    AlreadyAcknowledged,
    TooFar,
    NotThere,
}

/// In minutes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub on_delay: i64,
    pub off_delay: i64,
    pub latched: bool,
    pub realarm_after: Option<i64>,
    /// More raises than this are chatter.
    pub raises: usize,
    pub window: i64,
    pub stuck_after: i64,
    pub shelf_max: i64,
    pub service_max: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Model {
    now: i64,
    contact: bool,
    contact_since: i64,
    /// The condition, which follows the contact.
    on: bool,
    open: bool,
    /// How many occurrences there were: the name of the newest.
    pub occurrences: u32,
    acknowledged_at: Option<i64>,
    shelf: Option<Entry>,
    service: Option<Entry>,
    suppressed: bool,
    /// Every raise since it last chattered or was hidden.
    raises: Vec<i64>,
    chatters: bool,
    chatters_since: i64,
}

/// Made when, until when, and whether its warning was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    made: i64,
    until: i64,
    warned: bool,
}

impl Entry {
    fn new(made: i64, until: i64) -> Entry {
        Entry { made, until, warned: until - made <= 30 }
    }
}

impl Model {
    fn hidden(&self) -> bool {
        self.shelf.is_some() || self.service.is_some() || self.suppressed
    }

    pub fn state(&self) -> State {
        match self {
            Model { service: Some(_), .. } => State::OutOfService,
            Model { shelf: Some(_), .. } => State::Shelved,
            Model { suppressed: true, .. } => State::Suppressed,
            Model { open: false, .. } => State::Normal,
            Model { acknowledged_at: Some(_), .. } => State::Acknowledged,
            Model { on: false, chatters: false, .. } => State::ReturnedUnacknowledged,
            _ => State::Unacknowledged,
        }
    }

    /// The name of what is open.
    pub fn occurrence(&self) -> Option<u32> {
        self.open.then_some(self.occurrences)
    }

    /// Whether there is nothing that could matter later.
    pub fn at_rest(&self, rules: &Rules) -> bool {
        !self.contact && !self.on && !self.open && !self.hidden() && self.lately(rules) == 0
    }

    fn lately(&self, rules: &Rules) -> usize {
        self.raises.iter().filter(|&&raise| self.now - raise < rules.window).count()
    }

    /// In how many minutes time alone brings something that is told.
    pub fn next_told(&self, rules: &Rules, minutes_max: i64) -> Option<i64> {
        let mut later = self.clone();
        let mut told = Vec::new();
        for minutes in 0..=minutes_max {
            later.now = self.now + minutes;
            later.look(later.now, rules, &mut told);
            if !told.is_empty() {
                return Some(minutes);
            }
        }
        None
    }

    /// Takes what happens, and tells what comes of it. What is refused may
    /// leave nothing changed: whoever asks keeps the model from before.
    pub fn takes(&mut self, does: Does, rules: &Rules) -> Result<Vec<Kind>, No> {
        let mut told = Vec::new();
        let slept_from = self.now;
        if let Does::Passes(minutes) | Does::Sleeps(minutes) = does {
            self.now += minutes;
        }
        if !matches!(does, Does::Sleeps(_)) {
            // Whoever slept longer than that has missed nothing else.
            for minute in (slept_from - 600)..=self.now {
                self.look(minute, rules, &mut told);
            }
        }
        match does {
            Does::Passes(_) | Does::Sleeps(_) => {}
            Does::On => self.hears_on(rules, &mut told),
            Does::Off => self.hears_off(rules, &mut told),
            Does::Acknowledge if self.open && self.acknowledged_at.is_some() => {
                return Err(No::AlreadyAcknowledged);
            }
            Does::Acknowledge if self.open => {
                self.acknowledged_at = Some(self.now);
                self.open = self.on || self.chatters;
                self.told_unless_open(Kind::Acknowledged, &mut told);
            }
            Does::Acknowledge | Does::AcknowledgeOther => return Err(No::OtherOccurrence),
            Does::Shelve(minutes) if minutes > rules.shelf_max => return Err(No::TooFar),
            Does::TakeOut(minutes) if minutes > rules.service_max => return Err(No::TooFar),
            Does::Shelve(minutes) => {
                let until = self.now + minutes;
                if self.shelf.is_none_or(|entry| entry.until != until) {
                    self.hides();
                    self.shelf = Some(Entry::new(self.now, until));
                    told.push(Kind::Shelved);
                }
            }
            Does::TakeOut(minutes) => {
                let until = self.now + minutes;
                if self.service.is_none_or(|entry| entry.until != until) {
                    self.hides();
                    self.service = Some(Entry::new(self.now, until));
                    told.push(Kind::TakenOutOfService);
                }
            }
            Does::Unshelve => {
                self.shelf.take().ok_or(No::NotThere)?;
                self.reappears(Kind::Unshelved, rules, &mut told);
            }
            Does::Return => {
                self.service.take().ok_or(No::NotThere)?;
                self.reappears(Kind::ReturnedToService, rules, &mut told);
            }
            Does::Suppress => {
                if !self.suppressed {
                    self.hides();
                    self.suppressed = true;
                    told.push(Kind::Suppressed);
                }
            }
            Does::Unsuppress => {
                if std::mem::take(&mut self.suppressed) {
                    self.reappears(Kind::Unsuppressed, rules, &mut told);
                }
            }
            Does::Retire => {
                if self.contact || self.on || self.open || self.hidden() {
                    told.push(Kind::Retired);
                }
                let Model { now, occurrences, .. } = *self;
                *self = Model { now, occurrences, ..Model::default() };
            }
        }
        self.forget_what_cannot_matter(rules);
        Ok(told)
    }

    fn told_unless_open(&mut self, kind: Kind, told: &mut Vec<Kind>) {
        if !self.open {
            self.acknowledged_at = None;
        }
        told.push(kind);
    }

    /// What had come to its end by `minute` happens now.
    fn look(&mut self, minute: i64, rules: &Rules, told: &mut Vec<Kind>) {
        let waits = self.contact && !self.on && !self.chatters;
        if waits && minute - self.contact_since >= rules.on_delay {
            self.goes_on(rules, told);
        }
        if let (Some(at), Some(after)) = (self.acknowledged_at, rules.realarm_after)
            && minute - at >= after
        {
            self.acknowledged_at = None;
            told.push(Kind::Realarmed);
        }
        for (is_shelf, warning, end) in [
            (true, Kind::ShelfExpiring, Kind::ShelfExpired),
            (false, Kind::ServiceExpiring, Kind::ServiceExpired),
        ] {
            let now = self.now;
            let place = if is_shelf { &mut self.shelf } else { &mut self.service };
            if let Some(entry) = place
                && !entry.warned
                && minute >= entry.until - 30
            {
                entry.warned = true;
                if entry.until > now {
                    told.push(warning);
                }
            }
            if place.is_some_and(|entry| minute >= entry.until) {
                *place = None;
                self.reappears(end, rules, told);
            }
        }
        let on_since = self.contact_since.max(self.chatters_since);
        if self.chatters && self.contact && minute - on_since >= rules.stuck_after {
            self.chatters = false;
            self.acknowledged_at = None;
            told.push(Kind::ChatterStuck);
        }
    }

    fn hears_on(&mut self, rules: &Rules, told: &mut Vec<Kind>) {
        if self.contact {
            return;
        }
        (self.contact, self.contact_since) = (true, self.now);
        if self.chatters {
            self.on = true;
        } else if self.on {
            told.push(Kind::OffDelayCancelled);
        } else if rules.on_delay > 0 {
            told.push(Kind::OnDelayStarted);
        } else {
            self.goes_on(rules, told);
        }
    }

    fn hears_off(&mut self, rules: &Rules, told: &mut Vec<Kind>) {
        let is_news = self.contact;
        if is_news {
            (self.contact, self.contact_since) = (false, self.now);
        }
        let off_for = self.now - self.contact_since;
        if self.chatters {
            self.on = false;
            if !is_news && off_for >= rules.window {
                self.chatters = false;
                self.returns(Kind::ChatterCalmed, rules, told);
            }
        } else if !self.on {
            if is_news {
                told.push(Kind::OnDelayCancelled);
            }
        } else if off_for >= rules.off_delay {
            self.on = false;
            if self.hidden() {
                told.push(Kind::OffWhileHidden);
            } else {
                self.returns(Kind::Returned, rules, told);
            }
        } else if is_news {
            told.push(Kind::OffDelayStarted);
        }
    }

    fn returns(&mut self, kind: Kind, rules: &Rules, told: &mut Vec<Kind>) {
        self.open = rules.latched && self.acknowledged_at.is_none();
        self.told_unless_open(kind, told);
    }

    fn goes_on(&mut self, rules: &Rules, told: &mut Vec<Kind>) {
        self.on = true;
        if self.hidden() {
            told.push(Kind::OnWhileHidden);
        } else if self.open {
            told.push(Kind::RaisedAgain);
            self.counts(rules, told);
        } else {
            self.raises_anew(rules, told);
        }
    }

    fn raises_anew(&mut self, rules: &Rules, told: &mut Vec<Kind>) {
        self.open = true;
        self.occurrences += 1;
        told.push(Kind::Raised);
        self.counts(rules, told);
    }

    fn counts(&mut self, rules: &Rules, told: &mut Vec<Kind>) {
        self.raises.push(self.now);
        if rules.raises > 0 && self.lately(rules) > rules.raises {
            (self.chatters, self.chatters_since) = (true, self.now);
            self.raises.clear();
            told.push(Kind::ChatterStarted);
        }
    }

    fn hides(&mut self) {
        if !self.hidden() {
            self.open = false;
            self.acknowledged_at = None;
            self.chatters = false;
            self.raises.clear();
        }
    }

    fn reappears(&mut self, kind: Kind, rules: &Rules, told: &mut Vec<Kind>) {
        told.push(kind);
        if !self.hidden() && self.on {
            self.raises_anew(rules, told);
        }
    }

    /// So that lives which differ in nothing that can matter any more are
    /// known to be the same.
    fn forget_what_cannot_matter(&mut self, rules: &Rules) {
        let Model { now, raises, .. } = self;
        raises.retain(|raise| rules.raises > 0 && *now - *raise < rules.window);
        if !self.contact && !self.on && !self.chatters {
            self.contact_since = 0;
        }
        if !self.chatters {
            self.chatters_since = 0;
        }
    }
}
