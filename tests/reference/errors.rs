//! `docs/errors.md`: every code, refusal, close code and reason.

use std::collections::BTreeSet;

use reqwest::StatusCode;

use super::{arms, assert_same, below, quoted, rows, sources, text_of};
use crate::support::{Credential, Server, eventually};

const PAGE: &str = "errors.md";

fn page() -> String {
    text_of("docs/errors.md")
}

/// The columns of a part, quoted as they stand, joined by a blank.
fn said(part: &str, columns: usize) -> BTreeSet<String> {
    let rows = rows(part).into_iter();
    rows.map(|row| row[..columns].join(" ").replace('`', ""))
        .collect()
}

/// The number of `BAD_REQUEST` and its like.
fn status(name: &str) -> u16 {
    let named = |status: &StatusCode| {
        let reason = status.canonical_reason().unwrap_or_default();
        reason.to_uppercase().replace([' ', '-'], "_") == name
    };
    let mut all = (400..600).filter_map(|number| StatusCode::from_u16(number).ok());
    all.find(named)
        .unwrap_or_else(|| panic!("no status {name}"))
        .as_u16()
}

#[test]
fn every_code_of_rest_is_described() {
    let source = text_of("src/api/error.rs");
    let mut is = BTreeSet::new();
    let mut count = 0;
    for (_, after) in source
        .match_indices("StatusCode::")
        .map(|(at, it)| (at, &source[at + it.len()..]))
    {
        let (name, rest) = after.split_once(',').unwrap_or_default();
        let code = rest.trim_start().strip_prefix('"');
        if let Some((code, _)) = code.and_then(|rest| rest.split_once('"')) {
            is.insert(format!("{code} {}", status(name)));
            count += 1;
        }
    }
    // But for the one with which `detail` calls `new`.
    let made = source.matches("Self::detail(").count() + source.matches("Self::new(").count() - 1;
    assert_eq!(count, made, "an error whose code this test does not see");
    assert_same(PAGE, &said(below(&page(), "Answers of REST"), 2), &is);
}

#[tokio::test]
async fn the_log_has_the_codes() {
    let server = Server::start_with(&[("LOG__LEVEL", "info,fleetwire=debug")]).await;
    let client = server.client(&Credential::Nobody);
    assert_eq!(client.get("/api/v1/users/me/").await.status, 401);
    eventually("the code is logged", async || {
        server
            .log()
            .contains("code=\"not_authenticated\"")
            .then_some(())
    })
    .await;
}

#[test]
fn every_refusal_of_a_handshake_is_described() {
    let source = text_of("src/socket/refusal.rs");
    let statuses = arms(&source, "status");
    let labels = arms(&source, "label").into_iter();
    let is = labels.map(|(variant, label)| {
        let name = statuses[&variant].trim_start_matches("StatusCode::");
        format!("{label} {}", status(name))
    });
    let page = page();
    let said = said(below(&page, "Refused handshakes"), 2);
    assert_same(PAGE, &said, &is.collect());
}

#[test]
fn every_close_code_is_described() {
    let source = text_of("src/hub/close.rs");
    let (codes, texts) = (arms(&source, "code"), arms(&source, "text"));
    let labels = arms(&source, "label");
    let is = codes.iter().map(|(variant, code)| {
        let (label, text) = (&labels[variant], &texts[variant]);
        format!("{code} {label} {text}")
    });
    assert_same(PAGE, &said(below(&page(), "Close codes"), 3), &is.collect());
}

/// The code and level of each line of the log at `warn` or `error`, of a source; that of a request has the
/// code of its answer.
fn logged(path: &str, source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut found = Vec::new();
    for level in ["warn", "error"] {
        for call in code.split(&format!("{level}!(")).skip(1) {
            let fields = call.trim_start();
            if path == "src/api/error.rs" && fields.starts_with("status, code,") {
                continue;
            }
            let code = fields
                .strip_prefix("code = \"")
                .and_then(|it| it.split_once('"'));
            let (code, _) = code.unwrap_or_else(|| {
                panic!("{path}: a line of level {level} begins with `code = \"…\"`: {fields:.60}")
            });
            found.push(format!("{code} {level}"));
        }
    }
    found
}

#[test]
fn every_line_of_the_log_that_warns_has_a_code_and_is_described() {
    let is = sources("src");
    let is: BTreeSet<String> = is
        .iter()
        .filter(|(path, _)| !path.ends_with("tests.rs") && !path.contains("/tests/"))
        .flat_map(|(path, source)| logged(path, source))
        .collect();
    let page = page();
    let said = said(below(&page, "What the log says by itself"), 2);
    assert_same(PAGE, &said, &is);
}

