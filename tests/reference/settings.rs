//! `docs/settings.md`: every setting, made of the file that `fleetwire config default` prints.
//!
//! `make settings` renews it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::{quoted, rows, text_of};
use crate::clients::in_repository;
use crate::support::{Engine, Server};

/// What is made stands behind this line of the page.
const MARK: &str = "<!-- made of src/config/fleetwire.toml by `make settings` -->\n";

/// How the unit of a number ends its key.
const UNITS: [(&str, &str); 6] = [
    ("_bytes_per_second", "bytes a second"),
    ("_bytes", "bytes"),
    ("_ms", "milliseconds"),
    ("_s", "seconds"),
    ("_hours", "hours"),
    ("_days", "days"),
];

/// Comment lines, their paragraphs apart.
#[derive(Default)]
struct Comment(Vec<String>);

impl Comment {
    fn push(&mut self, line: &str) {
        self.0
            .push(line.strip_prefix(' ').unwrap_or(line).to_owned());
    }

    /// What it says, on one line.
    fn sentence(&self) -> String {
        let lines: Vec<_> = self.0.iter().map(|line| line.trim()).collect();
        lines.join(" ").replace('|', "\\|")
    }

    /// The text before its first empty line, and the example behind that.
    fn text_and_example(&self) -> (String, String) {
        let mut parts = self.0.splitn(2, String::is_empty);
        let mut next = || parts.next().unwrap_or_default().join("\n");
        (next(), next())
    }
}

/// The sections of the default file as Markdown.
fn made(file: &str) -> String {
    let mut made = String::new();
    let (mut section, mut comment) = (String::new(), Comment::default());
    // Whether the comment was used: it holds for all keys below it until another one begins.
    let mut is_said = false;
    let mut has_keys = false;
    for line in file.lines().chain([""]) {
        if let Some(text) = line.strip_prefix('#') {
            if is_said {
                (comment, is_said) = (Comment::default(), false);
            }
            comment.push(text);
        } else if line.is_empty() {
            if !has_keys && !section.is_empty() {
                table_section(&mut made, &section, &comment);
            }
            (section, comment) = (String::new(), Comment::default());
        } else if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
            write!(made, "\n## `[{section}]`\n").unwrap();
            (is_said, has_keys) = (false, false);
        } else if let Some((key, default)) = line.split_once(" = ") {
            if !has_keys {
                made += "\n| key, variable | default | unit | |\n|---|---|---|---|\n";
            }
            row(&mut made, &section, key, default, &comment);
            (is_said, has_keys) = (true, true);
        }
    }
    made
}

fn variable(section: &str, key: &str) -> String {
    format!("FLEETWIRE_{section}__{key}").to_uppercase()
}

fn row(made: &mut String, section: &str, key: &str, default: &str, comment: &Comment) {
    let unit = UNITS.iter().find(|(end, _)| key.ends_with(end));
    let unit = unit.map_or("", |(_, unit)| unit);
    let default = match default {
        "\"\"" => "(empty)".to_owned(),
        "[]" => "(none)".to_owned(),
        other => format!("`{}`", other.trim_matches('"')),
    };
    let (variable, meaning) = (variable(section, key), comment.sentence());
    writeln!(
        made,
        "| `{key}`<br>`{variable}` | {default} | {unit} | {meaning} |"
    )
    .unwrap();
}

fn table_section(made: &mut String, section: &str, comment: &Comment) {
    let (parent, key) = section.split_once('.').expect("a table below a section");
    let (text, example) = comment.text_and_example();
    let variable = variable(parent, key);
    write!(made, "\n{text}\n\n```toml\n{example}\n```\n\n").unwrap();
    writeln!(
        made,
        "Empty by default. `{variable}` (an inline table of TOML) replaces all that the file says."
    )
    .unwrap();
}

#[tokio::test]
async fn every_setting_is_described_as_the_default_file_does() {
    let server = Server::prepare(Engine::Sqlite, &[]).await;
    let (_, file, _) = server.try_plain_cli(&["config", "default"]);
    let path = "docs/settings.md";
    let page = text_of(path);
    let (before, _) = page.split_once(MARK).expect("the mark is there");
    let renewed = format!("{before}{MARK}{}", made(&file));
    #[expect(
        clippy::disallowed_methods,
        reason = "whether to renew the page is the tests' setting, not the product's"
    )]
    let is_to_renew = std::env::var_os("FLEETWIRE_TEST_RENEW").is_some();
    if is_to_renew {
        std::fs::write(in_repository(path), &renewed).unwrap();
    } else {
        assert!(
            page == renewed,
            "{path} is not of this version: `make settings` renews it"
        );
    }
    let env = server.cli(&["config", "env"]);
    let Value::Object(variables) = env else {
        panic!("no object: {env}")
    };
    let said: BTreeSet<_> = quoted(&renewed).into_iter().collect();
    let in_rows: usize = rows(&renewed).len();
    assert!(in_rows > 30, "only {in_rows} settings");
    for name in variables.keys() {
        assert!(said.contains(&**name), "{path} lacks {name}");
    }
}
