//! The closed sets that alarms speak of, with the names by which databases
//! and people know them.

use std::fmt;

use super::settings::Priority;
use crate::station::StationId;

/// Gives each variant of a closed set its name, and finds it by that.
macro_rules! named {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// All of them, in their order.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// Its name, in databases and on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }

            /// The one with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$type> {
                match name { $($name => Some($type::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use named;

/// What a source can be in alarm about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// A station's first alarm contact.
    Alarm1,
    /// A station's second alarm contact.
    Alarm2,
    /// That nothing is heard: derived from the reports that do not come.
    Comms,
    /// That several devices report as this station: derived from where reports
    /// come from, and from what they say.
    Identity,
    /// That more stations are new than may be: derived from their ids.
    NewStations,
    /// That nobody has duty in a rota, or will not have soon: derived from the
    /// configuration.
    OnCall,
}

named!(Point {
    Alarm1 => "alarm1",
    Alarm2 => "alarm2",
    Comms => "comms",
    Identity => "identity",
    NewStations => "new_stations",
    OnCall => "on_call",
});

impl Point {
    /// What a station has.
    pub const OF_STATION: &'static [Point] = &[Point::Alarm1, Point::Alarm2, Point::Comms, Point::Identity];

    /// What an area has.
    pub const OF_AREA: &'static [Point] = &[Point::Comms];

    /// What waterwatch itself has.
    pub const OF_SERVER: &'static [Point] = &[Point::Comms, Point::NewStations, Point::OnCall];

    /// What a source has, in their order.
    #[must_use]
    pub fn of(source: &AlarmSource) -> &'static [Point] {
        match source {
            AlarmSource::Station(_) => Point::OF_STATION,
            AlarmSource::Area(_) => Point::OF_AREA,
            AlarmSource::Server => Point::OF_SERVER,
        }
    }

    /// Whether it is a contact at a station; the others are derived.
    #[must_use]
    pub fn is_contact(self) -> bool {
        match self {
            Point::Alarm1 | Point::Alarm2 => true,
            Point::Comms | Point::Identity | Point::NewStations | Point::OnCall => false,
        }
    }

    /// How urgent it is if nobody says.
    #[must_use]
    pub fn default_priority(self) -> Priority {
        match self {
            Point::Alarm1 | Point::Alarm2 | Point::Comms | Point::OnCall => Priority::High,
            Point::Identity | Point::NewStations => Priority::Medium,
        }
    }
}

/// Who is in alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmSource {
    /// A station.
    Station(StationId),
    /// Many stations of an area together.
    Area(Box<str>),
    /// waterwatch itself.
    Server,
}

impl fmt::Display for AlarmSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AlarmSource::Station(id) => id.fmt(f),
            AlarmSource::Area(name) => write!(f, "area/{name}"),
            AlarmSource::Server => f.write_str("server"),
        }
    }
}

/// What an operator sees of an alarm, derived from its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing is wrong, and nothing waits for anybody.
    Normal,
    /// It is on, and nobody has answered.
    Unacknowledged,
    /// It is on, and somebody has answered.
    Acknowledged,
    /// It went away, and nobody has answered.
    ReturnedUnacknowledged,
    /// An operator put it aside for a while.
    Shelved,
    /// Another alarm stands for it.
    Suppressed,
    /// It is being worked on.
    OutOfService,
}

named!(State {
    Normal => "normal",
    Unacknowledged => "unacknowledged",
    Acknowledged => "acknowledged",
    ReturnedUnacknowledged => "rtn_unacknowledged",
    Shelved => "shelved",
    Suppressed => "suppressed",
    OutOfService => "out_of_service",
});

impl State {
    /// How bad it is: the worst first.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            State::Unacknowledged => 0,
            State::ReturnedUnacknowledged => 1,
            State::Acknowledged => 2,
            State::Shelved => 3,
            State::Suppressed => 4,
            State::OutOfService => 5,
            State::Normal => 6,
        }
    }

    /// The same where there may be no state: what nobody has judged comes after what
    /// needs an answer, and before what is hidden.
    #[must_use]
    pub fn rank_if_known(state: Option<State>) -> u8 {
        state.map_or(2 * State::Shelved.rank() - 1, |state| 2 * state.rank())
    }

    /// The states in which an alarm waits for somebody to acknowledge it.
    pub const UNANSWERED: [State; 2] = [State::Unacknowledged, State::ReturnedUnacknowledged];

    /// Whether it is one of them.
    #[must_use]
    pub fn is_unanswered(self) -> bool {
        State::UNANSWERED.contains(&self)
    }

    /// Whether somebody or something hides it.
    #[must_use]
    pub fn is_hidden(self) -> bool {
        match self {
            State::Shelved | State::Suppressed | State::OutOfService => true,
            State::Normal | State::Unacknowledged | State::Acknowledged | State::ReturnedUnacknowledged => {
                false
            }
        }
    }
}

impl Kind {
    /// Whether it tells only that a contact changed, or where reports come from:
    /// the state stays as it was, and nothing later names it.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Kind::OnDelayStarted
                | Kind::OnDelayCancelled
                | Kind::OffDelayStarted
                | Kind::OffDelayCancelled
                | Kind::OnWhileHidden
                | Kind::OffWhileHidden
                | Kind::OriginChanged
        )
    }
}

