//! The house rules that a reader of one file cannot see: who may know whom, and how large a file
//! may grow. They are drawn in ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each part of the house, and the parts that it may name.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("hub", &["event"]),
    ("access", &["event", "hub", "store", "config"]),
    ("store", &["event", "access"]),
    (
        "ingest",
        &["event", "hub", "store", "telemetry", "config", "redis_host"],
    ),
    ("redis_host", &[]),
    ("socket", &["event", "hub", "access", "config", "telemetry"]),
    (
        "api",
        &[
            "event",
            "hub",
            "access",
            "store",
            "ingest",
            "command",
            "config",
            "telemetry",
            "app",
        ],
    ),
    (
        "command",
        &[
            "event",
            "hub",
            "access",
            "store",
            "ingest",
            "config",
            "telemetry",
        ],
    ),
    (
        "openwisp",
        &[
            "event",
            "hub",
            "access",
            "store",
            "config",
            "telemetry",
            "redis_host",
        ],
    ),
    ("nodes", &["event", "access", "store", "telemetry"]),
    ("console", &["config"]),
    (
        "app",
        &[
            "event",
            "hub",
            "access",
            "store",
            "ingest",
            "socket",
            "api",
            "command",
            "nodes",
            "config",
            "telemetry",
        ],
    ),
    (
        "gateway",
        &[
            "event",
            "hub",
            "access",
            "socket",
            "openwisp",
            "server",
            "config",
            "telemetry",
        ],
    ),
    (
        "server",
        &[
            "event",
            "hub",
            "access",
            "store",
            "socket",
            "api",
            "config",
            "telemetry",
            "app",
            "console",
        ],
    ),
];

/// Libraries that only these parts may name: where HTTP, SQL and the command line live.
const LIBRARIES: &[(&str, &[&str])] = &[
    (
        "axum",
        &[
            "api",
            "socket",
            "server",
            "gateway",
            "telemetry",
            "console",
            "app",
        ],
    ),
    ("hyper", &["server", "api", "socket", "gateway"]),
    ("redis", &["openwisp", "ingest", "redis_host"]),
    ("sqlx", &["store", "event", "openwisp"]),
    ("clap", &["cli"]),
    ("utoipa", &["api"]),
    ("maud", &["api"]),
    ("anyhow", &["cli"]),
    ("tokio_tungstenite", &["cli"]),
];

const MOST_LINES: usize = 500;

const VAGUE_NAMES: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "manager", "service", "misc",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a directory of the repository, each with its text.
fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {directory}");
    found
}

/// The part that a file of `src` belongs to: its folder, or its own name at the top.
fn part(path: &Path) -> String {
    let first = path.components().nth(1).unwrap();
    Path::new(&first)
        .with_extension("")
        .to_str()
        .unwrap()
        .to_owned()
}

/// The text without line comments: a mention in a sentence is no dependency.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The parts named behind `crate::`, also those in braces.
fn named_parts(text: &str) -> BTreeSet<String> {
    let code = code(text);
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|it| it.is_alphanumeric() || *it == '_')
            .collect()
    };
    let mut named = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        if code[..at].ends_with(['$', '_']) {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            named.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for character in group.chars() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    named.insert(word(item.trim()));
                    item.clear();
                }
                other => item.push(other),
            }
        }
        named.insert(word(item.trim()));
    }
    named.remove("");
    named
}

