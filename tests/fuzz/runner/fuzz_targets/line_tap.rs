#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hookline_fuzz::line_tap(bytes));
