//! A disk that fails when it is told to, under the real server.
//!
//! [`vfs`] stands between SQLite and the operating system and does to the
//! operations what [`fault`] says; [`unsynced`] is what a power cut would take.
//! [`hasty`] is a store that acknowledges too
//! early: with it, and with a disk that never syncs, the tests show that they
//! would notice.
//!
//! It is told by variables, so that the server's command line stays what it
//! is:
//!
//! | variable | what |
//! | --- | --- |
//! | `FAULTY_DISK` | one [`fault::Fault`] or several: `sync:3:fail=1034,changes:40:cut-power` |
//! | `FAULTY_DISK_SYNC=off` | every sync does nothing, as with `synchronous=OFF` |
//! | `FAULTY_DISK_COUNTS` | a file that gets the number of operations at the end, a line each kind |
//! | `FAULTY_DISK_MEMORY` | a file that keeps what failed syncs left, for a power cut in a later process |
//! | `FAULTY_DISK_STORE=hasty` | reports are acknowledged before they are committed |

pub mod fault;
pub mod hasty;
pub mod unsynced;
pub mod vfs;
