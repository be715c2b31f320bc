//! How the servers that others wrote are started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::running::{Running, free_port};

/// The first line that a program prints about itself.
pub(super) fn first_line(command: &mut Command) -> anyhow::Result<String> {
    // Mosquitto ends with an error after its help; what it says counts.
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().next().unwrap_or_default().trim().to_owned();
    ensure!(!line.is_empty(), "it says nothing about itself");
    Ok(line)
}

/// Mosquitto keeps nothing on disk here, and nothing limits what a client may
/// have in flight or waiting.
pub(super) fn mosquitto(folder: &Path) -> anyhow::Result<Running> {
    let address = free_port()?;
    let file = folder.join("mosquitto.conf");
    fs::write(
        &file,
        format!(
            "listener {} 127.0.0.1\n\
             allow_anonymous true\n\
             persistence false\n\
             max_inflight_messages 0\n\
             max_queued_messages 0\n\
             max_connections -1\n\
             set_tcp_nodelay true\n\
             log_dest stderr\n\
             log_type error\n",
            address.port()
        ),
    )?;
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(&file);
    Running::told(command, folder, address)
}

/// Redis syncs its log before it answers, and never rewrites it.
pub(super) fn redis(folder: &Path) -> anyhow::Result<Running> {
    let address = free_port()?;
    let port = address.port().to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--maxclients", "15000"]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"]);
    command.arg("--dir").arg(folder);
    Running::told(command, folder, address)
}

/// The Python server of this repository.
pub(super) fn old_server(folder: &Path) -> anyhow::Result<Running> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/old_server.py");
    let script: PathBuf = script.canonicalize().with_context(|| script.display().to_string())?;
    let mut command = Command::new("python3");
    command.arg(script);
    Running::announced(command, folder)
}
