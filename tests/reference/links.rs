//! Links from page to page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::clients::in_repository;

fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/guides", "bench"] {
        for entry in std::fs::read_dir(in_repository(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// The anchors of a page's headings, as forges make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    headings.map(anchor).collect()
}

/// Where the links of a page lead, but for those into the world.
fn targets(page: &str) -> Vec<&str> {
    let inline = page
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    let inline = inline.map(|(target, _)| target);
    let named = page.lines().filter(|line| line.starts_with('['));
    let named = named
        .filter_map(|line| line.split_once("]: "))
        .map(|(_, target)| target);
    inline
        .chain(named)
        .filter(|it| !it.contains("://"))
        .collect()
}

fn leads_somewhere(from: &Path, target: &str) -> bool {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => from.to_owned(),
        file => from.parent().unwrap().join(file),
    };
    let is_there = path.exists();
    if anchor.is_empty() || !is_there {
        return is_there;
    }
    anchors(&std::fs::read_to_string(path).unwrap()).contains(anchor)
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for target in targets(&page) {
            if !leads_somewhere(&path, target) {
                wrong.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
