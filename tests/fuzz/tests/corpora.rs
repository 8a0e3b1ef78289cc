//! Replays what the fuzzer has found worth keeping, and what once went wrong.

use std::fs;
use std::path::Path;

use hookline_fuzz::TARGETS;

#[test]
fn every_input_of_every_corpus_is_read_or_refused() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let inputs: Vec<_> =
            fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
        assert!(!inputs.is_empty(), "the corpus of {name} is empty");
        for input in inputs {
            println!("{}", input.display());
            target(&fs::read(&input).expect("readable"));
        }
    }
}
