//! The fenced blocks of a page, and whether an output is the expected one.

/// A fenced block: what a reader types, or is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where its fence opens, from 1.
    pub line: usize,
    /// The first word behind the fence.
    pub language: String,
    /// The words behind that one.
    pub tags: Vec<String>,
    pub text: String,
}

impl Block {
    /// Whether it has a tag without a value.
    pub fn is(&self, tag: &str) -> bool {
        self.tags.iter().any(|it| it == tag)
    }

    /// The value of `name=value`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut named = self.tags.iter().filter_map(|tag| tag.split_once('='));
        named.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// The blocks of a page, in its order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (at, line) in page.lines().enumerate() {
        let Some(info) = line.strip_prefix("```") else {
            if is_open {
                let text = &mut found.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            continue;
        };
        is_open = !is_open;
        if is_open {
            let mut words = info.split_whitespace().map(str::to_owned);
            found.push(Block {
                line: at + 1,
                language: words.next().unwrap_or_default(),
                tags: words.collect(),
                text: String::new(),
            });
        }
    }
    assert!(!is_open, "a block is not closed");
    found
}

/// What stands for anything: within a line any text, on a line of its own any lines.
const ANYTHING: &str = "…";

/// Whether the whole of `output` is as `expected`.
pub fn is_as_expected(expected: &str, output: &str) -> bool {
    let (expected, output) = (lines(expected), lines(output));
    beginning(&expected, &output) == Some(output.len())
}

/// Where the lines that are as `expected` end, of those of `output` from `from` on; none when they
/// have not all come yet, or others have.
pub fn end_of_expected(expected: &str, output: &str, from: usize) -> Option<usize> {
    let (expected, output) = (lines(expected), lines(output));
    let length = beginning(&expected, output.get(from..)?)?;
    Some(from + length)
}

fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

/// How many of the first lines of `output` are as `expected`: all where that may be.
fn beginning(expected: &[&str], output: &[&str]) -> Option<usize> {
    let Some((first, rest)) = expected.split_first() else {
        return Some(0);
    };
    if *first == ANYTHING {
        if rest.is_empty() {
            return Some(output.len());
        }
        return (0..=output.len())
            .find_map(|skip| beginning(rest, &output[skip..]).map(|length| skip + length));
    }
    let (line, others) = output.split_first()?;
    if is_line(first, line) {
        beginning(rest, others).map(|length| length + 1)
    } else {
        None
    }
}

fn is_line(expected: &str, line: &str) -> bool {
    let Some((before, after)) = expected.split_once(ANYTHING) else {
        return expected == line;
    };
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| is_line(after, &rest[at..]))
}

#[test]
fn blocks_have_a_language_and_tags() {
    let page = "a\n```sh in=server fails\none\n\ntwo\n```\nb\n```text\n```\n";
    let found = blocks(page);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, &*found[0].language), (2, "sh"));
    assert_eq!(found[0].value("in"), Some("server"));
    assert!(found[0].is("fails") && !found[0].is("in"));
    assert_eq!(found[0].text, "one\n\ntwo\n");
    assert_eq!((found[1].line, &*found[1].text), (8, ""));
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    for (expected, output, is_expected) in [
        ("one\n", "one\n", true),
        ("one", "one\ntwo", false),
        ("one\ntwo", "one", false),
        ("…", "", true),
        ("o…e", "one", true),
        ("o…e…", "one more", true),
        ("o…e", "on", false),
        ("a…b", "a\nb", false),
        ("one\n…\nfour", "one\ntwo\nthree\nfour", true),
        ("one\n…\nfour", "one\nfour", true),
        ("one\n…\nfour", "one\nfour\nfive", false),
        ("one\n…", "one\ntwo", true),
    ] {
        assert_eq!(
            is_as_expected(expected, output),
            is_expected,
            "{expected:?} {output:?}"
        );
    }
    let output = "zero\none\ntwo\none\n";
    assert_eq!(end_of_expected("one", output, 0), None);
    assert_eq!(end_of_expected("one", output, 1), Some(2));
    assert_eq!(end_of_expected("…\none", output, 0), Some(2));
    assert_eq!(end_of_expected("…\none", output, 2), Some(4));
    assert_eq!(end_of_expected("…\none", output, 4), None);
}
