//! What `make fuzz` starts from, and what it once found, is replayed without a fuzzer.

use std::path::Path;

#[path = "../fuzz/checks.rs"]
mod checks;

/// Gives every file of a target's corpus to `check`, which panics where something does not hold.
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&std::fs::read(path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 10, "{replayed} files of {target}");
}

#[test]
fn the_corpus_of_pickles_is_read_or_refused() {
    replay("pickle", checks::pickle);
}

#[test]
fn the_corpus_of_sessions_is_read_or_refused() {
    replay("session", checks::session);
}

#[test]
fn the_corpus_of_frames_is_read_the_same_however_it_is_cut() {
    replay("frames", checks::frames);
}

#[test]
fn the_corpus_of_handshakes_is_taken_or_refused() {
    replay("handshake", checks::handshake);
}

#[test]
fn the_corpus_of_cookies_proves_what_it_says() {
    replay("cookie", checks::cookie);
}

#[test]
fn the_corpus_of_envelopes_is_opened_or_refused() {
    replay("envelope", checks::envelope);
}

#[test]
fn the_corpus_of_outputs_only_grows_and_tells_no_secret() {
    replay("output", checks::output);
}

#[test]
fn the_corpus_of_bodies_is_taken_or_refused() {
    replay("body", checks::body);
}
