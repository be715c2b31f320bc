//! Raise, acknowledge, return.

use super::plays;

#[test]
fn a_first_report_that_is_on_raises() {
    plays(
        "02:10 contact on          | raised; unacknowledged #1
         02:11 contact on          | nothing; unacknowledged #1
         02:14 Ann acknowledges    | acknowledged by Ann; acknowledged #1
         02:40 contact off         | returned; normal",
    );
}

#[test]
fn a_first_report_that_is_off_is_nothing() {
    plays("02:10 contact off | nothing; normal");
}

#[test]
fn high_and_critical_wait_for_their_acknowledgement_however_long() {
    for priority in ["high", "critical"] {
        plays(&format!(
            "given {priority}
             02:10 contact on          | raised; unacknowledged #1
             02:40 contact off         | returned; rtn_unacknowledged #1
             99:00 contact off         | nothing; rtn_unacknowledged #1
             999:00 time passes        | nothing; rtn_unacknowledged #1
             999:01 Ann acknowledges   | acknowledged by Ann; normal"
        ));
    }
}

#[test]
fn medium_low_and_comms_clear_as_they_return() {
    for point in ["medium", "low", "comms"] {
        plays(&format!(
            "given {point}
             02:10 contact on          | raised; unacknowledged #1
             02:40 contact off         | returned; normal
             02:50 contact on          | raised; unacknowledged #2"
        ));
    }
}

#[test]
fn rising_again_before_the_acknowledgement_continues_the_occurrence() {
    plays(
        "02:10 contact on          | raised; unacknowledged #1
         02:20 contact off         | returned; rtn_unacknowledged #1
         02:30 contact on          | raised again [2 raises]; unacknowledged #1
         02:40 contact off         | returned; rtn_unacknowledged #1
         02:50 contact on          | raised again [3 raises]; unacknowledged #1",
    );
}

#[test]
fn rising_after_the_acknowledgement_is_a_new_occurrence() {
    plays(
        "02:10 contact on          | raised; unacknowledged #1
         02:20 contact off         | returned; rtn_unacknowledged #1
         02:25 Ann acknowledges    | acknowledged by Ann; normal
         02:30 contact on          | raised; unacknowledged #2
         02:35 Ann acknowledges    | acknowledged by Ann; acknowledged #2
         02:40 contact off         | returned; normal
         02:50 contact on          | raised; unacknowledged #3",
    );
}

#[test]
fn an_acknowledgement_names_its_occurrence() {
    plays(
        "02:10 contact on           | raised; unacknowledged #1
         02:20 contact off          | returned; rtn_unacknowledged #1
         02:21 Ann acknowledges #1  | acknowledged by Ann; normal
         02:22 Ben acknowledges #1  | refused: occurrence #1 is not open: none is open now
         02:30 contact on           | raised; unacknowledged #2
         02:31 Ben acknowledges #1  | refused: occurrence #1 is not open: the one that is open is #2
         02:32 Ben acknowledges #2  | acknowledged by Ben; acknowledged #2
         02:33 Ann acknowledges #2  | refused: Ben has acknowledged it already",
    );
}

#[test]
fn what_stays_on_after_its_acknowledgement_asks_again() {
    for (priority, last, due) in [("critical", "03:13", "03:14"), ("high", "06:13", "06:14")] {
        plays(&format!(
            "given {priority}
             02:10 contact on          | raised; unacknowledged #1
             02:14 Ann acknowledges    | acknowledged by Ann; acknowledged #1
             {last} time passes        | nothing; acknowledged #1
             {due} time passes         | realarmed; unacknowledged #1
             50:00 time passes         | nothing; unacknowledged #1
             50:01 Ben acknowledges    | acknowledged by Ben; acknowledged #1
             50:02 contact off         | returned; normal
             99:00 time passes         | nothing; normal"
        ));
    }
    plays(
        "given medium
         02:10 contact on          | raised; unacknowledged #1
         02:14 Ann acknowledges    | acknowledged by Ann; acknowledged #1
         999:00 time passes        | nothing; acknowledged #1",
    );
    plays(
        "given medium, re-alarm after 10 min
         02:10 contact on          | raised; unacknowledged #1
         02:14 Ann acknowledges    | acknowledged by Ann; acknowledged #1
         02:24 time passes         | realarmed; unacknowledged #1",
    );
}

