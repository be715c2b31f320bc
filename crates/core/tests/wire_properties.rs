//! The wire for any bytes: what the fuzzer runs, as properties.

mod checks;

use proptest::collection::vec;
use proptest::prelude::*;
use waterwatch_core::wire::{self, Lines, Refusal};
use waterwatch_core::{Report, StationId};

/// Bytes that look like reports often enough to get past the first check.
fn almost_reports() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        8 => proptest::sample::select(b"0011 123 -\t\r\n".to_vec()),
        1 => proptest::sample::select(b"t=x9_GET / HTTP/1.1\x16\x03".to_vec()),
        1 => any::<u8>(),
    ];
    vec(byte, 0..120)
}

fn reports() -> impl Strategy<Value = Report> {
    (0..=i64::MAX, any::<bool>(), any::<bool>()).prop_map(|(id, alarm1, alarm2)| Report {
        station_id: StationId::new(id).expect("not negative"),
        alarm1,
        alarm2,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_bytes_give_the_same_reports_however_they_are_cut(
        bytes in almost_reports(),
        cuts in vec(0..120usize, 0..6),
    ) {
        checks::any_bytes_however_cut(&bytes, &cuts);
    }

    #[test]
    fn a_line_is_a_report_if_the_grammar_says_so(line in almost_reports()) {
        checks::one_line(&line);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..120), cuts in vec(0..120usize, 0..3)) {
        checks::any_bytes_however_cut(&bytes, &cuts);
        checks::one_line(&bytes);
    }

    #[test]
    fn a_printed_report_is_read_back(report in reports()) {
        prop_assert_eq!(wire::parse(report.to_string().as_bytes()), Ok(report));
        prop_assert_eq!(wire::parse(report.to_string().replace(' ', "-").as_bytes()), Ok(report));
    }
}

#[test]
fn each_conversation_of_the_old_shapes_survives_a_cut_at_every_place() {
    for bytes in [
        b"123-0-1".as_slice(),
        b"123 0 1",
        b"123 0 1 ",
        b"123 0 1\r\n",
        b"123-0-1\n124-1-1\nrubbish\n125 0 0",
        b" 00123\t0 \t1 \r\n\n7 1 1\n",
    ] {
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                checks::any_bytes_however_cut(bytes, &[first, second]);
            }
        }
    }
}

/// What copies bit by bit owns no heap: the parser allocates nothing and
/// keeps nothing, whatever a peer sends.
#[test]
fn the_parser_owns_no_memory() {
    fn owns_nothing<T: Copy>(bytes_max: usize) {
        assert!(size_of::<T>() <= bytes_max);
    }
    owns_nothing::<Lines>(16);
    owns_nothing::<Refusal>(64);
    owns_nothing::<Result<Report, Refusal>>(64);
}
