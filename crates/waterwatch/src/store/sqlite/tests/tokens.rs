//! Tokens, and what is told of them while no server runs.

use waterwatch_core::token::{Digest, Rights, Role};

use super::*;
use crate::store::Tokens;
use crate::store::lock::InUse;
use crate::store::stopped;
use crate::writer::{NewToken, add_token, revoke_token};

fn add(store: &mut SqliteStore, name: &str, number: u8, at_ms: i64) {
    let new = NewToken { name, role: Role::Admin, rights: Rights::ALL, digest: Digest([number; 32]) };
    add_token(store, &new, Some("user root"), at_ms).unwrap().unwrap();
}

fn known(store: &SqliteStore) -> Tokens {
    store.tokens().unwrap().clone()
}

#[test]
fn copies_follow_commits_and_reopenings() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let copy = known(&store);
    add(&mut store, "Ana", 1, BEGAN_MS);
    add(&mut store, "Ben", 2, BEGAN_MS);
    assert!(copy.valid(&Digest([1; 32])).is_some());
    revoke_token(&mut store, "Ana", "Ben", BEGAN_MS + 1).unwrap().unwrap();
    assert_eq!((copy.valid(&Digest([1; 32])), copy.admins()), (None, vec!["Ben".into()]));
    // Somebody else's hand, which a reopening sees.
    let database = Connection::open(folder.path().join("data.sqlite")).unwrap();
    database.execute("UPDATE token SET revoked_at = 5, revoked_by = 'Ana' WHERE name = 'Ben'", []).unwrap();
    let before = copy.all();
    store.reopen().unwrap();
    assert!(copy.admins().is_empty());
    assert_eq!(copy.all()[0], before[0], "all of it is read again");
    drop(store);
    let store = open(folder.path());
    assert_eq!((known(&store).all(), store.sequence()), (copy.all(), 3));
}

/// Time in which no server ran is time in which nobody was heard, whatever somebody
/// does to the tokens meanwhile.
#[test]
fn what_is_done_to_tokens_is_no_sign_of_a_server_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true)])).unwrap();
    let sequence = store.sequence();
    drop(store);
    let later_ms = BEGAN_MS + 3_600_000;
    for number in [1, 2] {
        let mut store = stopped::open(&path).unwrap();
        assert_eq!(store.alive_until_ms(), Some(BEGAN_MS));
        add(&mut store, &number.to_string(), number, later_ms);
        assert_eq!(store.alive_until_ms(), Some(BEGAN_MS));
    }
    let mut store = open(folder.path());
    assert_eq!((store.alive_until_ms(), store.sequence()), (Some(BEGAN_MS), sequence + 2));
    // The next that is heard has its place after them.
    store.commit(&batch(&store, Form::Direct, later_ms + 1, &[(1, false)])).unwrap();
    assert_eq!(store.alive_until_ms(), Some(later_ms + 1));
    // Also if the clock was set back meanwhile: the newest says how late it is.
    add(&mut store, "3", 3, later_ms - 1_000);
    assert_eq!(store.alive_until_ms(), Some(later_ms + 1));
    drop(store);
    assert_eq!(open(folder.path()).alive_until_ms(), Some(later_ms + 1));
}

#[test]
fn a_stopped_servers_database_is_opened_as_it_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let refused = |wanted: &str| {
        let error = format!("{:#}", stopped::open(&path).unwrap_err());
        assert!(error.contains(wanted), "{error}");
    };
    refused("there is no database at ");
    assert!(!folder.path().join("data.sqlite.lock").exists(), "nothing is made");
    let contract = "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date TEXT,
        alarm1 INTEGER, alarm2 INTEGER)";
    Connection::open(&path).unwrap().execute_batch(contract).unwrap();
    refused("no waterwatch has used");
    std::fs::remove_file(&path).unwrap();
    let zone = TimeZone::get("Asia/Kathmandu").unwrap();
    let lock = DataLock::acquire(&path).unwrap();
    let store = SqliteStore::open(&path, lock, zone.clone(), Limits::default()).unwrap();
    let error = stopped::open(&path).unwrap_err();
    assert!(error.downcast_ref::<InUse>().is_some(), "{error:#}");
    drop(store);
    let mut store = stopped::open(&path).unwrap();
    add(&mut store, "Ana", 1, BEGAN_MS);
    drop(store);
    let recorded = schema::time_zone(&Connection::open(&path).unwrap()).unwrap();
    assert_eq!(recorded, Some(zone), "the server's, and not this machine's");
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 4").unwrap();
    refused("was written by an older waterwatch");
}
