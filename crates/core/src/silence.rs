//! Silence: who should have reported by now, judged only by time in which we
//! could hear.
//!
//! Two parts. [`ListeningClock`] is a clock that stands still while the server
//! is blind and does not jump when the clock on the wall does. [`Deadlines`]
//! hands back each station at its deadline, and costs a report nothing: a
//! station stays where it was put, and is asked only when that comes up.

use std::collections::BTreeMap;

/// The time in which the server could hear, in milliseconds.
///
/// It follows a steady clock and stands still while the server is blind: when
/// it could not read or not commit, was not running, or the machine was
/// suspended. What stations are owed is counted on it, so that our own
/// downtime is nobody's silence.
///
/// A station's last report is known by its time on the wall and its sequence;
/// the sequence says how the two clocks went together then.
#[derive(Clone, Debug)]
pub struct ListeningClock {
    /// The steady clock less this is the listening clock.
    behind_steady_ms: i64,
    /// From which sequence on the wall was so far ahead of the listening
    /// clock; the oldest first, never empty.
    rates: Vec<Rate>,
    /// The listening time of the start: nothing that was heard before a start
    /// is held against a station any earlier than one period after it.
    started_ms: i64,
    /// The first sequence of this start: what is older was heard before it.
    first_sequence: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    from_sequence: i64,
    wall_ahead_ms: i64,
}

/// The clocks of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The clock on the wall, in milliseconds UTC. It may jump.
    pub wall_ms: i64,
    /// A steady clock in milliseconds, from wherever it began.
    pub steady_ms: i64,
}

/// By how much the wall went on while the listening clock stood still, as the
/// ledger has it: a time in which the server was blind, or a jump of the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The sequence of its entry: what was heard before has a smaller one.
    pub sequence: i64,
    /// How long it was, in milliseconds; negative if the wall was set back.
    pub lasted_ms: i64,
}

impl ListeningClock {
    /// A wall that strays from the steady clock by no more is followed without
    /// a word, in steps of this size: NTP slews by 0.5 ms a second at most.
    const STRAY_MAX_MS: i64 = 250;

    /// From here on it is said that the wall has jumped.
    const JUMP_MIN_MS: i64 = 2_000;

    /// How many changes of the wall are known apart: a day of slewing and
    /// thousands of blind times. Beyond that the oldest are taken as one, in
    /// favour of the stations that were last heard then.
    pub const RATES_MAX: usize = 4_096;

    /// The clock of a server that starts `now`. What it read was heard until
    /// `alive_until_ms` on the wall, when it was last seen alive. `gaps` are
    /// those that servers before it told of, the oldest first, and `sequence`
    /// is that of the newest report: a restart must not turn a time in which
    /// nobody was heard into one in which a station was silent.
    #[must_use]
    pub fn start(now: Now, alive_until_ms: i64, gaps: &[Gap], sequence: i64) -> ListeningClock {
        // The listening clock goes on from where the last one stood, and shows
        // the wall's time of then: before each gap the wall was so much less
        // ahead.
        let gaps = &gaps[gaps.len().saturating_sub(Self::RATES_MAX)..];
        let mut wall_ahead_ms =
            gaps.iter().fold(0_i64, |ahead_ms, gap| ahead_ms.saturating_sub(gap.lasted_ms));
        let mut rates = vec![Rate { from_sequence: i64::MIN, wall_ahead_ms }];
        for gap in gaps {
            wall_ahead_ms = wall_ahead_ms.saturating_add(gap.lasted_ms);
            rates.push(Rate { from_sequence: gap.sequence, wall_ahead_ms });
        }
        let mut clock = ListeningClock {
            behind_steady_ms: now.steady_ms - alive_until_ms,
            rates,
            started_ms: alive_until_ms,
            first_sequence: sequence + 1,
        };
        // What passed since is not listening time, whatever the wall did.
        clock.goes_by(Rate { from_sequence: sequence + 1, wall_ahead_ms: now.wall_ms - alive_until_ms });
        clock
    }

    /// The listening time.
    #[must_use]
    pub fn at(&self, now: Now) -> i64 {
        now.steady_ms - self.behind_steady_ms
    }

    /// Looks at the wall; `sequence` is that of the newest report. To be called
    /// before more are taken as heard. Gives by how much the wall has jumped
    /// against the steady clock, if it did.
    pub fn look(&mut self, now: Now, sequence: i64) -> Option<i64> {
        let wall_ahead_ms = now.wall_ms - self.at(now);
        let before = *self.rates.last().expect("never empty");
        let strayed_ms = wall_ahead_ms - before.wall_ahead_ms;
        if strayed_ms.abs() <= Self::STRAY_MAX_MS {
            return None;
        }
        self.goes_by(Rate { from_sequence: sequence + 1, wall_ahead_ms });
        (strayed_ms.abs() > Self::JUMP_MIN_MS).then_some(strayed_ms)
    }

    /// The server was blind for so long until now: the clock stood still.
    pub fn was_blind(&mut self, for_ms: i64, sequence: i64) {
        self.behind_steady_ms += for_ms.max(0);
        // What the wall did meanwhile besides is seen at the next look.
        let wall_ahead_ms = self.rates.last().expect("never empty").wall_ahead_ms + for_ms.max(0);
        self.goes_by(Rate { from_sequence: sequence + 1, wall_ahead_ms });
    }

