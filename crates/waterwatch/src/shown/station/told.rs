//! A station of which a server told how it stands.

use waterwatch_core::alarm::{Aside, Point, State};

use super::Station;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::{LastContact, StationAbout};

/// How a station stands, as a server told it.
#[derive(Clone, Debug)]
pub struct ToldOf {
    /// Whether it is heard, or what people have said of that.
    pub comms: Comms,
    /// What its contacts are worth.
    pub quality: Quality,
    /// That it is paused, if it is.
    pub pause: Option<Aside>,
    /// The worst state of its alarms, if that is known.
    pub state: Option<State>,
    /// Which of its points are not judged.
    pub disabled: Vec<Point>,
    /// Which of its contacts are on, and no alarm yet.
    pub delayed: Vec<Point>,
    /// Which are on by what another device said.
    pub said_by_another: Vec<Point>,
}

impl Station {
    /// One of which that was told, with what was not left out of it.
    #[must_use]
    pub fn told(contact: LastContact, told: ToldOf, about: StationAbout) -> Station {
        let ToldOf { comms, quality, pause, state, disabled, delayed, said_by_another } = told;
        let heard = match (comms, quality) {
            // What people say hides how it is heard, but for what its contacts are worth.
            (Comms::Paused | Comms::Retired, Quality::Good) => Comms::Up,
            (Comms::Paused | Comms::Retired, Quality::Stale) => Comms::Late,
            (Comms::Paused | Comms::Retired, Quality::Never) => Comms::New,
            (comms, _) => comms,
        };
        Station {
            contact,
            comms,
            heard,
            pause,
            state,
            disabled,
            delayed,
            said_by_another,
            alarms: 0,
            unacknowledged: 0,
            about,
        }
    }

    /// How it is heard, whatever people have said of it.
    #[must_use]
    pub fn heard(&self) -> Comms {
        self.heard
    }
}
