//! Tests that need a kernel with virtual USB sockets and sound, run by `tests/vm/run` (`scripts/test vm`): all of them, or those whose
//! names contain one of the arguments. Exit status 1 when one failed, 2 when none ran.

mod allocations;
mod line_tap;
mod pcm;

use std::panic;
use std::process::ExitCode;
use std::time::Instant;

/// A test fails by panicking.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let tests = line_tap::TESTS
        .iter()
        .chain(pcm::TESTS)
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in tests {
        let began = Instant::now();
        let verdict = match panic::catch_unwind(test) {
            Ok(()) => {
                passed += 1;
                "ok"
            }
            Err(_) => {
                failed += 1;
                "FAILED"
            }
        };
        println!("test {name} ... {verdict} ({:.1} s)", began.elapsed().as_secs_f64());
    }
    println!("\n{passed} passed; {failed} failed");
    match (passed, failed) {
        (0, 0) => ExitCode::from(2),
        (_, 0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
