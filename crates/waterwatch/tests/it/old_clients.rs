//! The old Python client, as the contract describes it, against the server.

use std::path::Path;
use std::process::Command;

use crate::harness::{Running, Server, alarms, wait_for};

/// Starts `tests/peers/old_client.py`: status.txt every `every_s`.
fn old_client(folder: &Path, server: &Server, every_s: &str) -> Running {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/old_client.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(server.address.port().to_string()).arg(every_s).current_dir(folder);
    Running::start(command)
}

#[test]
fn the_old_client_works_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    std::fs::write(folder.path().join("status.txt"), "123\n0\n1\n").unwrap();
    let client = old_client(folder.path(), &server, "0.2");
    wait_for("its first report", || (alarms(&server.data) == ["123 0 1"]).then_some(()));
    // It goes on, on the connection that it keeps open.
    std::fs::write(folder.path().join("status.txt"), "123\n1\n1\n").unwrap();
    wait_for("its next report", || (alarms(&server.data) == ["123 1 1"]).then_some(()));
    wait_for("both replies", || (client.printed().matches("b'OK\\n'").count() >= 2).then_some(()));
}
