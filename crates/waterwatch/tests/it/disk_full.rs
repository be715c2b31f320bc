//! A full disk: nothing is acknowledged that is not stored, nothing is
//! refused, and it heals by itself once there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Peer, Server, alarms, wait_for};

/// A small file system of its own, unmounted when dropped.
struct SmallDisk {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where it cannot be mounted, which takes root.
    fn mount(bytes: u64) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(&path)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            println!("SKIPPED: mounting a tmpfs takes root");
            return None;
        }
        Some(SmallDisk { path, _folder: folder })
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        use std::io::Write;
        let mut filler = fs::File::create(self.path.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.path.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

#[test]
fn a_full_disk_acknowledges_nothing_and_heals() {
    let Some(disk) = SmallDisk::mount(2 << 20) else { return };
    let server = Server::start(&disk.path, &["--store-retry-s", "1"]);
    assert_eq!(server.say(b"1 0 0\n"), "OK\n");
    disk.fill();
    // The log may still have room within its last page: new stations fill it.
    let mut stored: Vec<String> = Vec::new();
    let mut id = 1000;
    loop {
        let mut peer = server.connect();
        let ids: Vec<String> = (0..500).map(|number| format!("{} 1 0", id + number)).collect();
        peer.send(ids.join("\n") + "\n");
        peer.half_close();
        let answer = peer.rest();
        if answer.is_empty() {
            break;
        }
        assert_eq!(answer, "OK\n".repeat(500), "all of a batch or nothing");
        assert!(id < 100_000, "more is acknowledged than the disk can hold");
        stored.extend(ids);
        id += 500;
    }
    server.running.wait_for_log("the disk is full");
    // A line that is wrong beside one that cannot be stored: no reply at all.
    assert_eq!(server.say(b"x\n2 1 1\n"), "");
    // A line that is wrong alone is refused as ever.
    assert!(server.say(b"x\n").starts_with("ERR station_id"));

    // It heals while a station waits.
    let mut waiting = server.connect();
    waiting.send("3 1 1\n");
    disk.make_room();
    let healed = waiting.reply();
    let answer = if healed.is_empty() { retry(&server, "3 1 1\n") } else { healed };
    assert_eq!(answer, "OK");
    server.running.wait_for_log("reports are stored again");

    stored.extend(["1 0 0".to_owned(), "3 1 1".to_owned()]);
    stored.sort_by_key(|row| row.split(' ').next().unwrap().parse::<i64>().unwrap());
    assert_eq!(alarms(&server.data), stored, "exactly what was acknowledged");
    let data = server.data.clone();
    let logged = server.stop();
    check_integrity(&data);
    assert!(logged.matches("cannot be stored").count() <= 3, "the log is flooded:\n{logged}");
}

#[test]
fn it_stops_in_time_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount(2 << 20) else { return };
    let mut server = Server::start(&disk.path, &["--store-retry-s", "60"]);
    disk.fill();
    let lines: Vec<String> = (0..20_000).map(|id| format!("{id} 0 1\n")).collect();
    let mut peer = server.connect();
    let mut writer = Peer { stream: peer.stream.try_clone().unwrap() };
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        let _ = writer.stream.write_all(lines.concat().as_bytes());
    });
    server.running.wait_for_log("the disk is full");
    let started = std::time::Instant::now();
    server.running.signal(rustix::process::Signal::TERM);
    let status = server.running.wait();
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    assert!(status.success(), "{status}");
    let acknowledged = peer.rest();
    assert!(!acknowledged.contains("ERR"));
    sender.join().unwrap();
    assert_eq!(acknowledged.matches("OK\n").count(), alarms(&server.data).len());
    check_integrity(&server.data);
}

/// Sends the line on new connections until it is answered.
fn retry(server: &Server, line: &str) -> String {
    wait_for("an answer", || {
        let answer = server.say(line.as_bytes());
        (!answer.is_empty()).then(|| answer.trim_end().to_owned())
    })
}

fn check_integrity(data: &Path) {
    let verdict: String =
        crate::harness::open(data).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}
