//! Where a running server hears HTTP: one line in a file beside its database, so that
//! commands on the same machine find it, whatever its port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::small_file;

const HTTP: &str = "http://";

/// Where the file of the database `data` is.
#[must_use]
pub fn path(data: &Path) -> PathBuf {
    small_file::of_database(data, ".endpoint")
}

/// Says that the server of this database hears HTTP at `address`. One that hears at
/// all of its addresses is found at this machine's own.
///
/// # Errors
/// If the file cannot be written.
pub fn write(data: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let path = path(data);
    let mut reached = address;
    if address.ip().is_unspecified() {
        reached.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    small_file::replace(&path, &format!("{HTTP}{reached}"), small_file::PUBLIC)
        .with_context(|| format!("cannot write the file {}", path.display()))
}

/// Where the server of this database hears HTTP, as far as it has said so; `None` if
/// it has not, or has ended orderly. After one that was killed the file is still there,
/// and nobody is.
///
/// # Errors
/// If the file cannot be read, or no server wrote it.
pub fn read(data: &Path) -> anyhow::Result<Option<SocketAddr>> {
    let path = path(data);
    let line = small_file::read(&path).with_context(|| format!("cannot read the file {}", path.display()))?;
    let address = |line: String| {
        let address = line.strip_prefix(HTTP).and_then(|address| address.parse().ok());
        address.with_context(|| format!("the file {} has no address of a server", path.display()))
    };
    line.map(address).transpose()
}

/// Says that it hears HTTP no more.
///
/// # Errors
/// If the file cannot be removed.
pub fn remove(data: &Path) -> anyhow::Result<()> {
    let path = path(data);
    small_file::remove(&path).with_context(|| format!("cannot remove the file {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_the_server_is_as_long_as_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data.sqlite");
        assert_eq!(read(&data).unwrap(), None);
        for (hears, reached) in [
            ("127.0.0.1:8321", "127.0.0.1:8321"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.7:80", "192.0.2.7:80"),
        ] {
            write(&data, hears.parse().unwrap()).unwrap();
            let line = std::fs::read_to_string(path(&data)).unwrap();
            assert_eq!(line, format!("http://{reached}\n"));
            assert_eq!(read(&data).unwrap(), Some(reached.parse().unwrap()));
        }
        remove(&data).unwrap();
        remove(&data).unwrap();
        assert_eq!(read(&data).unwrap(), None);
    }

    #[test]
    fn what_no_server_wrote_is_no_address() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data.sqlite");
        for line in
            ["", "127.0.0.1:80", "http://example.org:80", "http://127.0.0.1:80/path", "https://[::1]:80"]
        {
            std::fs::write(path(&data), line).unwrap();
            let error = read(&data).unwrap_err().to_string();
            assert!(error.ends_with("data.sqlite.endpoint has no address of a server"), "{line}: {error}");
        }
    }
}