#[test]
fn nothing_asks_again_after_no_time_at_all() {
    plays(
        "given high, re-alarm after 0 min
         02:10 contact on          | raised; unacknowledged #1
         02:14 Ann acknowledges    | acknowledged by Ann; acknowledged #1
         999:00 time passes        | nothing; acknowledged #1",
    );
}

#[test]
fn a_delay_that_runs_keeps_its_end_when_settings_change() {
    plays(
        "given high, re-alarm after 60 min
         02:10 contact on          | raised; unacknowledged #1
         02:14 Ann acknowledges    | acknowledged by Ann; acknowledged #1
         given low
         03:13 time passes         | nothing; acknowledged #1
         03:14 time passes         | realarmed; unacknowledged #1",
    );
    // What waits for somebody goes on waiting; the next does not.
    plays(
        "given high
         02:10 contact on          | raised; unacknowledged #1
         02:20 contact off         | returned; rtn_unacknowledged #1
         given low
         02:30 contact off         | nothing; rtn_unacknowledged #1
         02:31 Ann acknowledges    | acknowledged by Ann; normal
         02:40 contact on          | raised; unacknowledged #2
         02:50 contact off         | returned; normal",
    );
}

#[test]
fn what_is_due_happens_before_whatever_comes_later() {
    // Nobody looked for a day, and the first to come is the report that it is
    // off, or somebody who still has the occurrence on the screen.
    plays(
        "given critical
         02:10 contact on          | raised; unacknowledged #1
         02:14 Ann acknowledges    | acknowledged by Ann; acknowledged #1
         26:14 contact off         | realarmed, returned; rtn_unacknowledged #1",
    );
    plays(
        "02:10 contact on                           | raised; unacknowledged #1
         02:11 Ann shelves until 03:00: pump away   | shelved by Ann until 03:00 (pump away); shelved
         26:14 Ben unshelves                        | refused: it is not shelved
         26:15 Ben acknowledges #1                  | refused: occurrence #1 is not open: none is open now
         26:16 time passes                          | shelf expired [was on 02:10–], raised; unacknowledged #2",
    );
}

#[test]
fn retiring_closes_whatever_is_open_and_a_later_report_raises() {
    plays(
        "02:10 contact on                           | raised; unacknowledged #1
         02:20 Ann retires: station sold            | retired by Ann (station sold); normal
         02:21 Ann retires: station sold            | nothing; normal
         02:30 contact on                           | raised; unacknowledged #2
         02:31 Ann shelves until 03:00: pump away   | shelved by Ann until 03:00 (pump away); shelved
         02:40 Ann retires: station sold            | retired by Ann (station sold) [was on 02:30–]; normal
         99:00 time passes                          | nothing; normal
         99:01 Ann retires:                         | refused: a reason is missing",
    );
    // That it was raised of late is nothing to close.
    plays(
        "given low
         02:10 contact on                | raised; unacknowledged #1
         02:11 contact off               | returned; normal
         02:12 Ann retires: station sold | nothing; normal",
    );
}

/// Who settles that a point is not judged wants nothing of it, whatever was
/// open.
#[test]
fn a_point_that_is_disabled_is_closed_and_raises_nothing() {
    plays(
        "02:10 contact on      | raised; unacknowledged #1
         given disabled
         02:11 time passes     | disabled; normal
         02:12 contact on      | nothing; normal
         02:13 contact off     | nothing; normal
         02:13 Ann shelves until 02:40: pump away | refused: its point is disabled: it is not judged
         02:13 Ann takes out of service until 02:40: pump away | refused: its point is disabled: it is not judged
         given enabled
         02:14 contact on      | raised; unacknowledged #2
         02:15 Ann shelves until 02:30: pump away  | shelved by Ann until 02:30 (pump away); shelved
         given disabled
         02:16 time passes     | disabled [was on 02:14–]; normal",
    );
    // An on-delay that has run out since does not raise it.
    plays(
        "given high, on-delay 60 s
         02:10 contact on      | on delay started until 02:11; normal
         given disabled
         02:12 contact off     | disabled; normal",
    );
}
