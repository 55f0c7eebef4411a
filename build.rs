//! A release binary holds the built console: it is built again when that was.

#![expect(
    clippy::disallowed_methods,
    reason = "it is cargo that sets this one, and not the operator"
)]

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A debug binary reads the files where they are.
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if !is_release {
        return;
    }
    let console = Path::new("console/dist");
    // What is not there cannot be watched. It may be that nothing can be written here; then nothing is
    // going to be built here either.
    if console.exists() || std::fs::create_dir_all(console).is_ok() {
        println!("cargo::rerun-if-changed=console/dist");
    }
}
