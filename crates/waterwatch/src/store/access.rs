//! Why a database may not be read, in words that say what to do about it.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::{geteuid, getuid};

use super::lock::folder_of;

/// What SQLite keeps beside a database; each name is the database's with
/// this at its end.
pub const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The name of something that is kept beside a file.
#[must_use]
pub fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// What keeps this process from reading the database at `path`, if it is the
/// file system.
#[must_use]
pub fn denial(path: &Path) -> Option<String> {
    match std::fs::metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            // The folder that may be seen but not entered.
            let folder = path.ancestors().skip(1).find(|folder| folder.symlink_metadata().is_ok())?;
            let owner = owner(folder)?;
            return Some(format!(
                "permission denied: its folder {} belongs to {owner}; run as {owner}",
                folder.display()
            ));
        }
        Err(_) => return None,
    }
    let owner = owner(path)?;
    // A log that is there belongs to the database as much as the file does.
    let log = SIDE_FILES.map(|end| beside(path, end));
    for file in std::iter::once(path).chain(log.iter().map(PathBuf::as_path)) {
        if file.exists() && access(file, Access::READ_OK).is_err() {
            let which = if file == path { String::new() } else { format!(" to {}", file.display()) };
            return Some(format!("permission denied{which}: it belongs to {owner}; run as {owner}"));
        }
    }
    if access(folder_of(path), Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        return None;
    }
    // Owner and root are stopped by something else, such as a file system
    // that is mounted read-only.
    let remedy = if geteuid().is_root() || path.metadata().ok()?.uid() == geteuid().as_raw() {
        "make the folder writable, or copy the database to one that is".to_owned()
    } else {
        format!("run as {owner}")
    };
    Some(format!(
        "permission denied: as long as no server runs, a reader has to make its -wal and -shm beside it, \
         which the folder does not allow; {remedy}"
    ))
}

/// Who owns the file at `path`, if that is somebody else than this process.
#[must_use]
pub fn other_owner(path: &Path) -> Option<String> {
    let uid = path.metadata().ok()?.uid();
    (uid != geteuid().as_raw()).then(|| user(uid))
}

/// Who this process is: `user NAME`.
#[must_use]
pub fn this_user() -> String {
    user(geteuid().as_raw())
}

/// The person at the terminal, as far as the machine knows: the login name, also of
/// whoever became another user by sudo.
#[must_use]
pub fn login_name() -> String {
    let by_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.trim().is_empty());
    let user = || {
        let user = user(getuid().as_raw());
        user.strip_prefix("user ")
            .filter(|name| name.parse::<u32>().is_err())
            .map_or(user.clone(), str::to_owned)
    };
    by_sudo.unwrap_or_else(user)
}

/// Who owns a file: `user NAME`, or `user 1234` if nobody knows the name.
fn owner(path: &Path) -> Option<String> {
    path.metadata().ok().map(|file| user(file.uid()))
}

fn user(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    format!("user {}", user_name(&users, uid).map_or_else(|| uid.to_string(), str::to_owned))
}

/// The name with this number in a text of the form of `/etc/passwd`.
fn user_name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_after_the_list_of_users() {
        let users = "root:x:0:0:root:/root:/bin/bash\n# a remark\nwater:x:998:998::/:/sbin/nologin\n";
        assert_eq!(user_name(users, 998), Some("water"));
        assert_eq!(user_name(users, 0), Some("root"));
        assert_eq!(user_name(users, 99), None);
    }
}
