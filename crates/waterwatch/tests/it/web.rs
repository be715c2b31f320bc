//! HTTP: who may ask for what, what is answered, and what becomes of requests
//! that are wrong, slow or many.

mod access;
mod commands;
mod conditions;
mod described;
mod documented;
mod echoes;
mod events;
mod limits;
mod metrics;
#[cfg(debug_assertions)]
mod mistakes;
mod names;
mod reads;
mod reloads;
mod reports;
mod settings;
mod spoilt;
mod sse;
mod stream;
