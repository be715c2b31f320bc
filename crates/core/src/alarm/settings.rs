//! What is settled for a point.

use super::words::named;

/// How urgent an alarm is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// In the course of the day.
    Low,
    /// In the course of the shift.
    Medium,
    /// Soon: the default of a contact.
    High,
    /// At once.
    Critical,
}

named!(Priority { Low => "low", Medium => "medium", High => "high", Critical => "critical" });

/// What is settled for a point: how it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PointSettings {
    /// Whether its contact is judged at all.
    pub enabled: bool,
    /// How urgent it is.
    pub priority: Priority,
    /// How long the contact must be on until that is an alarm.
    pub on_delay_ms: i64,
    /// How long the contact must be off until the alarm has returned.
    pub off_delay_ms: i64,
    /// Whether an alarm that has returned waits for its acknowledgement.
    pub latched: bool,
    /// How long after its acknowledgement an alarm that is still on needs
    /// another one; `None` or 0: never.
    pub realarm_after_ms: Option<i64>,
    /// More raises than this within [`chatter_window_ms`](Self::chatter_window_ms)
    /// are chatter, and more than [`CHATTER_RAISES_MAX`](Self::CHATTER_RAISES_MAX)
    /// always are; 0: none ever is.
    pub chatter_raises: u32,
    /// The window in which raises are counted, and how long it must be off
    /// until it is calm.
    pub chatter_window_ms: i64,
    /// How long a chattering alarm must be on until it no longer comes and
    /// goes: three of its station's periods.
    pub stuck_after_ms: i64,
    /// How long an operator may shelve it.
    pub shelf_max_ms: i64,
    /// How long it may be taken out of service.
    pub service_max_ms: i64,
    /// How long after its acknowledgement an alarm that stands for others does
    /// so no more; `None`: it stands for none.
    pub hand_over_after_ms: Option<i64>,
}

impl PointSettings {
    /// No more raises than this count for chatter, so that what is kept of
    /// them is bounded.
    pub const CHATTER_RAISES_MAX: u32 = 32;

    /// No delay and no maximum is longer: a hundred years, so that whatever is
    /// settled by mistake gives times that a calendar has.
    pub const LONGEST_MS: i64 = 36_525 * 24 * 3_600_000;

    /// The defaults for an alarm of this priority: `critical` and `high` wait
    /// for their acknowledgement, and ask again if they stay on.
    #[must_use]
    pub fn of(priority: Priority) -> PointSettings {
        let realarm_after_s = match priority {
            Priority::Critical => Some(3_600),
            Priority::High => Some(14_400),
            Priority::Medium | Priority::Low => None,
        };
        PointSettings {
            enabled: true,
            priority,
            on_delay_ms: 0,
            off_delay_ms: 0,
            latched: priority >= Priority::High,
            realarm_after_ms: realarm_after_s.map(|after_s: i64| after_s * 1_000),
            chatter_raises: 5,
            chatter_window_ms: 15 * 60_000,
            stuck_after_ms: 3 * 60_000,
            shelf_max_ms: 24 * 3_600_000,
            service_max_ms: 30 * 24 * 3_600_000,
            hand_over_after_ms: None,
        }
    }
}
