//! Who has duty in a rota, once people have said that they take over.

use super::ids::{ContactId, RotaId};
use super::rota::{Rota, Shift};

/// How many times of people who take over may lie ahead in one rota.
pub const TAKE_OVERS_MAX: usize = 100;

/// That somebody takes over a rota's duty for a while: "I take over until …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeOver {
    /// Which duty.
    pub rota: RotaId,
    /// Who takes it.
    pub who: ContactId,
    /// From when on, in milliseconds UTC.
    pub from_ms: i64,
    /// Until when, in milliseconds UTC, this moment excluded.
    pub until_ms: i64,
}

impl TakeOver {
    fn covers(&self, at_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&at_ms)
    }
}

/// A rota, and who has taken over.
#[derive(Clone, Copy, Debug)]
pub struct OnCall<'a> {
    rota: &'a Rota,
    /// In the order in which they were said: where two cover a moment, the later holds.
    take_overs: &'a [TakeOver],
}

/// How many shifts are looked at for when one ends that is the same person's again and
/// again: a year of days. One that goes on is told as ending there.
const SHIFTS_MAX: usize = 400;

impl<'a> OnCall<'a> {
    /// Of this rota, with those who took over in it, in the order in which they said so.
    #[must_use]
    pub fn new(rota: &'a Rota, take_overs: &'a [TakeOver]) -> OnCall<'a> {
        OnCall { rota, take_overs }
    }

    /// Who has duty at this moment, from when until when; somebody who follows
    /// themselves has one shift.
    #[must_use]
    pub fn shift_at(&self, at_ms: i64) -> Shift {
        let mut shift = self.piece_at(at_ms);
        for _ in 0..SHIFTS_MAX {
            if shift.until_ms == i64::MAX {
                return shift;
            }
            let next = self.piece_at(shift.until_ms);
            if next.who != shift.who {
                break;
            }
            shift.until_ms = next.until_ms;
        }
        for _ in 0..SHIFTS_MAX {
            if shift.from_ms == i64::MIN {
                return shift;
            }
            let before = self.piece_at(shift.from_ms - 1);
            if before.who != shift.who {
                break;
            }
            shift.from_ms = before.from_ms;
        }
        shift
    }

    /// The shifts from this moment on, one after the other.
    pub fn shifts_from(self, at_ms: i64) -> impl Iterator<Item = Shift> + use<'a> {
        std::iter::successors(Some(self.shift_at(at_ms)), move |shift| {
            (shift.until_ms != i64::MAX).then(|| self.shift_at(shift.until_ms))
        })
    }

    /// The first time from this moment on in which nobody has duty, if it begins before
    /// `until_ms`.
    #[must_use]
    pub fn gap_within(&self, at_ms: i64, until_ms: i64) -> Option<Shift> {
        self.shifts_from(at_ms)
            .take_while(|shift| shift.from_ms.max(at_ms) < until_ms)
            .find(|shift| shift.who.is_none())
    }

    /// Who has duty at this moment, and for how long that is certain without looking
    /// further.
    fn piece_at(&self, at_ms: i64) -> Shift {
        let holds = self.take_overs.iter().rposition(|said| said.covers(at_ms));
        let mut piece = match holds {
            Some(place) => {
                let TakeOver { who, from_ms, until_ms, .. } = &self.take_overs[place];
                Shift { who: Some(who.clone()), from_ms: *from_ms, until_ms: *until_ms }
            }
            None => self.rota.shift_at(at_ms),
        };
        // What was said later cuts into it, from either side.
        let later = holds.map_or(0, |place| place + 1);
        for said in &self.take_overs[later..] {
            for edge_ms in [said.from_ms, said.until_ms] {
                if edge_ms <= at_ms {
                    piece.from_ms = piece.from_ms.max(edge_ms);
                } else {
                    piece.until_ms = piece.until_ms.min(edge_ms);
                }
            }
        }
        piece
    }
}

#[cfg(test)]
mod tests;
