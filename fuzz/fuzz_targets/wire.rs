//! The wire parser under the fuzzer: the checks of the property tests, on
//! whatever bytes the fuzzer finds. The first two bytes say where to cut.
#![no_main]

#[path = "../../crates/core/tests/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [first, second, bytes @ ..] = data else { return };
    checks::any_bytes_however_cut(bytes, &[usize::from(*first), usize::from(*second)]);
    checks::one_line(bytes);
});
