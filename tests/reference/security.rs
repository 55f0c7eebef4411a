//! `SECURITY.md`: every test that it names is there.

use std::collections::BTreeSet;

use super::{rows, text_of};

/// The tests that the page names, as `(file, name)`.
fn named(page: &str) -> BTreeSet<(&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter_map(|it| it.split_once("::")).collect()
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let page = text_of("SECURITY.md");
    let named = named(&page);
    assert!(named.len() > 40, "{} tests", named.len());
    let mut wrong = Vec::new();
    for (file, name) in named {
        let path = crate::clients::in_repository(file);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let is_there = match file.rsplit_once('.') {
            Some((_, "rs")) => is_a_test(&text, name),
            _ => text.contains(&format!("test(\"{name}\"")),
        };
        if !is_there {
            wrong.push(format!("{file}::{name}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a source has a test of this name: by its attribute, or by a macro that makes tests of functions.
fn is_a_test(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else {
        return false;
    };
    let attributes = before.rsplit('\n').take(4).collect::<Vec<_>>().join("\n");
    // Whether the last macro of tests that was opened before it is still open.
    let within = before.rsplit_once("over_both! {");
    let is_within = within.is_some_and(|(_, since)| !since.contains("\n}"));
    let is_test = attributes.contains("test]")
        || attributes.contains("tokio::test(")
        || text.contains(&format!("    {name},\n"))
        || is_within;
    is_test && !attributes.contains("#[ignore")
}

/// Each attack has what stops it and what shows that.
#[test]
fn every_attack_has_a_test() {
    let page = text_of("SECURITY.md");
    let rows = rows(&page);
    assert!(rows.len() > 25, "{} attacks", rows.len());
    for row in rows {
        let [attack, stopped, shown] = row[..] else {
            panic!("{row:?}")
        };
        assert!(!attack.is_empty() && !stopped.is_empty(), "{row:?}");
        assert!(!named(shown).is_empty(), "{attack}: nothing shows it");
    }
}

#[test]
fn what_is_no_test_is_not_taken_for_one() {
    assert!(is_a_test("#[test]\nfn a() {", "a"));
    assert!(is_a_test(
        "on_both_engines! {\n    a,\n}\nasync fn a(engine: Engine) {",
        "a"
    ));
    assert!(is_a_test(
        "over_both! {\n    async fn a(house: House) {",
        "a"
    ));
    assert!(!is_a_test(
        "over_both! {\n    async fn b() {\n    }\n}\n\nfn a() {",
        "a"
    ));
    assert!(!is_a_test("#[test]\n#[ignore = \"slow\"]\nfn a() {", "a"));
    assert!(!is_a_test("/// Text.\nfn a() {", "a"));
    assert!(!is_a_test("#[test]\nfn ab() {", "a"));
}