    fn goes_by(&mut self, rate: Rate) {
        match self.rates.last_mut() {
            // Nothing was heard since: hours without room are one rate.
            Some(last) if last.from_sequence == rate.from_sequence => *last = rate,
            _ => self.rates.push(rate),
        }
        if self.rates.len() > Self::RATES_MAX {
            let oldest = self.rates.remove(0);
            let next = &mut self.rates[0];
            next.from_sequence = oldest.from_sequence;
            next.wall_ahead_ms = next.wall_ahead_ms.min(oldest.wall_ahead_ms);
        }
    }

    /// When a report was heard, in listening time.
    #[must_use]
    pub fn heard_ms(&self, received_at_ms: i64, sequence: i64) -> i64 {
        let place = self.rates.partition_point(|rate| rate.from_sequence <= sequence);
        let wall_ahead_ms = self.rates[place.max(1) - 1].wall_ahead_ms;
        received_at_ms - wall_ahead_ms
    }

    /// Until when a station that was never heard is not held to be silent, in
    /// listening time: a whole period and grace of ours.
    #[must_use]
    pub fn never_heard_at_ms(&self, period_ms: i64, grace_ms: i64) -> i64 {
        self.started_ms + period_ms + grace_ms
    }

    /// When a station that was last heard so is silent, in listening time:
    /// after its period and its grace, and never before a whole period of ours
    /// has passed.
    #[must_use]
    pub fn silent_at_ms(&self, received_at_ms: i64, sequence: i64, period_ms: i64, grace_ms: i64) -> i64 {
        let heard_ms = self.heard_ms(received_at_ms, sequence);
        // A report of the time before the start cannot be of after it: a clock
        // that was set back since says so.
        let is_of_before = sequence < self.first_sequence;
        let heard_ms = if is_of_before { heard_ms.min(self.started_ms) } else { heard_ms };
        (heard_ms + period_ms + grace_ms).max(self.started_ms + period_ms)
    }
}

/// Who is to be asked when, in listening time.
///
/// A station is asked at one place. Its deadline moves with each report, but its
/// place does not: when that comes up, whoever asks finds the true deadline and
/// puts it there.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    /// Stations by number of the tick in which they are to be asked.
    ticks: BTreeMap<i64, Vec<K>>,
    /// The tick of each station by its number, as [`mark`] has it; 0: it is in
    /// none. A station that was brought forward is left where it was as well,
    /// where it is passed over, since it would have to be looked for there.
    places: Vec<u32>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Deadlines<K> {
        Deadlines { ticks: BTreeMap::new(), places: Vec::new() }
    }
}

/// A tick in four bytes, and never 0: those that are in use lie within an hour.
fn mark(tick: i64) -> u32 {
    u32::try_from(tick.rem_euclid(i64::from(u32::MAX))).map_or(0, |tick| tick + 1)
}

impl<K: Copy> Deadlines<K>
where
    usize: From<K>,
{
    /// How exact a deadline is: a station is asked up to so much after it.
    pub const TICK_MS: i64 = 250;

    /// The furthest that a place may lie ahead. One whose deadline is beyond
    /// is asked in between, so that the number of ticks is bounded.
    const AHEAD_MAX_MS: i64 = 3_600_000;

    /// Puts a station at its deadline, and nowhere else.
    pub fn put(&mut self, station: K, due_ms: i64, now_ms: i64) {
        let due_ms = due_ms.min(now_ms.saturating_add(Self::AHEAD_MAX_MS));
        // Up, so that nobody is asked before.
        let tick = due_ms.div_euclid(Self::TICK_MS) + 1;
        let number = usize::from(station);
        if self.places.len() <= number {
            self.places.resize(number + 1, 0);
        }
        if std::mem::replace(&mut self.places[number], mark(tick)) != mark(tick) {
            self.ticks.entry(tick).or_default().push(station);
        }
    }

    /// Puts a station at a deadline that may be an earlier one than before. One that
    /// is asked before that stays where it is.
    pub fn bring_forward(&mut self, station: K, due_ms: i64, now_ms: i64) {
        let tick = due_ms.div_euclid(Self::TICK_MS) + 1;
        let place = self.places.get(usize::from(station)).copied().unwrap_or(0);
        // How far behind the deadline its place is, around the circle of marks.
        let is_before = place != 0 && mark(tick).wrapping_sub(place) < u32::MAX / 2;
        if !is_before {
            self.put(station, due_ms, now_ms);
        }
    }

    /// A station is not asked any more. What is left of it where it was is passed
    /// over.
    pub fn remove(&mut self, station: K) {
        if let Some(place) = self.places.get_mut(usize::from(station)) {
            *place = 0;
        }
    }

    /// When the first is to be asked.
    #[must_use]
    pub fn due_ms(&self) -> Option<i64> {
        self.ticks.first_key_value().map(|(tick, _)| tick * Self::TICK_MS)
    }

    /// Asks up to `stations_max` of those whose time has come for their true
    /// deadline. `None`: it is to be forgotten, since it has passed or there
    /// is none.
    pub fn ask(&mut self, now_ms: i64, stations_max: usize, mut deadline_ms: impl FnMut(K) -> Option<i64>) {
        for _ in 0..stations_max {
            let Some(mut first) = self.ticks.first_entry() else { return };
            if first.key() * Self::TICK_MS > now_ms {
                return;
            }
            let tick = *first.key();
            match first.get_mut().pop() {
                Some(station) => {
                    let place = &mut self.places[usize::from(station)];
                    if *place != mark(tick) {
                        continue;
                    }
                    *place = 0;
                    if let Some(due_ms) = deadline_ms(station) {
                        self.put(station, due_ms, now_ms);
                    }
                }
                None => drop(first.remove()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
