//! The pages of `docs/` that list everything: what the program has stands on them, and nothing else.
//!
//! So does what `packaging/` shows of metrics. `docs/settings.md` is made of `fleetwire config default`; `make settings` renews it. The others are
//! written by hand, and compared with the sources or with what a real server says.

mod dashboard;
mod errors;
mod links;
mod metrics;
mod scaling;
mod security;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::in_repository;

fn text_of(path: &str) -> String {
    std::fs::read_to_string(in_repository(path)).unwrap()
}

/// The Rust files below a folder of the repository: their paths in it, and their texts.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = in_repository("Cargo.toml");
    let root = root.parent().unwrap();
    let mut found = Vec::new();
    let mut open = vec![in_repository(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push((name.to_owned(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The part of a page below a heading, without further ones of the same level.
fn below<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = format!("\n## {heading}\n");
    let (_, rest) = page
        .split_once(&start)
        .unwrap_or_else(|| panic!("no heading {heading:?}"));
    rest.split("\n## ").next().unwrap()
}

/// The rows of a part's tables, without heads, each as its cells.
fn rows(part: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    let mut is_body = false;
    for line in part.lines() {
        let cells = line.strip_prefix('|').and_then(|it| it.strip_suffix('|'));
        match cells {
            Some(_) if line.starts_with("|--") => is_body = true,
            Some(cells) if is_body => found.push(cells.split('|').map(str::trim).collect()),
            Some(_) => {}
            None => is_body = false,
        }
    }
    found
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The arms of a function of a source, by the variants of `Self` that they are about.
fn arms(source: &str, function: &str) -> BTreeMap<String, String> {
    let (_, body) = source.split_once(&format!("fn {function}(")).unwrap();
    let body = body.split("\n    }\n").next().unwrap();
    // Alternatives may stand on lines of their own.
    let body = body.replace("\n            | ", " | ");
    let mut found = BTreeMap::new();
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        let Some((variants, value)) = line.split_once(" => ") else {
            continue;
        };
        // What is too long stands on the next line, in braces.
        let value = match value {
            "{" => lines.next().unwrap_or_default().trim(),
            value => value,
        };
        let value = value.trim_end_matches(',').trim_matches('"');
        for variant in variants.split('|') {
            let name = variant.trim().trim_start_matches("Self::");
            let name = name.split('(').next().unwrap().trim();
            found.insert(name.to_owned(), value.to_owned());
        }
    }
    assert!(!found.is_empty(), "no arms in {function}");
    found
}

/// Complains of what only one of the two has.
fn assert_same(page: &str, said: &BTreeSet<String>, is: &BTreeSet<String>) {
    let missing: Vec<_> = is.difference(said).collect();
    let extra: Vec<_> = said.difference(is).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "docs/{page} lacks {missing:#?} and has too much {extra:#?}"
    );
}

#[test]
fn a_part_of_a_page_has_rows_and_its_own_end() {
    let page = "a\n\n## One\n\n| h | i |\n|---|---|\n| `a` | b |\n| c | d |\n\n| e |\n\n## Two\n";
    assert_eq!(rows(below(page, "One")), [["`a`", "b"], ["c", "d"]]);
    assert_eq!(quoted("a `b` c `d`"), ["b", "d"]);
}
