//! The shim between SQLite and its default (unix) VFS, and the only place
//! with `unsafe`.
//!
//! It adds as little as possible. The VFS is a copy of the unix one with two
//! functions replaced. An opened file is the unix file itself; only the
//! pointer to its methods leads to a copy of the unix methods, of whatever
//! version they are, in which those that may fail are replaced. So everything
//! else (locks, the mapped index, mapped pages, file controls) goes to the
//! unix VFS directly. It finds all that it needs in the file and, except for
//! proxy locking on macOS, never looks at the pointer.

#![expect(unsafe_code, reason = "SQLite's seam for a disk is a table of C functions")]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock};

use rusqlite::ffi::{
    self, SQLITE_OK, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};
use rustix::process::{Signal, getpid, kill_process};

use crate::fault::{Kind, Plan, Step};
use crate::unsynced::Unsynced;

static PLAN: OnceLock<Plan> = OnceLock::new();

/// The unix VFS, which lives as long as the process.
static UNIX: AtomicPtr<sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// What an opened file's `pMethods` points to: `ours` must be first, since
/// SQLite knows only of that.
#[repr(C)]
struct Methods {
    ours: sqlite3_io_methods,
    theirs: *const sqlite3_io_methods,
    /// The file's name; a temporary one has none.
    path: Option<PathBuf>,
}

/// Puts the shim under every database that this process opens from now on.
///
/// # Panics
/// If it was called before, or SQLite does not take it.
pub fn install(plan: Plan) -> &'static Plan {
    // SAFETY: a null name asks for the default VFS.
    let unix = unsafe { sqlite3_vfs_find(ptr::null()) };
    assert!(!unix.is_null(), "SQLite has a default VFS");
    assert!(PLAN.set(plan).is_ok(), "the shim is installed once");
    UNIX.store(unix, Ordering::SeqCst);
    // SAFETY: SQLite's own VFS, of the version that these bindings are for; it
    // is never changed except for `pNext`, which is set anew below.
    let mut shim = unsafe { *unix };
    shim.pNext = ptr::null_mut();
    shim.zName = c"faulty-disk".as_ptr();
    shim.xOpen = Some(open);
    shim.xDelete = Some(delete);
    // SAFETY: the VFS and its name live for ever.
    let taken = unsafe { sqlite3_vfs_register(Box::into_raw(Box::new(shim)), 1) };
    assert_eq!(taken, SQLITE_OK, "SQLite takes the shim");
    if let Some(memory) = &plan_of_this_process().memory_file
        && let Ok(lines) = std::fs::read_to_string(memory)
    {
        unsynced().expect("there is a memory").remember(&lines);
    }
    plan_of_this_process()
}

/// Keeps what failed syncs left for the next process, if there is a file for
/// it.
///
/// # Errors
/// If it cannot be written.
pub fn keep_memory() -> std::io::Result<()> {
    match (&plan_of_this_process().memory_file, unsynced()) {
        (Some(memory), Some(unsynced)) => std::fs::write(memory, unsynced.to_lines()),
        _ => Ok(()),
    }
}

fn plan_of_this_process() -> &'static Plan {
    PLAN.get().expect("the shim is installed")
}

/// What a power cut would take, if there will be one. Held during each
/// operation that matters to it, so that a power cut falls between two.
fn unsynced() -> Option<MutexGuard<'static, Unsynced>> {
    static UNSYNCED: LazyLock<Mutex<Unsynced>> = LazyLock::new(Mutex::default);
    let plan = plan_of_this_process();
    plan.cuts_power().then(|| UNSYNCED.lock().expect("nobody panics in here"))
}

/// Does an operation, or what the plan says in its place; `half` does a part
/// of it.
fn operate(
    kind: Kind,
    unsynced: Option<&mut Unsynced>,
    whole: impl FnOnce() -> c_int,
    half: impl FnOnce(),
) -> c_int {
    match plan_of_this_process().step(kind) {
        Step::CutPower(takes) => {
            unsynced.expect("it is known for every operation").cut_power(takes);
            die(None)
        }
        Step::Go => whole(),
        Step::Fail(code) => {
            half();
            code
        }
        Step::KillBefore => die(unsynced.as_deref()),
        Step::KillWithin => {
            half();
            die(unsynced.as_deref())
        }
        Step::KillAfter => {
            whole();
            die(unsynced.as_deref())
        }
    }
}

