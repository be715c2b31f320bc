//! What is written, and what holds, input by input.

use super::*;

const NOW_MS: i64 = 1_000_000_000;
const HOUR_MS: i64 = 3_600_000;

/// A station of which each input is told.
#[derive(Default)]
struct Told {
    life: Option<StationLife>,
    sequence: i64,
}

impl Told {
    /// What is written of it.
    fn step(&mut self, now_ms: i64, input: Input<'_>) -> Result<Vec<String>, Rejected> {
        let moment =
            Moment { station: StationId::MAX, now_ms, origin: Origin::default(), cause: Some(self.sequence) };
        let mut events = Vec::new();
        let mut ledger = Ledger { sequence: &mut self.sequence, events: &mut events };
        let stepped = StationLife::step(self.life.as_ref(), input, &moment, &mut ledger);
        assert!(stepped.is_ok() || events.is_empty(), "one that is rejected writes nothing");
        self.life = stepped?;
        let say = |event: &alarm::Event| {
            assert_eq!((event.point, event.from, event.to), (None, None, None));
            let by = event.by.as_deref().map_or(String::new(), |by| format!(" by {by}"));
            let why = event.reason.as_deref().map_or(String::new(), |why| format!(", {why}"));
            format!("{}{by}{why}", event.kind)
        };
        Ok(events.iter().map(say).collect())
    }

    fn visits(&mut self, now_ms: i64, until_ms: i64, by: &str) -> Result<Vec<String>, Rejected> {
        self.step(now_ms, Input::BeginVisit { until_ms, by, reason: Some("a pump") })
    }
}

#[test]
fn a_visit_ends_by_a_word_or_by_its_time() {
    let mut told = Told::default();
    assert_eq!(told.step(NOW_MS, Input::EndVisit { by: "Ana" }), Err(Rejected::NotVisited));
    assert_eq!(told.visits(NOW_MS, NOW_MS + HOUR_MS, "Ana").unwrap(), ["visit_began by Ana, a pump"]);
    assert_eq!(told.step(NOW_MS + 1, Input::EndVisit { by: "Ben" }).unwrap(), ["visit_ended by Ben"]);
    assert_eq!(told.life, None);
    told.visits(NOW_MS, NOW_MS + HOUR_MS, "Ana").unwrap();
    assert_eq!(told.life.as_ref().unwrap().due_ms(), Some(NOW_MS + HOUR_MS));
    assert_eq!(told.step(NOW_MS + HOUR_MS - 1, Input::Time).unwrap().len(), 0);
    // Whatever comes first after its time.
    assert_eq!(told.step(NOW_MS + HOUR_MS, Input::Heard).unwrap(), ["visit_ended, the time of Ana was over"]);
    assert_eq!(told.life, None);
}

#[test]
fn a_visit_is_said_anew_and_taken_over() {
    let mut told = Told::default();
    told.visits(NOW_MS, NOW_MS + HOUR_MS, "Ana").unwrap();
    assert_eq!(told.visits(NOW_MS + 5, NOW_MS + HOUR_MS, "Ana").unwrap().len(), 0, "said twice");
    assert_eq!(told.visits(NOW_MS + 5, NOW_MS + 2 * HOUR_MS, "Ana").unwrap().len(), 1);
    assert_eq!(told.life.as_ref().unwrap().visit.as_ref().unwrap().since_ms, NOW_MS);
    assert_eq!(
        told.visits(NOW_MS + 9, NOW_MS + HOUR_MS, "Ben").unwrap(),
        ["visit_ended by Ben, somebody else is there now", "visit_began by Ben, a pump"]
    );
    let longest_ms = Visit::LONGEST_MS;
    assert_eq!(told.visits(NOW_MS, NOW_MS, "Ben"), Err(Rejected::EndHasPassed));
    assert_eq!(
        told.visits(NOW_MS, NOW_MS + longest_ms + 1, "Ben"),
        Err(Rejected::EndTooFar { max_ms: longest_ms })
    );
    assert!(told.visits(NOW_MS, NOW_MS + longest_ms, "Ben").is_ok());
}

#[test]
fn a_station_is_retired_until_it_is_heard() {
    let mut told = Told::default();
    told.visits(NOW_MS, NOW_MS + HOUR_MS, "Ana").unwrap();
    let retire = |by| Input::Retire { by, reason: "sold" };
    assert_eq!(
        told.step(NOW_MS, retire("Ben")).unwrap(),
        ["visit_ended by Ben, the station is retired", "retired by Ben, sold"]
    );
    let rejected = Rejected::AlreadyRetired { by: "Ben".into(), at_ms: NOW_MS };
    assert_eq!(told.step(NOW_MS + 1, retire("Ada")), Err(rejected));
    assert_eq!(told.step(NOW_MS + 1, Input::Time).unwrap().len(), 0);
    assert_eq!(
        told.step(NOW_MS + 2, Input::Heard).unwrap(),
        ["retirement_ended, heard again after it was retired"]
    );
    assert_eq!(told.life, None);
    told.step(NOW_MS + 3, retire("Ben")).unwrap();
    let end = |by| Input::EndRetirement { by };
    assert_eq!(told.step(NOW_MS + 4, end(" ")), Err(Rejected::Missing("a name")));
    assert_eq!(told.step(NOW_MS + 4, end("Ana")).unwrap(), ["retirement_ended by Ana"]);
    assert_eq!(told.life, None);
    assert_eq!(told.step(NOW_MS, retire(" ")), Err(Rejected::Missing("a name")));
}

#[test]
fn of_a_station_that_is_forgotten_nothing_is_kept() {
    let mut told = Told::default();
    assert_eq!(told.step(NOW_MS, Input::Forget { by: "Ben" }).unwrap(), ["forgotten by Ben"]);
    told.visits(NOW_MS, NOW_MS + HOUR_MS, "Ana").unwrap();
    assert_eq!(told.step(NOW_MS, Input::Forget { by: "" }), Err(Rejected::Missing("a name")));
    let told_of_both = ["visit_ended by Ben, the station is forgotten", "forgotten by Ben"];
    assert_eq!(told.step(NOW_MS, Input::Forget { by: "Ben" }).unwrap(), told_of_both);
    assert_eq!(told.life, None);
    told.step(NOW_MS, Input::Retire { by: "Ben", reason: "sold" }).unwrap();
    assert_eq!(told.step(NOW_MS, Input::Forget { by: "Ada" }).unwrap(), ["forgotten by Ada"]);
    assert_eq!(told.life, None);
}

#[test]
fn the_remark_on_a_visit_can_be_told_from_the_reason() {
    let visit = Visit { since_ms: 0, until_ms: 1, by: "Ana, of the night shift".into(), reason: None };
    for reason in [None, Some("on already")] {
        let whole = with_remark(reason, &visit);
        assert_eq!(without_remark(&whole), (reason, Some(&*visit.remark())));
    }
    assert_eq!(without_remark("sold"), (Some("sold"), None));
}
