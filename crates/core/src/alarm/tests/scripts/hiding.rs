//! Shelving, suppression and service.

use super::plays;

#[test]
fn shelving_needs_an_end_a_reason_and_a_name() {
    plays(
        "02:10 Ann shelves until 02:10: pump away    | refused: the end must lie ahead
         02:10 Ann shelves until 02:40:              | refused: a reason is missing
         02:10 Nobody shelves until 02:40: pump away | refused: a name is missing
         02:10 Ann shelves until 26:11: pump away    | refused: the end may be at most 24 h away
         02:10 Ann shelves until 26:10: pump away    | shelved by Ann until 26:10 (pump away); shelved
         02:11 Nobody unshelves                      | refused: a name is missing",
    );
    plays(
        "02:10 Ann takes out of service until 02:00: new pump   | refused: the end must lie ahead
         02:10 Ann takes out of service until 722:11: new pump  | refused: the end may be at most 30 days away
         02:10 Ann takes out of service until 722:10: new pump  | taken out of service by Ann until 722:10 (new pump); out_of_service
         02:11 Ann returns to service                           | returned to service by Ann; normal
         02:12 Ann returns to service                           | refused: it is not out of service",
    );
}

#[test]
fn its_end_is_announced_half_an_hour_before() {
    plays(
        "02:00 Ann shelves until 03:00: pump away            | shelved by Ann until 03:00 (pump away); shelved
         02:29 time passes                                   | nothing; shelved
         02:30 time passes                                   | shelf expiring; shelved
         02:59 time passes                                   | nothing; shelved
         03:00 time passes                                   | shelf expired; normal
         04:00 Ann takes out of service until 05:00: new pump | taken out of service by Ann until 05:00 (new pump); out_of_service
         04:30 time passes                                   | service expiring; out_of_service
         05:00 time passes                                   | service expired; normal",
    );
}

#[test]
fn an_end_is_not_announced_if_it_comes_within_half_an_hour_or_has_come() {
    plays(
        "02:00 Ann shelves until 02:30: pump away  | shelved by Ann until 02:30 (pump away); shelved
         02:29 time passes                         | nothing; shelved
         02:30 time passes                         | shelf expired; normal
         03:00 Ann shelves until 05:00: pump away  | shelved by Ann until 05:00 (pump away); shelved
         06:00 time passes                         | shelf expired; normal",
    );
}

#[test]
fn an_end_that_is_set_anew_is_announced_anew_and_the_same_order_twice_is_one() {
    plays(
        "02:00 Ann shelves until 02:40: pump away  | shelved by Ann until 02:40 (pump away); shelved
         02:10 time passes                         | shelf expiring; shelved
         02:20 Ann shelves until 02:40: pump away  | nothing; shelved
         02:20 Ben shelves until 03:00: pump away  | shelved by Ben until 03:00 (pump away); shelved
         02:30 time passes                         | shelf expiring; shelved
         02:40 time passes                         | nothing; shelved
         03:00 time passes                         | shelf expired; normal",
    );
}

#[test]
fn what_is_on_at_the_end_is_a_fresh_occurrence() {
    plays(
        "02:10 contact on                          | raised; unacknowledged #1
         02:11 Ann acknowledges                    | acknowledged by Ann; acknowledged #1
         02:12 Ann shelves until 02:30: pump away  | shelved by Ann until 02:30 (pump away); shelved
         02:20 Ann acknowledges #1                 | refused: occurrence #1 is not open: none is open now
         02:30 time passes                         | shelf expired [was on 02:10–], raised; unacknowledged #2",
    );
}

