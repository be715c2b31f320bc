//! The real server over a disk that fails when it is told to.
//!
//! The helpers are those of the server's own tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

#[path = "../../../waterwatch/tests/it/crash.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod crash;
#[path = "../../../waterwatch/tests/it/disk.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod disk;
#[path = "../../../waterwatch/tests/it/harness.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod harness;
#[path = "../../../waterwatch/tests/it/ledger.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod ledger;
#[path = "../../../waterwatch/tests/it/load.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod load;
#[path = "../../../waterwatch/tests/it/oracle.rs"]
mod oracle;

mod controls;
mod scenario;
mod steps;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_waterwatch-on-faulty-disk");