#[test]
fn a_line_of_the_log_without_a_code_is_seen() {
    let line = "if x { tracing::warn!(\n    code = \"a_b\",\n    \"text\"\n); }";
    assert_eq!(logged("src/x.rs", line), ["a_b warn"]);
    let line = "tracing::error!(%error, \"text\");";
    assert!(std::panic::catch_unwind(|| logged("src/x.rs", line)).is_err());
}

/// Where the sentences are written that a failed command ends with.
const REASONS: [&str; 9] = [
    "src/command/run.rs",
    "src/command/reach.rs",
    "src/command/ssh/authenticate.rs",
    "src/command/ssh/connect.rs",
    "src/command/ssh/error.rs",
    "src/command/ssh/execute.rs",
    "src/command/ssh/link.rs",
    "src/command/ssh/session.rs",
    "src/store/lease.rs",
];

/// Where others are, among what is no reason.
const MORE_REASONS: [&str; 7] = [
    "src/command/types/mod.rs",
    "src/store/command.rs",
    "src/store/new_batch.rs",
    "src/store/runnable.rs",
    "src/store/queue.rs",
    "src/store/queue_room.rs",
    "src/store/waiting.rs",
];

/// What is only ever a part of a sentence.
const PARTS: [&str; 8] = [
    "a password",
    "the password",
    "a public key",
    "the public key",
    "key exchange",
    "host key",
    "something unreadable",
    "what we do not know",
];

/// The sentences in a source, with `…` for what is put in.
fn sentences(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| {
        let is_comment = line.trim_start().starts_with("//");
        !is_comment && !line.contains("tracing::") && !line.contains("expect(")
    });
    let code = lines.collect::<Vec<_>>().join("\n");
    let code = code.replace("\\\"", "\u{1}").replace("'\"'", "");
    let literals = code.split('"').skip(1).step_by(2);
    literals
        .map(sentence)
        .filter(|it| is_sentence(it))
        .collect()
}

/// A literal as it is read: continued lines joined, and `…` for each `{}`.
fn sentence(literal: &str) -> String {
    let joined = literal
        .split("\\\n")
        .map(str::trim_start)
        .collect::<String>();
    let mut text = String::new();
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}').unwrap_or_default();
        text = text + before + "…";
        rest = after;
    }
    (text + rest).replace('\u{1}', "\"")
}

fn is_sentence(text: &str) -> bool {
    let letters = text.chars().filter(char::is_ascii_lowercase).count();
    let is_sql = text.contains(" = ") || text.contains("SELECT");
    text.contains(' ') && letters >= 3 && !is_sql && !PARTS.contains(&text)
}

#[test]
fn every_reason_that_a_command_fails_for_is_described() {
    let page = page();
    let part = below(&page, "Why a command fails");
    let said: BTreeSet<String> = quoted(part).into_iter().map(str::to_owned).collect();
    let all_of = |paths: &[&str]| -> BTreeSet<String> {
        paths
            .iter()
            .flat_map(|path| sentences(&text_of(path)))
            .collect()
    };
    let (is, more) = (all_of(&REASONS), all_of(&MORE_REASONS));
    let missing: Vec<_> = is.difference(&said).collect();
    assert!(missing.is_empty(), "docs/{PAGE} lacks {missing:#?}");
    for row in rows(part) {
        for reason in quoted(row[0]) {
            let is_there = is.contains(reason) || more.contains(reason);
            assert!(is_there, "docs/{PAGE}: no command ends with {reason:?}");
        }
    }
}

#[test]
fn messages_of_the_command_line_are_those_that_it_has() {
    let mut texts = vec![text_of("src/server/mod.rs")];
    for folder in ["src/cli", "src/store", "src/config"] {
        let found = sources(folder).into_iter();
        texts.extend(found.map(|(_, text)| text));
    }
    let known: Vec<String> = texts.iter().flat_map(|source| sentences(source)).collect();
    let page = page();
    let part = below(&page, "The command line");
    for row in rows(part).iter().filter(|row| row[0].starts_with('`')) {
        for message in quoted(row[0]) {
            // A message may go on, and what is put in may be said in words.
            let is_there = known.iter().any(|known| known.contains(message));
            assert!(
                is_there,
                "docs/{PAGE}: the command line does not say {message:?}"
            );
        }
    }
}
