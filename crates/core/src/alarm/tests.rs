//! The life of an alarm: scripts that a supervisor could read, a naive second
//! implementation, what always holds, and the published table.

mod agreement;
mod life;
mod model;
mod page;
mod properties;
mod scripts;
