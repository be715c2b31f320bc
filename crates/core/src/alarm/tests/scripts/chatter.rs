//! An alarm that comes and goes too often.

use super::plays;

#[test]
fn more_raises_than_n_in_m_minutes_are_one_occurrence_and_the_first_is_told_at_once() {
    plays(
        "given high, more than 2 raises in 15 min
         02:00 contact on       | raised; unacknowledged #1
         02:01 contact off      | returned; rtn_unacknowledged #1
         02:02 contact on       | raised again [2 raises]; unacknowledged #1
         02:03 contact off      | returned; rtn_unacknowledged #1
         02:04 contact on       | raised again [3 raises], chatter started [3 raises]; unacknowledged #1
         02:05 contact off      | nothing; unacknowledged #1
         02:06 contact on       | nothing; unacknowledged #1
         02:07 contact off      | nothing; unacknowledged #1
         02:22 contact off      | chatter calmed [4 raises]; rtn_unacknowledged #1",
    );
}

#[test]
fn acknowledging_each_time_does_not_hide_that_it_chatters() {
    plays(
        "given high, more than 1 raises in 15 min
         02:00 contact on        | raised; unacknowledged #1
         02:01 Ann acknowledges  | acknowledged by Ann; acknowledged #1
         02:02 contact off       | returned; normal
         02:03 contact on        | raised, chatter started [2 raises]; unacknowledged #2
         02:04 contact off       | nothing; unacknowledged #2
         02:05 Ann acknowledges  | acknowledged by Ann; acknowledged #2
         02:06 contact on        | nothing; acknowledged #2
         02:07 contact off       | nothing; acknowledged #2
         02:22 contact off       | chatter calmed [3 raises]; normal
         02:23 contact on        | raised; unacknowledged #3",
    );
}

#[test]
fn raises_that_are_far_enough_apart_are_not_chatter() {
    plays(
        "given low, more than 1 raises in 15 min
         02:00 contact on       | raised; unacknowledged #1
         02:01 contact off      | returned; normal
         02:15 contact on       | raised; unacknowledged #2
         02:16 contact off      | returned; normal
         02:29:59 contact on    | raised, chatter started [2 raises]; unacknowledged #3",
    );
}

#[test]
fn a_raise_counts_for_less_than_the_window() {
    plays(
        "given low, more than 2 raises in 15 min
         02:00 contact on       | raised; unacknowledged #1
         02:01 contact off      | returned; normal
         02:05 contact on       | raised; unacknowledged #2
         02:06 contact off      | returned; normal
         02:15 contact on       | raised; unacknowledged #3
         02:16 contact off      | returned; normal
         02:19:59 contact on    | raised, chatter started [3 raises]; unacknowledged #4",
    );
}

#[test]
fn a_clock_that_jumps_takes_chatter_along() {
    plays(
        "given low, more than 1 raises in 15 min, stuck after 3 min
         02:00 contact on            | raised; unacknowledged #1
         02:01 contact off           | returned; normal
         03:05 clock jumps 1 h       | nothing; normal
         03:06 contact on            | raised, chatter started [2 raises]; unacknowledged #2
         02:07 clock jumps -1 h      | nothing; unacknowledged #2
         02:08:59 time passes        | nothing; unacknowledged #2
         02:09 time passes           | chatter stuck [2 raises]; unacknowledged #2",
    );
}

#[test]
fn quiet_time_counts_only_while_it_is_off_and_only_with_a_report() {
    plays(
        "given low, more than 1 raises in 15 min, stuck after 20 min
         02:00 contact on       | raised; unacknowledged #1
         02:01 contact off      | returned; normal
         02:02 contact on       | raised, chatter started [2 raises]; unacknowledged #2
         02:03 contact off      | nothing; unacknowledged #2
         02:17 contact on       | nothing; unacknowledged #2
         02:19 contact off      | nothing; unacknowledged #2
         02:33 contact off      | nothing; unacknowledged #2
         26:00 time passes      | nothing; unacknowledged #2
         26:01 contact off      | chatter calmed [3 raises]; normal",
    );
}

#[test]
fn on_without_a_break_ends_the_chatter_and_alarms_again_even_if_acknowledged() {
    plays(
        "given high, more than 1 raises in 15 min, stuck after 3 min
         02:00 contact on        | raised; unacknowledged #1
         02:01 contact off       | returned; rtn_unacknowledged #1
         02:02 contact on        | raised again [2 raises], chatter started [2 raises]; unacknowledged #1
         02:03 Ann acknowledges  | acknowledged by Ann; acknowledged #1
         02:04 contact off       | nothing; acknowledged #1
         02:05 contact on        | nothing; acknowledged #1
         02:07:59 time passes    | nothing; acknowledged #1
         02:08 time passes       | chatter stuck [3 raises]; unacknowledged #1
         02:09 contact off       | returned; rtn_unacknowledged #1",
    );
}

#[test]
fn one_that_chatters_for_long_asks_again_as_one_that_is_on() {
    plays(
        "given critical, more than 1 raises in 15 min, re-alarm after 10 min
         02:00 contact on        | raised; unacknowledged #1
         02:01 contact off       | returned; rtn_unacknowledged #1
         02:02 contact on        | raised again [2 raises], chatter started [2 raises]; unacknowledged #1
         02:03 Ann acknowledges  | acknowledged by Ann; acknowledged #1
         02:04 contact off       | nothing; acknowledged #1
         02:06 contact on        | nothing; acknowledged #1
         02:08 contact off       | nothing; acknowledged #1
         02:13 time passes       | realarmed; unacknowledged #1",
    );
}

#[test]
fn delays_do_not_run_while_it_chatters() {
    plays(
        "given high, off-delay 60 s, more than 1 raises in 15 min
         02:00 contact on        | raised; unacknowledged #1
         02:01 contact off       | off delay started until 02:02; unacknowledged #1
         02:02 contact off       | returned; rtn_unacknowledged #1
         02:03 contact on        | raised again [2 raises], chatter started [2 raises]; unacknowledged #1
         02:04 contact off       | nothing; unacknowledged #1
         02:19 contact off       | chatter calmed [2 raises]; rtn_unacknowledged #1",
    );
}

#[test]
fn hiding_one_that_chatters_ends_the_chatter_and_counts_afresh_after_it() {
    plays(
        "given high, more than 1 raises in 15 min, stuck after 3 min
         02:00 contact on                          | raised; unacknowledged #1
         02:01 contact off                         | returned; rtn_unacknowledged #1
         02:02 contact on                          | raised again [2 raises], chatter started [2 raises]; unacknowledged #1
         02:03 Ann shelves until 02:10: pump away  | shelved by Ann until 02:10 (pump away); shelved
         02:04 contact off                         | off while hidden; shelved
         02:05 contact on                          | on while hidden; shelved
         02:10 time passes                         | shelf expired [was on 02:05–], raised; unacknowledged #2
         02:11 contact off                         | returned; rtn_unacknowledged #2
         02:12 contact on                          | raised again [2 raises], chatter started [2 raises]; unacknowledged #2",
    );
}

#[test]
fn nothing_is_chatter_if_the_number_is_none_or_the_window_is() {
    for rule in ["more than 0 raises in 15 min", "more than 1 raises in 0 min"] {
        plays(&format!(
            "given low, {rule}
             02:00:00 contact on       | raised; unacknowledged #1
             02:00:00 contact off      | returned; normal
             02:00:00 contact on       | raised; unacknowledged #2
             02:00:00 contact off      | returned; normal
             02:00:00 contact on       | raised; unacknowledged #3"
        ));
    }
}
