//! Takes the built pages (`webui/dist`) into the crate: what compresses is kept gzipped only, everything else as it is.
//! Without pages the crate builds all the same; the server then shows how to build them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Endings that gain from gzip; pictures and fonts are compressed already.
const TEXT: [&str; 7] = ["html", "js", "css", "json", "svg", "txt", "webmanifest"];

fn main() -> io::Result<()> {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = crate_dir.join("../../webui/dist");
    let pages = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("pages");
    if pages.exists() {
        fs::remove_dir_all(&pages)?;
    }
    fs::create_dir_all(&pages)?;
    // Cargo watches a folder only when it is there.
    fs::create_dir_all(&dist)?;
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=build.rs");
    copy(&dist, &pages)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
            continue;
        }
        let bytes = fs::read(entry.path())?;
        let ending = entry.path().extension().unwrap_or_default().to_string_lossy().into_owned();
        if TEXT.contains(&ending.as_str()) {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            gzip.write_all(&bytes)?;
            let mut name = target.into_os_string();
            name.push(".gz");
            fs::write(name, gzip.finish()?)?;
        } else {
            fs::write(target, bytes)?;
        }
    }
    Ok(())
}
