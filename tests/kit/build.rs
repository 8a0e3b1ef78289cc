//! Compiles the C shim over spandsp (Debian: libspandsp-dev) at -O2, as Debian builds the library itself.

fn main() {
    println!("cargo:rerun-if-changed=shim/spandsp_shim.c");
    cc::Build::new()
        .file("shim/spandsp_shim.c")
        .opt_level(2)
        .warnings(true)
        .extra_warnings(true)
        .compile("spandsp_shim");
    println!("cargo:rustc-link-lib=spandsp");
    println!("cargo:rustc-link-lib=m");
}
