//! Operators' commands: deciding them, before the reports of their batch, and
//! telling what became of them.

use std::time::Instant;

use waterwatch_core::alarm::{Alarm, Input, Order, Rejected, State};
use waterwatch_core::{Origin, Settings};

use super::draft::Draft;
use crate::command::{Command, Done, NotDone, Outcome, What};
use crate::lane::Awaited;
use crate::store::{AlarmKey, Store};

/// Those whose callers still wait; the others hear that theirs is not done.
pub(super) fn in_time(commands: Vec<Awaited>, now: Instant) -> Vec<Awaited> {
    let mut waiting = Vec::with_capacity(commands.len());
    for awaited in commands {
        if awaited.command.deadline < now {
            awaited.answer(Outcome::NotDone(NotDone::TooLate));
        } else {
            waiting.push(awaited);
        }
    }
    waiting
}

/// Tells what became of each. A batch that is not there has taken back whatever
/// a command was rejected for.
pub(super) fn tell(commands: Vec<Awaited>, obeyed: Vec<Result<Done, Rejected>>, is_there: bool) {
    for (awaited, obeyed) in commands.into_iter().zip(obeyed) {
        awaited.answer(match obeyed {
            _ if !is_there => Outcome::NotDone(NotDone::NotStored),
            Ok(done) => Outcome::Done(done),
            Err(rejected) => Outcome::Rejected(rejected),
        });
    }
}

impl Draft {
    /// Decides one command. One that is rejected leaves the draft as it was.
    pub(super) fn obey<S: Store>(
        &mut self,
        store: &S,
        settings: &Settings,
        command: &Command,
    ) -> Result<Done, Rejected> {
        let by = &*command.by;
        let order = |until_ms: &i64, reason| Order { until_ms: *until_ms, by, reason };
        let (alarm, input) = match &command.what {
            What::Acknowledge { alarm, occurrence } => {
                (alarm, Input::Acknowledge { occurrence: *occurrence, by })
            }
            What::Shelve { alarm, until_ms, reason } => (alarm, Input::Shelve(order(until_ms, reason))),
            What::Unshelve { alarm } => (alarm, Input::Unshelve { by }),
            What::TakeOutOfService { alarm, until_ms, reason } => {
                (alarm, Input::TakeOutOfService(order(until_ms, reason)))
            }
            What::ReturnToService { alarm } => (alarm, Input::ReturnToService { by }),
        };
        self.obey_one(store, settings, alarm, input)
    }

    fn obey_one<S: Store>(
        &mut self,
        store: &S,
        settings: &Settings,
        alarm: &AlarmKey,
        input: Input<'_>,
    ) -> Result<Done, Rejected> {
        let (source, point) = alarm.clone();
        let subject = self.subject(source, point, Origin::default(), None);
        self.judgement.step(store, &mut self.batch, settings, &subject, input)?;
        let after = self.judgement.current(store, &self.batch, alarm);
        Ok(Done {
            sequence: self.batch.sequence,
            state: after.map_or(State::Normal, Alarm::state),
            occurrence: after.and_then(|after| after.occurrence.as_ref()).map(|open| open.sequence),
        })
    }
}
