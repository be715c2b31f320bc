//! The integration tests: each starts the real program as a person would,
//! on port 0, and talks to it from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod backup;
mod client;
mod config;
mod database;
mod disk_full;
mod harness;
mod house;
mod import;
mod kill;
mod lifecycle;
mod limits;
mod old_clients;
mod simulate;
mod status;
mod wire;
