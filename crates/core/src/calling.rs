//! Who is told of an alarm, when, and by which way.
//!
//! A [`Plan`] is what the configuration says: contacts with their ways, rotas in
//! which they take turns, and policies with the steps of a call. With the
//! [`TakeOver`]s that people said it gives who has duty at a moment. It knows no
//! alarm's state, sends nothing, and is worked out anew each time, so that whoever is
//! called is whoever has duty then.

mod ids;
mod on_call;
mod plan;
mod policy;
mod rota;
mod wall;

pub use ids::{ChannelId, ContactId, ID_CHARS_MAX, Misnamed, NOBODY, PolicyName, RotaId};
pub use on_call::{OnCall, TAKE_OVERS_MAX, TakeOver};
pub use plan::{Called, Channel, ChannelKind, Contact, Duty, Plan, QuietHours, Way};
pub use policy::{Callee, Matches, Policy, Step, Subject};
pub use rota::{Cycle, HAND_OVERS_MAX, HandOver, Rota, Shift, TURNS_MAX, Turn, UnfitRota, YEARS};
