use std::path::PathBuf;

use jiff::tz::TimeZone;
use tempfile::TempDir;
use waterwatch_core::token::Right;

use super::*;
use crate::config::Limits;
use crate::store::lock::DataLock;
use crate::store::sqlite::SqliteStore;

fn database() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    (folder, data)
}

fn open(data: &Path) -> SqliteStore {
    let lock = DataLock::acquire(data).unwrap();
    SqliteStore::open(data, lock, TimeZone::UTC, Limits::default()).unwrap()
}

/// What a start makes of it: the tokens, and the one whose secret is in the file.
fn started(data: &Path) -> (Tokens, Option<Arc<Token>>) {
    let mut store = open(data);
    see_to_an_admin(&mut store, data, 1_000).unwrap();
    let tokens = store.tokens().unwrap().clone();
    let secret = file::read(data).unwrap();
    let token = secret.and_then(|secret| tokens.find(secret.reveal()));
    (tokens, token)
}

#[test]
fn the_first_start_gives_whoever_can_read_its_files_a_token_of_an_admin() {
    let (_folder, data) = database();
    let (tokens, token) = started(&data);
    let token = token.unwrap();
    assert_eq!((&*token.name, token.role, token.created_by.as_deref()), ("admin", Role::Admin, None));
    assert!(Right::ALL.iter().all(|right| token.rights.has(*right)));
    assert_eq!(tokens.len(), 1);
    let secret = file::read(&data).unwrap();
    let (tokens, again) = started(&data);
    assert_eq!((tokens.len(), again), (1, Some(token)), "the next start makes none");
    assert_eq!(file::read(&data).unwrap(), secret);
    let secret = secret.unwrap();
    for text in ["", "ww_", &secret.reveal()[..45], &format!("{} ", secret.reveal())] {
        assert_eq!(tokens.find(text), None, "{text}");
    }
    assert!(!std::fs::read(&data).unwrap().windows(46).any(|bytes| bytes == secret.reveal().as_bytes()));
}

/// Whatever a process that died left, the next start leaves a way in.
#[test]
fn a_process_that_dies_between_the_file_and_the_database_locks_nobody_out() {
    let (_folder, data) = database();
    drop(open(&data));
    let left = Secret::random().unwrap();
    file::write(&data, &left).unwrap();
    let (tokens, token) = started(&data);
    assert_eq!(token.unwrap().name, "admin".into());
    assert_eq!(tokens.find(left.reveal()), None);
}

#[test]
fn a_secret_that_cannot_be_put_into_its_file_is_made_by_a_later_start() {
    let (_folder, data) = database();
    let path = file::path(&data);
    std::fs::create_dir(&path).unwrap();
    let mut store = open(&data);
    see_to_an_admin(&mut store, &data, 1_000).unwrap();
    assert!(store.tokens().unwrap().is_empty(), "nobody has the secret of one");
    drop(store);
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(started(&data).1.unwrap().name, "admin".into());
}

/// A file that opens nothing is left alone as long as there is an admin: it may be
/// somebody's own.
#[test]
fn as_long_as_there_is_an_admin_the_file_is_nobodys_business() {
    let (_folder, data) = database();
    started(&data);
    for line in ["ww_none", "", Secret::random().unwrap().reveal()] {
        std::fs::write(file::path(&data), line).unwrap();
        let mut store = open(&data);
        see_to_an_admin(&mut store, &data, 2_000).unwrap();
        assert_eq!(store.tokens().unwrap().len(), 1);
        assert_eq!(std::fs::read_to_string(file::path(&data)).unwrap(), line);
    }
}

/// Such as one who edited the table: the name is not given again.
#[test]
fn where_no_admin_is_left_another_one_is_made() {
    let (_folder, data) = database();
    started(&data);
    let sql = "UPDATE token SET revoked_at = 5, revoked_by = 'Ana'";
    rusqlite::Connection::open(&data).unwrap().execute(sql, []).unwrap();
    let (tokens, token) = started(&data);
    assert_eq!((token.unwrap().name.clone(), tokens.len()), ("admin-2".into(), 2));
}
