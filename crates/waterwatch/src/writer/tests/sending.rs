//! Silent stations whose lines are refused, turn by turn under virtual time.

use waterwatch_core::wire;

use super::turns::{NOTHING, Turns, turns};
use super::*;
use crate::refused::Refused;
use crate::writer::simulation::disk::Fault;

const WHY: &str = "sending, but refused: alarm1 is \"2\"; send 0 (off) or 1 (on)";

fn hearing() -> (Turns, Arc<Refused>) {
    let mut turns = turns();
    let refused = Arc::new(Refused::default());
    turns.recorder.watch.listen_to(Arc::clone(&refused));
    (turns, refused)
}

fn refuse(refused: &Refused, line: &str) {
    let refusal = wire::parse(line.as_bytes()).unwrap_err();
    refused.note(wire::station_of(line.as_bytes()), line.as_bytes(), Origin::default(), refusal);
}

#[test]
fn a_station_that_is_refused_until_it_is_silent_is_raised_with_the_reason() {
    let (mut turns, refused) = hearing();
    turns.pass(1, &["1 0 0", "2 0 0"]);
    for _ in 0..2 {
        refuse(&refused, "1 2 0");
        assert_eq!(turns.pass(60, &["2 0 0"]), NOTHING, "it is not silent yet");
    }
    refuse(&refused, "2 2 0");
    assert_eq!(turns.pass(60, &["2 0 0"]), NOTHING);
    assert_eq!(turns.pass(1, &[]), [format!("1 comms raised, {WHY}")]);
    refuse(&refused, "1 2 0");
    assert_eq!(turns.pass(30, &["2 0 0"]), NOTHING, "it is told");
    // What was refused before its last report is no reason.
    assert_eq!(turns.pass(181, &[]), ["2 comms raised"]);
}

#[test]
fn a_silent_station_that_begins_to_be_refused_is_told_once_a_silence() {
    let (mut turns, refused) = hearing();
    for _ in 0..2 {
        turns.pass(1, &["1 0 0"]);
        assert_eq!(turns.pass(182, &[]), ["1 comms raised"]);
        refuse(&refused, "1 2 0");
        refuse(&refused, "7 2 0");
        refuse(&refused, "1 2 0");
        assert_eq!(turns.pass(1, &[]), [format!("1 comms sending_refused, {WHY}")]);
        refuse(&refused, "1 2 0");
        assert_eq!(turns.pass(300, &[]), NOTHING);
        assert_eq!(turns.pass(1, &["1 0 0"]), ["1 comms returned"]);
    }
}

#[test]
fn what_is_not_stored_is_told_once_it_is() {
    for fault in [Fault::Full, Fault::Unknown(false)] {
        let (mut turns, refused) = hearing();
        turns.pass(1, &["1 0 0"]);
        assert_eq!(turns.pass(182, &[]), ["1 comms raised"]);
        refuse(&refused, "1 2 0");
        turns.fail(fault);
        let mut told = turns.pass(1, &[]);
        turns.fail(Fault::None);
        told.extend(turns.pass(2, &[]));
        told.retain(|told| told.starts_with("1 "));
        assert_eq!(told, [format!("1 comms sending_refused, {WHY}")], "{fault:?}");
    }
}