/// As kill -9 from outside: nothing is flushed, nothing is told. Only the
/// system remembers.
fn die(unsynced: Option<&Unsynced>) -> ! {
    if let (Some(unsynced), Some(memory)) = (unsynced, &plan_of_this_process().memory_file) {
        let _ = std::fs::write(memory, unsynced.to_lines());
    }
    let _ = kill_process(getpid(), Signal::KILL);
    // Until the signal has arrived.
    loop {
        std::thread::park();
    }
}

unsafe extern "C" fn open(
    _shim: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let unix = UNIX.load(Ordering::SeqCst);
    // SAFETY: the unix VFS lives for ever and has the function.
    let theirs = unsafe { (*unix).xOpen }.expect("the unix VFS opens files");
    // A file without methods is one that is not open, which SQLite does not
    // close.
    // SAFETY: SQLite hands us a file of the unix VFS's size to be filled.
    unsafe { (*file).pMethods = ptr::null() };
    // SAFETY: SQLite's name of the file, or null.
    let path = unsafe { path_of(name) };
    let mut unsynced = unsynced();
    let opened = operate(
        Kind::Open,
        unsynced.as_deref_mut(),
        // SAFETY: SQLite's own arguments, for the VFS that they are of the size of.
        || unsafe { theirs(unix, name, file, flags, flags_out) },
        || (),
    );
    if opened == SQLITE_OK {
        if let (Some(unsynced), Some(path)) = (&mut unsynced, &path) {
            unsynced.opened(path);
        }
        // SAFETY: just opened by the unix VFS.
        unsafe { replace_methods(file, path) };
    }
    opened
}