#[test]
fn parts_know_only_whom_the_picture_says() {
    let mut wrong = Vec::new();
    let parts: BTreeSet<_> = sources("src").iter().map(|(path, _)| part(path)).collect();
    for (path, text) in sources("src") {
        let part = part(&path);
        if ["main", "lib", "cli"].contains(&&*part) {
            continue;
        }
        let Some((_, known)) = MAY_KNOW.iter().find(|(name, _)| *name == part) else {
            wrong.push(format!(
                "{}: the picture has no part {part}",
                path.display()
            ));
            continue;
        };
        for named in named_parts(&text) {
            // What is no part is an item at the top of the crate.
            if named != part && parts.contains(&named) && !known.contains(&&*named) {
                wrong.push(format!("{}: {part} must not know {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_in_the_parts_that_are_about_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let (part, code) = (part(&path), code(&text));
        for (library, parts) in LIBRARIES {
            let named = code
                .match_indices(&format!("{library}::"))
                .any(|(at, _)| !code[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_'));
            if named && !parts.contains(&&*part) {
                wrong.push(format!(
                    "{}: {library} belongs to {parts:?}",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_policies_are_pure() {
    for file in ["policy", "administration"] {
        let path = format!("src/access/{file}.rs");
        let code = code(&std::fs::read_to_string(root().join(&path)).unwrap());
        for word in [
            "async ",
            ".await",
            "tokio::",
            "std::fs",
            "std::net",
            "Directory",
        ] {
            assert!(!code.contains(word), "{path}: {word}");
        }
    }
}

#[test]
fn no_file_grows_beyond_one_idea() {
    let mut wrong = Vec::new();
    for directory in ["src", "tests", "bench"] {
        if !root().join(directory).exists() {
            continue;
        }
        for (path, text) in sources(directory) {
            let lines = text.lines().count();
            if lines > MOST_LINES {
                wrong.push(format!("{}: {lines} lines", path.display()));
            }
            let name = path.file_stem().unwrap().to_str().unwrap();
            if VAGUE_NAMES.contains(&name) {
                wrong.push(format!("{}: a name that says nothing", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_of_tests_is_run() {
    let main = std::fs::read_to_string(root().join("tests/main.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|it| it == "rs") && name != "main" {
            assert!(
                main.contains(&format!("mod {name};\n")),
                "{} is never run",
                path.display()
            );
        }
    }
}

#[test]
fn names_in_braces_are_found() {
    let text =
        "use crate::{hub, store::{Store, text}};\nlet a = crate::event::Topic; // crate::api";
    assert_eq!(
        named_parts(text),
        BTreeSet::from(["event", "hub", "store"].map(str::to_owned))
    );
    assert_eq!(named_parts("$crate::x; other_crate::y"), BTreeSet::new());
}

/// Words in the name of a field that say that a text in it is a secret.
const SECRET_WORDS: [&str; 7] = [
    "password",
    "secret",
    "token",
    "passphrase",
    "cookie",
    "private_key",
    "key",
];

/// Texts of such names that are none: what they are instead.
const NO_SECRETS: [(&str, &str); 9] = [
    ("host_key", "a public key"),
    ("cookie_name", "a name"),
    ("session_cookie_name", "a name"),
    ("cache_key_prefix", "a prefix of names"),
    ("key_prefix", "a prefix of names"),
    ("db_sslkey", "a path"),
    ("password_updated", "an instant"),
    ("forget_host_key", "whether"),
    ("key", "of a setting, where it is in `config`"),
];

/// The fields of a source's types whose `Debug` is derived: the type, the field and the field's type.
fn debugged_fields(text: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut is_debug = false;
    let mut open = None;
    for line in code(text).lines() {
        let line = line.trim();
        if line.starts_with("#[derive(") {
            is_debug = line.contains("Debug");
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|it| *it == "struct" || *it == "enum");
        match (at, &open) {
            (Some(at), _) if line.ends_with('{') => {
                let name = words.get(at + 1).copied().unwrap_or_default();
                open = is_debug.then(|| name.trim_end_matches('{').to_owned());
                is_debug = false;
            }
            (_, Some(name)) => {
                let field = line.trim_start_matches("pub ").split_once(": ");
                if let Some((field, kind)) = field {
                    found.push((name.clone(), field.to_owned(), kind.to_owned()));
                }
            }
            _ => {}
        }
        if line == "}" {
            open = None;
        }
        if line.contains("fn ") || line.starts_with("impl") {
            (is_debug, open) = (false, None);
        }
    }
    found
}

fn is_secret(part: &str, field: &str, kind: &str) -> bool {
    // These hide what is in them themselves.
    let is_hidden = ["LoginSecret", "Hidden"].iter().any(|it| kind.contains(it));
    let is_text = kind.contains("String") || kind.contains("Vec<u8>") || kind.contains("[u8");
    let is_named = SECRET_WORDS.iter().any(|word| {
        field == *word
            || field.starts_with(&format!("{word}_"))
            || field.ends_with(&format!("_{word}"))
    });
    let is_known =
        |(name, _): &(&str, &str)| field == *name && (field != "key" || part == "config");
    // The command line's are names of things, and paths; its tokens are hidden.
    let is_name = part == "cli" && !kind.contains("Hidden") && field != "password";
    is_text && !is_hidden && is_named && !is_name && !NO_SECRETS.iter().any(is_known)
}

#[test]
fn what_holds_a_secret_has_no_derived_debug() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (path, text) in sources("src") {
        for (name, field, kind) in debugged_fields(&text) {
            seen += 1;
            if is_secret(&part(&path), &field, &kind) {
                wrong.push(format!("{}: {name}.{field}", path.display()));
            }
        }
    }
    assert!(seen > 300, "{seen} fields");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let text = "#[derive(Clone, Debug)]\npub struct A {\n    pub key: String,\n}\n#[derive(Clone)]\nstruct B {\n    key: String,\n}\n";
    let found = debugged_fields(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(is_secret("store", &found[0].1, &found[0].2));
}