impl Kind {
    /// Whether it tells of a source itself, and of none of its alarms.
    #[must_use]
    pub fn is_about_no_point(self) -> bool {
        matches!(
            self,
            Kind::Blind
                | Kind::ClockJumped
                | Kind::VisitBegan
                | Kind::VisitEnded
                | Kind::RetirementEnded
                | Kind::TokenAdded
                | Kind::TokenRevoked
                | Kind::SettingsChanged
        )
    }

    /// Whether it tells of a token. That may be written while no server runs, so it
    /// is no sign that one heard stations.
    #[must_use]
    pub fn is_about_a_token(self) -> bool {
        matches!(self, Kind::TokenAdded | Kind::TokenRevoked)
    }
}

impl State {
    /// The short form of pages and tables, as in ISA-18.2.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            State::Normal => "NORM",
            State::Unacknowledged => "UNACK",
            State::Acknowledged => "ACKED",
            State::ReturnedUnacknowledged => "RTNUN",
            State::Shelved => "SHLVD",
            State::Suppressed => "DSUPR",
            State::OutOfService => "OOSRV",
        }
    }
}

/// What an entry of the ledger tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The contact went on, and the on-delay runs.
    OnDelayStarted,
    /// The contact went off before the on-delay was over: no alarm.
    OnDelayCancelled,
    /// A new occurrence.
    Raised,
    /// On again before anybody acknowledged: the same occurrence.
    RaisedAgain,
    /// The contact went off, and the off-delay runs.
    OffDelayStarted,
    /// The contact went on again before the off-delay was over: it never
    /// returned.
    OffDelayCancelled,
    /// It returned to normal.
    Returned,
    /// Somebody acknowledged.
    Acknowledged,
    /// Still on so long after the acknowledgement: somebody must look again.
    Realarmed,
    /// An operator shelved it, or changed until when.
    Shelved,
    /// An operator unshelved it.
    Unshelved,
    /// Its time on the shelf is over.
    ShelfExpired,
    /// Its time on the shelf is over soon.
    ShelfExpiring,
    /// An operator took it out of service, or changed until when.
    TakenOutOfService,
    /// An operator returned it to service.
    ReturnedToService,
    /// Its time out of service is over.
    ServiceExpired,
    /// Its time out of service is over soon.
    ServiceExpiring,
    /// Another alarm stands for it.
    Suppressed,
    /// No other alarm stands for it any more.
    Unsuppressed,
    /// It stands for the silence of these stations, which are suppressed.
    StandsFor,
    /// These stations, for whose silence it stood, were heard again.
    HeardAgain,
    /// It went on while it was hidden.
    OnWhileHidden,
    /// It went off while it was hidden.
    OffWhileHidden,
    /// It comes and goes too often: one occurrence stays until it is calm.
    ChatterStarted,
    /// It has been off for so long that it is calm.
    ChatterCalmed,
    /// It has been on for so long that it no longer comes and goes: somebody
    /// must look again.
    ChatterStuck,
    /// Reports come from elsewhere than before.
    OriginChanged,
    /// Its station was retired; about no point: the station itself.
    Retired,
    /// It is no longer judged: its point was disabled.
    Disabled,
    /// Somebody is at the station.
    VisitBegan,
    /// They are gone again.
    VisitEnded,
    /// The station was heard again after it was retired, or somebody ended that.
    RetirementEnded,
    /// Its station, which nobody had named, was forgotten; about no point: the station
    /// itself.
    Forgotten,
    /// Its station is silent, and lines come from it that are refused.
    SendingRefused,
    /// People said something else of a station, for an area or for the fleet.
    SettingsChanged,
    /// Somebody remarked something about an occurrence.
    Note,
    /// The server could hear nobody from the event's time until its end.
    Blind,
    /// The clock on the wall jumped from the event's time to its end.
    ClockJumped,
    /// Somebody made a token for the HTTP API, or the server did at its first start.
    TokenAdded,
    /// Somebody revoked a token.
    TokenRevoked,
}

named!(Kind {
    OnDelayStarted => "on_delay_started",
    OnDelayCancelled => "on_delay_cancelled",
    Raised => "raised",
    RaisedAgain => "raised_again",
    OffDelayStarted => "off_delay_started",
    OffDelayCancelled => "off_delay_cancelled",
    Returned => "returned",
    Acknowledged => "acknowledged",
    Realarmed => "realarmed",
    Shelved => "shelved",
    Unshelved => "unshelved",
    ShelfExpired => "shelf_expired",
    ShelfExpiring => "shelf_expiring",
    TakenOutOfService => "taken_out_of_service",
    ReturnedToService => "returned_to_service",
    ServiceExpired => "service_expired",
    ServiceExpiring => "service_expiring",
    Suppressed => "suppressed",
    Unsuppressed => "unsuppressed",
    StandsFor => "stands_for",
    HeardAgain => "heard_again",
    OnWhileHidden => "on_while_hidden",
    OffWhileHidden => "off_while_hidden",
    ChatterStarted => "chatter_started",
    ChatterCalmed => "chatter_calmed",
    ChatterStuck => "chatter_stuck",
    OriginChanged => "origin_changed",
    Retired => "retired",
    Disabled => "disabled",
    VisitBegan => "visit_began",
    VisitEnded => "visit_ended",
    RetirementEnded => "retirement_ended",
    Forgotten => "forgotten",
    SendingRefused => "sending_refused",
    SettingsChanged => "settings_changed",
    Note => "note",
    Blind => "blind",
    ClockJumped => "clock_jumped",
    TokenAdded => "token_added",
    TokenRevoked => "token_revoked",
});
