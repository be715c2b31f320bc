//! waterwatch, as a library for its own binary and tests.
//!
//! ARCHITECTURE.md draws the flow; the modules below are in its order.

pub mod backoff;
pub mod backups;
pub mod cli;
pub mod client;
pub mod command;
pub mod commands;
pub mod config;
pub mod endpoint;
pub mod failure;
pub mod fleet;
pub mod health;
pub mod http_client;
pub mod intake;
pub mod lane;
pub mod live;
pub mod log;
pub mod metrics;
mod mistakes;
pub mod open_files;
pub mod plan;
pub mod pulse;
pub mod refused;
pub mod said_json;
pub mod said_tag;
pub mod server;
pub mod server_address;
pub mod shown;
pub mod small_file;
pub mod station_says;
pub mod store;
pub mod terminal;
pub mod tokens;
pub mod web;
pub mod writer;
