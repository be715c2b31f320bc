//! The pure core of waterwatch: what a station says, and what we know of it.
//!
//! Nothing here knows a clock, a socket, SQL, HTML or a thread. Time is an
//! argument, bytes are slices, and every function can be run by a property
//! test or a fuzzer without a server.

pub mod alarm;
pub mod calling;
pub mod identity;
pub mod report;
pub mod settings;
pub mod silence;
pub mod station;
pub mod station_life;
pub mod together;
pub mod token;
pub mod wire;

pub use identity::Contest;
pub use report::{Origin, Report};
pub use settings::{AreaId, Settings, StationSettings};
pub use station::{Novelty, OpenSpan, Span, Station, StationId};
pub use station_life::StationLife;
pub use together::Together;
pub use token::Token;
