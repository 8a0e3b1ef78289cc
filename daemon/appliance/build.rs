//! The date of the build: a clock that stands before it is wrong for certain. `SOURCE_DATE_EPOCH` gives it where builds are
//! to be the same each time.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=src");
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    println!("cargo:rustc-env=HOOKLINE_BUILT_S={}", given.unwrap_or_else(now));
}
