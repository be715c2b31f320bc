//! A server that runs as a child of ours.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take until it listens.
const START_WAIT: Duration = Duration::from_secs(60);

/// A server of ours; killed when dropped.
pub(crate) struct Running {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Running {
    /// Starts a server that prints where it listens, as waterwatch does.
    pub(super) fn announced(mut command: Command, folder: &Path) -> anyhow::Result<Running> {
        let mut server = Running::spawn(command.stdout(Stdio::piped()), folder)?;
        let printed = BufReader::new(server.child.stdout.take().context("its output is piped")?);
        for line in printed.lines() {
            if let Some(address) = line?.strip_prefix("listening stations ") {
                server.address = address.parse().with_context(|| format!("it listens at \"{address}\""))?;
                return Ok(server);
            }
        }
        bail!("the server ended before it listened; its log:\n{}", server.log())
    }

    /// Starts a server that was told where to listen, and waits until it
    /// does.
    pub(super) fn told(mut command: Command, folder: &Path, address: SocketAddr) -> anyhow::Result<Running> {
        let mut server = Running::spawn(command.stdout(Stdio::null()), folder)?;
        server.address = address;
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status} before it listened; its log:\n{}", server.log());
            }
            ensure!(began.elapsed() < START_WAIT, "the server does not listen; its log:\n{}", server.log());
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    fn spawn(command: &mut Command, folder: &Path) -> anyhow::Result<Running> {
        let log = folder.join("server.log");
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        // Made at once, so that whatever goes wrong from here ends it.
        Ok(Running { child, address: SocketAddr::from(([0; 4], 0)), log })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as systemd does, and says how it ended.
    ///
    /// # Errors
    /// It cannot be told.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait()?;
        // Who does not listen for the signal ends by it: no code at all.
        let ended_well = status.code().is_none_or(|code| code == 0);
        ensure!(ended_well, "the server ended with {status}; its log:\n{}", self.log());
        Ok(())
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_else(|error| format!("(unreadable: {error})"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, or ends now: nobody is left behind either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on now, for servers that cannot choose one.
pub(super) fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
