//! The integration tests: each starts the real program as a person would,
//! on port 0, and talks to it from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod alarms;
mod api;
mod backup;
mod check;
mod check_config;
mod client;
mod completions;
mod config;
mod crash;
mod database;
mod disk;
mod disk_full;
mod documented;
mod elsewhere;
mod follow;
mod harness;
mod hostile;
mod house;
mod identity;
mod import;
mod imports;
mod kill;
mod ledger;
mod lifecycle;
mod limits;
mod load;
mod old_clients;
mod oncall;
mod oracle;
mod orders;
mod power;
mod settings;
mod silence;
mod simulate;
mod stations;
mod status;
mod storm;
mod tampering;
mod tokens;
mod unreadable;
mod web;
mod wire;
mod write_behind;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_waterwatch");
