//! Times in which nobody has duty in a rota: an alarm of the server, so long beforehand
//! that somebody can be found.

use std::sync::Arc;

use waterwatch_core::alarm::{AlarmSource, Point};
use waterwatch_core::calling::{Duty, OnCall, Plan, RotaId};

use crate::plan::CurrentPlan;
use crate::store::Store;

/// The first gap that lies ahead or is there. It is looked for each minute, and once the
/// plan was read again: that takes longer than a turn should.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Without one there is no rota, and no gap.
    plan: Option<CurrentPlan>,
    /// What was looked at.
    seen: Arc<Plan>,
    /// In which minute of the wall.
    minute: i64,
    /// What is to be said of the first gap.
    ahead: Option<String>,
    /// The contact of the alarm is on.
    is_told: bool,
}

impl Gaps {
    const MINUTE_MS: i64 = 60_000;

    /// Those of this plan.
    pub(super) fn of(plan: CurrentPlan) -> Gaps {
        Gaps { plan: Some(plan), minute: i64::MIN, ..Gaps::default() }
    }

    /// Looks for them again, if it is time to.
    pub(super) fn turn(&mut self, wall_ms: i64) {
        let Some(plan) = &self.plan else { return };
        let (plan, minute) = (plan.get(), wall_ms.div_euclid(Self::MINUTE_MS));
        if minute != self.minute || !Arc::ptr_eq(&plan, &self.seen) {
            self.ahead = first(&plan, wall_ms);
            (self.seen, self.minute) = (plan, minute);
        }
    }

    /// How the alarm stands in the store.
    pub(super) fn recorded<S: Store>(&mut self, store: &S) {
        let alarm = store.alarms().get(&(AlarmSource::Server, Point::OnCall));
        self.is_told = alarm.is_some_and(|alarm| alarm.contact);
    }

    /// Whether the contact goes on or off, and what is to be said of that; `None`: it
    /// stays as it is.
    pub(super) fn change(&self) -> Option<(bool, Option<&str>)> {
        match (&self.ahead, self.is_told) {
            (Some(gap), false) => Some((true, Some(gap))),
            (None, true) => Some((false, None)),
            _ => None,
        }
    }
}

/// The first gap of all rotas that is to be told of by now.
fn first(plan: &Plan, now_ms: i64) -> Option<String> {
    let gap = |(id, duty): (&RotaId, &Duty)| {
        let until_ms = now_ms.saturating_add(duty.warn_before_ms);
        let gap = OnCall::new(&duty.rota, &[]).gap_within(now_ms, until_ms)?;
        Some((gap.from_ms, plan.gap_in_words((id, duty), &gap, now_ms)))
    };
    let mut gaps: Vec<(i64, String)> = plan.rotas.iter().filter_map(gap).collect();
    gaps.sort_unstable();
    let others = gaps.len().saturating_sub(1);
    let (_, first) = gaps.into_iter().next()?;
    Some(match others {
        0 => first,
        1 => format!("{first}; and there is a gap in 1 other rota"),
        others => format!("{first}; and there are gaps in {others} other rotas"),
    })
}