#[test]
fn what_is_off_at_the_end_is_normal_and_says_when_it_was_on() {
    plays(
        "02:00 Ann shelves until 03:00: pump away  | shelved by Ann until 03:00 (pump away); shelved
         02:10 contact on                          | on while hidden; shelved
         02:40 contact off                         | shelf expiring, off while hidden; shelved
         03:00 time passes                         | shelf expired [was on 02:10–02:40]; normal",
    );
    plays(
        "02:10 contact on                          | raised; unacknowledged #1
         02:20 Ann shelves until 02:50: pump away  | shelved by Ann until 02:50 (pump away); shelved
         02:40 contact off                         | off while hidden; shelved
         02:45 Ben unshelves                       | unshelved by Ben [was on 02:10–02:40]; normal",
    );
}

#[test]
fn what_nobody_had_acknowledged_is_told_when_it_comes_back() {
    plays(
        "02:10 contact on                          | raised; unacknowledged #1
         02:20 contact off                         | returned; rtn_unacknowledged #1
         02:30 another stands for it               | suppressed; suppressed
         02:50 none stands for it                  | unsuppressed [was on 02:10–02:20]; normal",
    );
}

#[test]
fn delays_go_on_while_it_is_hidden() {
    plays(
        "given high, on-delay 60 s, off-delay 60 s
         02:00 Ann shelves until 02:30: pump away  | shelved by Ann until 02:30 (pump away); shelved
         02:10 contact on                          | on delay started until 02:11; shelved
         02:11 time passes                         | on while hidden; shelved
         02:20 contact off                         | off delay started until 02:21; shelved
         02:21 contact off                         | off while hidden; shelved
         02:29:30 contact on                       | on delay started until 02:30:30; shelved
         02:30 time passes                         | shelf expired [was on 02:11–02:21]; normal
         02:30:30 time passes                      | raised; unacknowledged #1
         02:40 contact off                         | off delay started until 02:41; unacknowledged #1
         02:40:10 Ann shelves until 02:50: again   | shelved by Ann until 02:50 (again); shelved
         02:40:20 Ann unshelves                    | unshelved by Ann [was on 02:30:30–], raised; unacknowledged #2
         02:41 contact off                         | returned; rtn_unacknowledged #2",
    );
}

#[test]
fn unsuppressing_does_not_unshelve_and_only_the_last_entry_brings_it_back() {
    plays(
        "02:00 contact on                                     | raised; unacknowledged #1
         02:01 another stands for it                          | suppressed; suppressed
         02:02 another stands for it                          | nothing; suppressed
         02:03 Ann shelves until 02:30: pump away             | shelved by Ann until 02:30 (pump away); shelved
         02:04 Ben takes out of service until 02:20: new pump | taken out of service by Ben until 02:20 (new pump); out_of_service
         02:05 none stands for it                             | unsuppressed; out_of_service
         02:06 none stands for it                             | nothing; out_of_service
         02:07 another stands for it                          | suppressed; out_of_service
         02:20 time passes                                    | service expired; shelved
         02:30 time passes                                    | shelf expired; suppressed
         02:40 none stands for it                             | unsuppressed [was on 02:00–], raised; unacknowledged #2",
    );
}

#[test]
fn entries_that_end_at_the_same_moment_end_one_after_the_other() {
    plays(
        "02:00 contact on                                     | raised; unacknowledged #1
         02:01 Ann shelves until 02:30: pump away             | shelved by Ann until 02:30 (pump away); shelved
         02:02 Ben takes out of service until 02:30: new pump | taken out of service by Ben until 02:30 (new pump); out_of_service
         02:30 time passes                                    | shelf expired, service expired [was on 02:00–], raised; unacknowledged #2",
    );
}

#[test]
fn after_a_day_in_which_nobody_looked_everything_happens_in_its_order() {
    plays(
        "given high, on-delay 60 s
         02:00 Ann shelves until 03:00: pump away             | shelved by Ann until 03:00 (pump away); shelved
         02:01 Ben takes out of service until 12:00: new pump | taken out of service by Ben until 12:00 (new pump); out_of_service
         02:10 contact on                                     | on delay started until 02:11; out_of_service
         26:00 time passes                                    | on while hidden, shelf expired, service expired [was on 26:00–], raised; unacknowledged #1",
    );
}
