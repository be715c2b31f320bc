//! What becomes of a server that makes a mistake in what it shows: nothing that may be
//! wrong is shown, all of it is shown again, and what fails for good ends it for its
//! supervisor. Meanwhile stations are heard.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::sse::Stream;
use crate::api::Api;
use crate::harness::{Server, wait_for};
use crate::ledger::ledger;

/// How long what fails for good may take to its end: a minute, and its turns.
const END_WITHIN: Duration = Duration::from_secs(90);

/// A server that makes the mistakes that are put into a folder.
struct Clumsy {
    server: Server,
    api: Api,
    mistakes: TempDir,
    _folder: TempDir,
}

impl Clumsy {
    fn start() -> Clumsy {
        let (folder, mistakes) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let server = Server::start_with(folder.path(), &[], |command| {
            command.env("WATERWATCH_MISTAKES", mistakes.path());
        });
        let api = server.api();
        let clumsy = Clumsy { server, api, mistakes, _folder: folder };
        wait_for("the lists", || (clumsy.lists() == 200).then_some(()));
        clumsy
    }

    /// This mistake is made by whoever comes by next.
    fn wants(&self, mistake: &str) {
        fs::write(self.mistakes.path().join(mistake), "").unwrap();
    }

    fn is_made(&self, mistake: &str) -> bool {
        !self.mistakes.path().join(mistake).exists()
    }

    /// A station alarms, which it is told is recorded.
    fn alarm(&self, id: i64) {
        assert_eq!(self.server.say(format!("{id} 1 0\n").as_bytes()), "OK\n");
    }

    fn lists(&self) -> u16 {
        self.api.get("/api/v1/alarms").status
    }

    fn failures(&self, by: &str) -> Option<f64> {
        self.api.metric(&format!("waterwatch_shown_failures_total{{by=\"{by}\"}}"))
    }

    /// It ends by itself, with 1 and these words; stations are heard until then, and
    /// `meanwhile` is done.
    fn ends(mut self, why: &str, mut meanwhile: impl FnMut(&Clumsy)) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.server.running.ended() {
                break status;
            }
            assert!(began.elapsed() < END_WITHIN, "it goes on:\n{}", self.server.running.logged());
            meanwhile(&self);
            thread::sleep(Duration::from_millis(20));
        };
        self.server.running.wait();
        let logged = self.server.running.logged();
        assert_eq!(status.code(), Some(1), "{logged}");
        assert!(logged.contains(why), "{logged}");
    }
}

#[test]
fn a_feed_that_panics_goes_on_where_it_was() {
    let clumsy = Clumsy::start();
    let mut stream = Stream::open(&clumsy.server, "", None);
    let first = stream.last_id.unwrap();
    let mut sent: Vec<i64> = Vec::new();
    for id in 1..=3 {
        clumsy.wants("feed-panics");
        clumsy.alarm(id);
        clumsy.alarm(10 + id);
        loop {
            let next = stream.next().expect("the stream goes on");
            sent.push(next.id);
            if next.data["station_id"] == 10 + id {
                break;
            }
        }
        assert!(clumsy.is_made("feed-panics"));
    }
    let recorded = ledger(&clumsy.server.data);
    let recorded = recorded.iter().map(|entry| entry.sequence).filter(|sequence| *sequence > first);
    assert_eq!(sent, recorded.collect::<Vec<_>>(), "without gap or repetition");
    assert_eq!(clumsy.failures("streams"), Some(3.0));
    assert_eq!(clumsy.lists(), 200);
    clumsy.server.running.wait_for_log("the feed of the ledger failed");
    clumsy.server.stop();
}

#[test]
fn lists_that_fail_are_refused_and_made_anew() {
    let clumsy = Clumsy::start();
    for id in 1..=2 {
        clumsy.wants("follower-panics");
        clumsy.alarm(id);
        let refused = wait_for("the lists to be refused", || {
            let answer = clumsy.api.get("/api/v1/alarms");
            (answer.status != 200).then_some(answer)
        });
        assert!(refused.problem(503).contains("failed by a mistake of the server"), "{}", refused.body);
        wait_for("the lists", || (clumsy.lists() == 200).then_some(()));
        let alarms = clumsy.api.get("/api/v1/alarms").ok()["alarms"].clone();
        assert_eq!(alarms.as_array().unwrap().len(), usize::try_from(id).unwrap(), "{alarms}");
    }
    assert_eq!(clumsy.failures("lists"), Some(2.0));
    clumsy.server.stop();
}

/// Both at once, since each takes its time.
#[test]
fn lists_that_fail_for_good_or_hang_end_the_server() {
    let failing = thread::spawn(|| {
        let clumsy = Clumsy::start();
        clumsy.wants("follower-panics");
        clumsy.alarm(1);
        let mut made = 0;
        clumsy.ends("what is shown could not be made anew after 8 failures", |clumsy| {
            if clumsy.is_made("follower-panics") {
                clumsy.wants("follower-panics");
                made += 1;
                // Long before its end: then nobody is heard any more.
                if made == 2 {
                    assert_eq!(clumsy.lists(), 503);
                    clumsy.alarm(2);
                }
            }
        });
        assert!((7..=8).contains(&made), "{made}");
    });
    let hanging = thread::spawn(|| {
        let clumsy = Clumsy::start();
        let mut stream = Stream::open(&clumsy.server, "", None);
        clumsy.wants("follower-hangs");
        clumsy.alarm(1);
        wait_for("the follower to hang", || clumsy.is_made("follower-hangs").then_some(()));
        let refused = wait_for("the lists to be refused", || {
            let answer = clumsy.api.get("/api/v1/alarms");
            (answer.status != 200).then_some(answer)
        });
        assert!(refused.problem(503).contains("behind what is recorded"), "{}", refused.body);
        assert!(stream.next().is_none(), "what is not known to be all is not gone on with");
        clumsy.api.get("/readyz").problem(503);
        // Those that matter more go on.
        clumsy.alarm(2);
        assert_eq!(clumsy.api.get("/api/v1/alarms/2/alarm1").ok()["state"], "unacknowledged");
        clumsy.ends("what is shown hangs", |_| ());
    });
    failing.join().unwrap();
    hanging.join().unwrap();
}
