use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn told(content: &[u8]) -> String {
    parse(content).map_or_else(|wrong| format!("status.txt{wrong}"), |report| report.to_string())
}

#[test]
fn reads_what_people_write() {
    for content in [
        "123\n0\n1\n",
        "123\n0\n1",
        "123\r\n0\r\n1\r\n",
        "123\r\n0\r\n1",
        "123\n0\n1\n\n \t\n\r\n",
        " 123\t\n\t0\n1  \n",
        "\u{feff}123\r\n0\r\n1\r\n",
        "00123\n0\n1\n",
    ] {
        assert_eq!(told(content.as_bytes()), "123 0 1", "{content:?}");
    }
}

#[test]
fn says_where_and_why_it_refuses() {
    let id = "write a whole number from 0 to 9223372036854775807";
    for (content, expected) in [
        ("", format!(", line 1: the station id is missing; {id}")),
        ("\n123\n0\n1\n", format!(", line 1: the station id is missing; {id}")),
        ("-1\n0\n1\n", format!(", line 1: the station id is \"-1\"; {id}")),
        ("123 0 1\n", format!(", line 1: the station id is \"123 0 1\"; {id}")),
        ("123\r0\r1\r", format!(", line 1: the station id is \"123\\r0\\r1\"; {id}")),
        ("\0\0\0\0", format!(", line 1: the station id is \"\\0\\0\\0\\0\"; {id}")),
        ("9223372036854775808\n0\n1", format!(", line 1: the station id is \"9223372036854775808\"; {id}")),
        ("123", ", line 2: Alarm1 is missing; write 0 (off) or 1 (on)".to_owned()),
        ("123\n\n1\n", ", line 2: Alarm1 is missing; write 0 (off) or 1 (on)".to_owned()),
        ("123\nx\n1\n", ", line 2: Alarm1 is \"x\"; write 0 (off) or 1 (on)".to_owned()),
        ("123\n\u{a0}1\n1\n", ", line 2: Alarm1 is \"\\u{a0}1\"; write 0 (off) or 1 (on)".to_owned()),
        ("123\n0\n", ", line 3: Alarm2 is missing; write 0 (off) or 1 (on)".to_owned()),
        ("123\n0\n01\n", ", line 3: Alarm2 is \"01\"; write 0 (off) or 1 (on)".to_owned()),
        ("123\n0\n1\n\nnote\n", format!(", line 5: \"note\" is too much; {THREE_LINES}")),
    ] {
        assert_eq!(told(content.as_bytes()), format!("status.txt{expected}"), "{content:?}");
    }
}

#[test]
fn refuses_what_is_no_status_file_at_all() {
    assert!(told(b"\xFF\xFE1\x002\x003\x00").contains("UTF-16"));
    assert!(told(&[b' '; STATUS_BYTES_MAX + 1]).contains("more than 4096 bytes"));
    assert!(told(b"\x801\n0\n0\n").contains("line 1: the station id is \"\u{fffd}1\""));
    let long = told("x".repeat(100).as_bytes());
    assert!(long.contains(&format!("\"{}\"…;", "x".repeat(EXCERPT_CHARS_MAX))), "{long}");
}

#[test]
fn names_the_file_that_it_cannot_read() {
    let folder = TempDir::new().unwrap();
    let file = StatusFile { path: folder.path().join("status.txt"), stale_after: None };
    let Reading::Wrong(wrong) = file.read() else { panic!("nothing is there") };
    assert_eq!(wrong.to_string(), format!("{}: there is no such file; {THREE_LINES}", file.path.display()));
    fs::create_dir(&file.path).unwrap();
    let Reading::Wrong(wrong) = file.read() else { panic!("a folder is no file") };
    assert!(wrong.to_string().ends_with("status.txt: it is no file that can be read as text"), "{wrong}");
}

#[test]
fn only_a_file_that_is_old_enough_is_stale() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("status.txt");
    fs::write(&path, "123\n0\n1\n").unwrap();
    let fresh = Reading::Fresh(parse(b"123\n0\n1\n").unwrap());
    let minute = Duration::from_secs(60);
    let age = |age: Duration| {
        File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    };
    let with = |stale_after| StatusFile { path: path.clone(), stale_after }.read();
    age(2 * minute);
    assert_eq!(with(None), fresh);
    assert_eq!(with(Some(3 * minute)), fresh);
    assert_eq!(with(Some(minute)), Reading::Stale);
    File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() + minute).unwrap();
    assert_eq!(with(Some(minute)), fresh);
}

#[test]
fn a_wrong_file_is_looked_at_twice() {
    let wrong = || Reading::Wrong(WrongStatus { path: "status.txt".into(), wrong: parse(b"").unwrap_err() });
    let fresh = || Reading::Fresh(parse(b"123\n0\n1\n").unwrap());
    let look = |seen: Vec<Reading>| {
        let mut seen = seen.into_iter();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let reading = runtime.block_on(look_twice(|| seen.next().unwrap()));
        assert_eq!(seen.next(), None, "too few looks");
        reading
    };
    assert_eq!(look(vec![fresh()]), fresh());
    assert_eq!(look(vec![wrong(), fresh()]), fresh());
    assert_eq!(look(vec![wrong(), wrong()]), wrong());
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(content in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&content);
    }

    /// An editor at work: a piece of the file says nothing, or the same.
    #[test]
    fn a_piece_never_says_something_else(
        content in "(\u{feff})?[ \t]{0,2}[0-9]{1,19}[ \t]{0,2}\r?\n ?[01] ?\r?\n ?[01] ?\r?\n?[ \r\n]{0,3}",
    ) {
        if let Ok(whole) = parse(content.as_bytes()) {
            for end in 0..content.len() {
                if let Ok(piece) = parse(&content.as_bytes()[..end]) {
                    prop_assert_eq!(piece, whole);
                }
            }
        }
    }
}