/// # Safety
/// `name` is a C string or null.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: what the caller promises.
    let name = unsafe { CStr::from_ptr(name) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// # Safety
/// `file` was opened by the unix VFS.
unsafe fn replace_methods(file: *mut sqlite3_file, path: Option<PathBuf>) {
    // SAFETY: an open file has methods, which live for ever.
    let theirs = unsafe { (*file).pMethods };
    // SAFETY: the bundled SQLite's methods have every field of these bindings.
    let mut ours = unsafe { *theirs };
    ours.xClose = Some(close);
    ours.xRead = Some(read);
    ours.xWrite = Some(write);
    ours.xTruncate = Some(truncate);
    ours.xSync = Some(sync);
    // A file without an index must go on saying so.
    ours.xShmMap = ours.xShmMap.and(Some(shm_map));
    let methods = Box::into_raw(Box::new(Methods { ours, theirs, path }));
    // SAFETY: the file is SQLite's and open; `ours` is first in `Methods`.
    unsafe { (*file).pMethods = methods.cast() };
}

/// The unix VFS's methods of a file, and its name.
///
/// # Safety
/// `file` is open, went through [`replace_methods`], and is not closed as long
/// as the answer is in use.
unsafe fn unix_file<'a>(file: *mut sqlite3_file) -> (&'a sqlite3_io_methods, Option<&'a Path>) {
    // SAFETY: what the caller promises, so that it points to a `Methods`.
    let methods = unsafe { (*file).pMethods }.cast::<Methods>();
    // SAFETY: a `Methods` lives until its file is closed.
    let methods = unsafe { &*methods };
    // SAFETY: the unix VFS's methods live for ever.
    (unsafe { &*methods.theirs }, methods.path.as_deref())
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes only files that we have opened.
    let (theirs, _) = unsafe { unix_file(file) };
    // SAFETY: the same.
    let methods = unsafe { (*file).pMethods }.cast::<Methods>().cast_mut();
    // SAFETY: the file is still SQLite's.
    unsafe { (*file).pMethods = theirs };
    // SAFETY: made by `replace_methods`, and nothing points to it any more.
    drop(unsafe { Box::from_raw(methods) });
    let close = theirs.xClose.expect("the unix VFS closes files");
    // SAFETY: as it was when the unix VFS had opened it.
    unsafe { close(file) }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    bytes: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite reads only from files that we have opened.
    let (theirs, _) = unsafe { unix_file(file) };
    let read = theirs.xRead.expect("the unix VFS reads");
    // SAFETY: SQLite's own arguments.
    operate(Kind::Read, None, || unsafe { read(file, into, bytes, offset) }, || ())
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite writes only to files that we have opened.
    let (theirs, path) = unsafe { unix_file(file) };
    let write = theirs.xWrite.expect("the unix VFS writes");
    let mut unsynced = unsynced();
    if let (Some(unsynced), Some(path)) = (&mut unsynced, path) {
        unsynced.before_change(path, offset.unsigned_abs(), u64::from(bytes.unsigned_abs()));
    }
    operate(
        Kind::Write,
        unsynced.as_deref_mut(),
        // SAFETY: SQLite's own arguments.
        || unsafe { write(file, from, bytes, offset) },
        || {
            // SAFETY: the same; if all of the bytes are there, so is half.
            let _ = unsafe { write(file, from, bytes / 2, offset) };
        },
    )
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, bytes: sqlite3_int64) -> c_int {
    // SAFETY: SQLite cuts off only files that we have opened.
    let (theirs, path) = unsafe { unix_file(file) };
    let truncate = theirs.xTruncate.expect("the unix VFS cuts files off");
    let mut unsynced = unsynced();
    if let (Some(unsynced), Some(path)) = (&mut unsynced, path) {
        unsynced.before_truncation(path, bytes.unsigned_abs());
    }
    // SAFETY: SQLite's own arguments.
    operate(Kind::Truncate, unsynced.as_deref_mut(), || unsafe { truncate(file, bytes) }, || ())
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite syncs only files that we have opened.
    let (theirs, path) = unsafe { unix_file(file) };
    let sync = theirs.xSync.expect("the unix VFS syncs");
    let never = plan_of_this_process().never_sync;
    let mut unsynced = unsynced();
    let result = operate(
        Kind::Sync,
        unsynced.as_deref_mut(),
        // SAFETY: SQLite's own arguments.
        || if never { SQLITE_OK } else { unsafe { sync(file, flags) } },
        || (),
    );
    if let (Some(unsynced), Some(path), false) = (&mut unsynced, path, never) {
        unsynced.synced(path, result == SQLITE_OK);
    }
    result
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    piece: c_int,
    bytes: c_int,
    extend: c_int,
    mapped: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite maps only indexes of files that we have opened.
    let (theirs, _) = unsafe { unix_file(file) };
    let shm_map = theirs.xShmMap.expect("replaced only where there is one");
    // SAFETY: SQLite wants to be told by null that there is none.
    unsafe { *mapped = ptr::null_mut() };
    let whole = || {
        // SAFETY: SQLite's own arguments.
        unsafe { shm_map(file, piece, bytes, extend, mapped) }
    };
    operate(Kind::Shm, unsynced().as_deref_mut(), whole, || ())
}

unsafe extern "C" fn delete(_shim: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let unix = UNIX.load(Ordering::SeqCst);
    // SAFETY: the unix VFS lives for ever and has the function.
    let theirs = unsafe { (*unix).xDelete }.expect("the unix VFS deletes files");
    let sync_folder = if plan_of_this_process().never_sync { 0 } else { sync_folder };
    let mut unsynced = unsynced();
    // SAFETY: SQLite's own arguments.
    let whole = || unsafe { theirs(unix, name, sync_folder) };
    let result = operate(Kind::Delete, unsynced.as_deref_mut(), whole, || ());
    // SAFETY: SQLite's name of the file.
    if let (Some(unsynced), Some(path), SQLITE_OK) = (&mut unsynced, unsafe { path_of(name) }, result) {
        unsynced.deleted(&path);
    }
    result
}

/// The codes that the tests make operations fail with, by their names.
pub mod codes {
    pub use super::ffi::{
        SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_DELETE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ,
        SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
    };
}
