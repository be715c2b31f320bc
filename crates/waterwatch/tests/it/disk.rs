//! Small disks of their own, to be filled, broken and cut off. Mounting takes
//! root; without it the tests say that they were skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::wait_for;

/// What the folders of mounted disks begin with; the process that mounted it
/// follows, so that what a killed run left behind is found.
const FOLDER: &str = "waterwatch-disk-";

/// Shuts an ext4 file system down (`EXT4_IOC_SHUTDOWN`): from then on all that
/// is asked of it fails.
const SHUT_DOWN: &str = "
import fcntl, os, struct, sys
how, path = int(sys.argv[1]), sys.argv[2]
fcntl.ioctl(os.open(path, os.O_RDONLY), 0x8004587d, struct.pack('I', how))
";

/// `EXT4_GOING_FLAGS_DEFAULT`: what is in memory is written first.
const AFTER_WRITING: &str = "0";

/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: what is in memory is lost, the file system's
/// own journal included.
const AT_ONCE: &str = "2";

/// A small file system, unmounted when dropped.
pub struct Disk {
    /// Where it is mounted.
    pub path: PathBuf,
    /// The file that an ext4 lies in.
    image: Option<PathBuf>,
    _folder: tempfile::TempDir,
}

impl Disk {
    /// A tmpfs; `None` where it cannot be mounted.
    pub fn tmpfs(bytes: u64) -> Option<Disk> {
        let disk = Disk::unmounted(None);
        disk.mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])?;
        Some(disk)
    }

    /// An ext4 in a file, on a loop device; `None` where it cannot be mounted.
    pub fn ext4(bytes: u64) -> Option<Disk> {
        let disk = Disk::unmounted(Some("image"));
        let image = disk.image.clone().unwrap();
        fs::File::create(&image).unwrap().set_len(bytes).unwrap();
        // Nothing is left for later, when it would be in the way of the tests.
        let options = ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
        let made = run("mkfs.ext4", &options, &image);
        if !made.as_ref().is_some_and(|made| made.status.success()) {
            println!("SKIPPED: there is no mkfs.ext4 (package e2fsprogs)");
            return None;
        }
        disk.mount_image()?;
        Some(disk)
    }

    fn unmounted(image: Option<&str>) -> Disk {
        unmount_leftovers();
        let prefix = format!("{FOLDER}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap();
        let path = folder.path().join("disk");
        fs::create_dir(&path).unwrap();
        Disk { path, image: image.map(|name| folder.path().join(name)), _folder: folder }
    }

    fn mount_image(&self) -> Option<()> {
        let image = self.image.as_ref().unwrap().to_str().unwrap();
        self.mount(&["-t", "ext4", "-o", "loop,errors=remount-ro", image])
    }

    fn mount(&self, arguments: &[&str]) -> Option<()> {
        let mounted = run("mount", arguments, &self.path);
        if mounted.as_ref().is_some_and(|mounted| mounted.status.success()) {
            return Some(());
        }
        let why = mounted.map(|mounted| String::from_utf8_lossy(&mounted.stderr).trim().to_owned());
        println!("SKIPPED: a disk of its own takes root (mount {}: {why:?})", arguments.join(" "));
        None
    }

    /// Cuts its power: what was not synced is lost, and all that is asked of
    /// it fails.
    pub fn cut_power(&self) {
        self.shut_down(AT_ONCE);
    }

    /// All that is asked of it fails from now on.
    pub fn fail(&self) {
        self.shut_down(AFTER_WRITING);
    }

    fn shut_down(&self, how: &str) {
        let done = run("python3", &["-c", SHUT_DOWN, how], &self.path).expect("python3 is there");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Mounts it afresh, as after the power has come back. Nobody may have
    /// anything open on it.
    pub fn mount_again(&mut self) {
        wait_for("the disk to be unmounted", || {
            let unmounted = run("umount", &[], &self.path).expect("umount is there");
            unmounted.status.success().then_some(())
        });
        self.mount_image().expect("it was mounted before");
    }

    /// Has the system notice an error in the file system, which makes it
    /// read-only under all that have files open there, until it is mounted
    /// again. (Asking for read-only is refused as long as they have.)
    pub fn turn_read_only(&self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find(|line| line.split(' ').nth(1) == self.path.to_str()).unwrap();
        let device = mount.split(' ').next().unwrap().trim_start_matches("/dev/");
        fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "a test").unwrap();
    }

    /// Makes all that writes to it wait.
    pub fn freeze(&self) {
        assert!(run("fsfreeze", &["--freeze"], &self.path).unwrap().status.success());
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        assert!(run("fsfreeze", &["--unfreeze"], &self.path).unwrap().status.success());
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        use std::io::Write;
        let mut filler = fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        for bytes in [1 << 20, 4096, 1] {
            while filler.write_all(&vec![0; bytes]).and_then(|()| filler.sync_data()).is_ok() {}
        }
    }

    /// Gives it back.
    pub fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.image.is_some() {
            let _ = run("fsfreeze", &["--unfreeze"], &self.path);
        }
        unmount(&self.path);
    }
}

/// Detaches a file system, even if a server that a failing test left running
/// still has it open; its loop device goes with it.
fn unmount(path: &Path) {
    let _ = run("umount", &["--lazy", "--quiet"], path);
}

/// Runs a tool on a path; `None` if there is no such tool.
fn run(tool: &str, arguments: &[&str], path: &Path) -> Option<Output> {
    Command::new(tool).args(arguments).arg(path).output().ok()
}

/// Unmounts what runs that were killed left behind.
fn unmount_leftovers() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for path in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
        let Some((_, rest)) = path.split_once(FOLDER) else { continue };
        let gone = |pid: &str| !Path::new("/proc").join(pid).exists();
        if rest.split_once('-').is_some_and(|(pid, _)| gone(pid)) {
            unmount(Path::new(path));
            if let Some(folder) = Path::new(path).parent() {
                let _ = fs::remove_dir_all(folder);
            }
        }
    }
}
