//! Notices that the status file may have changed, so that an alarm need not
//! wait for the next period.
//!
//! A hint says no more than "look": whether there is something new is told by
//! reading the file. The folder is watched, not the file, since editors save
//! by putting another file in its place. Where the system cannot watch, each
//! passing second is a hint. What no watch can see, such as a change made on
//! another machine to a shared folder, is found by the next report.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tracing::warn;

/// How often the file is looked at where it cannot be watched: an alarm waits
/// no longer than this, and reading three lines costs nothing.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Hints that one file may have changed.
pub(super) struct Changes {
    file: PathBuf,
    /// `None`: it is looked at now and then.
    watch: Option<Watch>,
}

/// A watch that goes on as long as it is kept.
struct Watch {
    _watcher: RecommendedWatcher,
    /// Ends when nothing can be seen any more. It holds one hint: a second
    /// one would say the same.
    hints: mpsc::Receiver<()>,
}

impl Changes {
    /// Begins to watch `file`, which need not be there yet.
    pub(super) fn of(file: &Path) -> Changes {
        let watch = watch(file).inspect_err(|error| warn_not_watched(file, &error.to_string())).ok();
        Changes { file: file.to_owned(), watch }
    }

    /// Waits for a hint. None is lost if this is given up and called again.
    pub(super) async fn hint(&mut self) {
        let Some(watch) = &mut self.watch else {
            return tokio::time::sleep(LOOK_EVERY).await;
        };
        if watch.hints.recv().await.is_none() {
            warn_not_watched(&self.file, "its folder was removed or renamed");
            self.watch = None;
        }
    }

    /// Drops the hints that have come until now.
    pub(super) fn forget_hints(&mut self) {
        if let Some(watch) = &mut self.watch {
            while watch.hints.try_recv().is_ok() {}
        }
    }
}

fn warn_not_watched(file: &Path, reason: &str) {
    warn!("{} cannot be watched: {reason} (it is looked at each second instead)", file.display());
}

fn watch(file: &Path) -> notify::Result<Watch> {
    if file.is_symlink() {
        return Err(notify::Error::generic("it is a link, and what it leads to may be anywhere"));
    }
    let name = file.file_name().ok_or_else(|| notify::Error::generic("it has no file name"))?.to_owned();
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // As it is named in the events.
    let folder = std::path::absolute(folder)?;
    let (sender, hints) = mpsc::channel(1);
    let mut sender = Some(sender);
    let watched = folder.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let Some(open) = &sender else { return };
        match judge(&event, &watched, &name) {
            Sign::Nothing => {}
            // If there is no room, a hint is waiting already.
            Sign::MayHaveChanged => drop(open.try_send(())),
            Sign::Blind => sender = None,
        }
    })?;
    watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    Ok(Watch { _watcher: watcher, hints })
}

/// What an event in the folder means for the file.
#[derive(Debug, PartialEq, Eq)]
enum Sign {
    Nothing,
    MayHaveChanged,
    /// No event will come any more.
    Blind,
}

fn judge(event: &notify::Result<Event>, folder: &Path, name: &OsStr) -> Sign {
    let Ok(event) = event else { return Sign::Blind };
    if event.need_rescan() {
        return Sign::MayHaveChanged;
    }
    let concerns_folder = event.paths.iter().any(|path| path == folder);
    let concerns_file = event.paths.iter().any(|path| path.file_name() == Some(name));
    match event.kind {
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) if concerns_folder => {
            Sign::Blind
        }
        // Our own reading is an access, too; the end of a writing is the only
        // one that changes anything.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) if concerns_file => Sign::MayHaveChanged,
        EventKind::Access(_) => Sign::Nothing,
        _ if concerns_file => Sign::MayHaveChanged,
        _ => Sign::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RemoveKind};

    use super::*;

    #[test]
    fn tells_a_change_from_a_look() {
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        let left = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        let described = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        for (kind, paths, sign) in [
            (written, vec!["./status.txt"], Sign::MayHaveChanged),
            (renamed, vec!["./.status.txt.swp", "./status.txt"], Sign::MayHaveChanged),
            (closed, vec!["./status.txt"], Sign::MayHaveChanged),
            (EventKind::Create(CreateKind::File), vec!["./status.txt"], Sign::MayHaveChanged),
            (EventKind::Remove(RemoveKind::File), vec!["./status.txt"], Sign::MayHaveChanged),
            (left, vec!["./status.txt"], Sign::MayHaveChanged),
            (opened, vec!["./status.txt"], Sign::Nothing),
            (read, vec!["./status.txt"], Sign::Nothing),
            (opened, vec!["."], Sign::Nothing),
            (described, vec!["."], Sign::Nothing),
            (written, vec!["./data.sqlite"], Sign::Nothing),
            (left, vec!["."], Sign::Blind),
            (EventKind::Remove(RemoveKind::Folder), vec!["."], Sign::Blind),
        ] {
            let mut event = Event::new(kind);
            event.paths = paths.iter().map(PathBuf::from).collect();
            let judged = judge(&Ok(event), Path::new("."), OsStr::new("status.txt"));
            assert_eq!(judged, sign, "{kind:?} {paths:?}");
        }
    }

    #[test]
    fn a_lost_event_may_have_been_a_change() {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(judge(&Ok(event), Path::new("."), OsStr::new("status.txt")), Sign::MayHaveChanged);
        let error = Err(notify::Error::generic("broken"));
        assert_eq!(judge(&error, Path::new("."), OsStr::new("status.txt")), Sign::Blind);
    }
}
