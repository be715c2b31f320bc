//! On-delay and off-delay.

use super::plays;

#[test]
fn an_on_delay_runs_from_the_first_on_and_fires_without_a_further_report() {
    plays(
        "given high, on-delay 60 s
         02:10:00 contact on     | on delay started until 02:11; normal
         02:10:30 contact on     | nothing; normal
         02:10:59 time passes    | nothing; normal
         02:11:00 time passes    | raised; unacknowledged #1",
    );
}

#[test]
fn only_a_report_that_is_off_cancels_an_on_delay() {
    plays(
        "given high, on-delay 60 s
         02:10:00 contact on     | on delay started until 02:11; normal
         02:10:59 contact off    | on delay cancelled; normal
         02:11:30 time passes    | nothing; normal
         02:12:00 contact on     | on delay started until 02:13; normal
         26:00:00 time passes    | raised; unacknowledged #1",
    );
}

#[test]
fn an_off_report_does_not_cancel_an_on_delay_that_is_over() {
    plays(
        "given high, on-delay 60 s
         02:10:00 contact on     | on delay started until 02:11; normal
         02:11:00 contact off    | raised, returned; rtn_unacknowledged #1",
    );
}

#[test]
fn acknowledging_while_an_on_delay_runs_ends_the_occurrence_before() {
    plays(
        "given high, on-delay 60 s
         02:10 contact on        | on delay started until 02:11; normal
         02:11 time passes       | raised; unacknowledged #1
         02:12 contact off       | returned; rtn_unacknowledged #1
         02:13 contact on        | on delay started until 02:14; rtn_unacknowledged #1
         02:13:30 Ann acknowledges | acknowledged by Ann; normal
         02:14 time passes       | raised; unacknowledged #2
         02:15 contact off       | returned; rtn_unacknowledged #2
         02:16 contact on        | on delay started until 02:17; rtn_unacknowledged #2
         02:17 time passes       | raised again [2 raises]; unacknowledged #2",
    );
}

#[test]
fn an_off_delay_is_over_only_with_a_report() {
    plays(
        "given medium, off-delay 60 s
         02:10:00 contact on     | raised; unacknowledged #1
         02:12:00 contact off    | off delay started until 02:13; unacknowledged #1
         02:12:59 contact off    | nothing; unacknowledged #1
         26:00:00 time passes    | nothing; unacknowledged #1
         26:00:01 contact off    | returned; normal",
    );
}

#[test]
fn on_again_within_the_off_delay_has_never_returned() {
    plays(
        "given high, off-delay 60 s
         02:10:00 contact on        | raised; unacknowledged #1
         02:12:00 contact off       | off delay started until 02:13; unacknowledged #1
         02:12:30 contact on        | off delay cancelled; unacknowledged #1
         02:20:00 contact off       | off delay started until 02:21; unacknowledged #1
         02:20:10 Ann acknowledges  | acknowledged by Ann; acknowledged #1
         02:20:20 contact on        | off delay cancelled; acknowledged #1
         02:30:00 contact off       | off delay started until 02:31; acknowledged #1
         02:31:00 contact off       | returned; normal",
    );
}

#[test]
fn what_has_not_returned_asks_again_also_while_its_off_delay_runs() {
    plays(
        "given critical, off-delay 10 min
         02:10 contact on        | raised; unacknowledged #1
         02:11 Ann acknowledges  | acknowledged by Ann; acknowledged #1
         03:10 contact off       | off delay started until 03:20; acknowledged #1
         03:11 time passes       | realarmed; unacknowledged #1
         03:20 contact off       | returned; rtn_unacknowledged #1",
    );
}

#[test]
fn a_clock_that_jumps_takes_delays_along_and_leaves_ends_on_the_wall() {
    plays(
        "given critical, on-delay 60 s
         02:10:00 contact on               | on delay started until 02:11; normal
         01:10:30 clock jumps -1 h         | nothing; normal
         01:10:59 time passes              | nothing; normal
         01:11:00 time passes              | raised; unacknowledged #1
         01:12:00 Ann acknowledges         | acknowledged by Ann; acknowledged #1
         02:13:00 clock jumps 1 h          | nothing; acknowledged #1
         03:11:59 time passes              | nothing; acknowledged #1
         03:12:00 time passes              | realarmed; unacknowledged #1",
    );
    plays(
        "02:10 Ann shelves until 03:00: pump away  | shelved by Ann until 03:00 (pump away); shelved
         02:50 clock jumps 30 min                  | nothing; shelved
         02:50 time passes                         | shelf expiring; shelved
         03:00 time passes                         | shelf expired; normal",
    );
    plays(
        "given high, off-delay 60 s
         02:10:00 contact on               | raised; unacknowledged #1
         02:11:00 contact off              | off delay started until 02:12; unacknowledged #1
         03:11:30 clock jumps 1 h          | nothing; unacknowledged #1
         03:11:59 contact off              | nothing; unacknowledged #1
         03:12:00 contact off              | returned; rtn_unacknowledged #1",
    );
}
