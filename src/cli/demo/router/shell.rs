//! A command line: words, quotes, and what joins commands. No pipes, no files, no variables.

use russh::Error;

use super::channel::Terminal;
use super::commands;
use super::machine::Machine;

/// What a shell answers to a line that it cannot read.
const SYNTAX_ERROR: u32 = 2;

/// Runs a line to its end: the status of its last command.
pub(super) async fn run(
    line: &str,
    machine: &Machine,
    terminal: &mut Terminal,
) -> Result<u32, Error> {
    let steps = match parse(line) {
        Ok(steps) => steps,
        Err(reason) => {
            terminal.complain(&format!("-ash: {reason}")).await?;
            return Ok(SYNTAX_ERROR);
        }
    };
    let mut status = 0;
    for step in steps {
        let runs = match step.when {
            When::Always => true,
            When::Succeeded => status == 0,
            When::Failed => status != 0,
        };
        let Some((name, arguments)) = step.words.split_first().filter(|_| runs) else {
            continue;
        };
        if name == "exit" {
            return exit(arguments, status, terminal).await;
        }
        status = commands::run(name, arguments, machine, terminal).await?;
    }
    Ok(status)
}

async fn exit(arguments: &[String], status: u32, terminal: &Terminal) -> Result<u32, Error> {
    let Some(number) = arguments.first() else {
        return Ok(status);
    };
    if let Ok(number) = number.parse::<u32>() {
        return Ok(number & 0xff);
    }
    let complaint = format!("-ash: exit: Illegal number: {number}");
    terminal.complain(&complaint).await?;
    Ok(SYNTAX_ERROR)
}

/// On what of the command before it a command depends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Always,
    Succeeded,
    Failed,
}

/// One command of a line.
#[derive(Debug, PartialEq)]
struct Step {
    when: When,
    /// Its name and its arguments; empty between two `;`.
    words: Vec<String>,
}

/// Cuts a line into its commands.
fn parse(line: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut step = Step {
        when: When::Always,
        words: Vec::new(),
    };
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        let joint = [
            ("&&", When::Succeeded),
            ("||", When::Failed),
            (";", When::Always),
            ("\n", When::Always),
        ];
        let joint = joint
            .into_iter()
            .find_map(|(sign, when)| Some((rest.strip_prefix(sign)?, when)));
        if let Some((behind, when)) = joint {
            let words = Vec::new();
            steps.push(std::mem::replace(&mut step, Step { when, words }));
            rest = behind;
        } else if rest.is_empty() {
            steps.push(step);
            return Ok(steps);
        } else {
            let (word, behind) = next_word(rest)?;
            step.words.push(word);
            rest = behind;
        }
    }
}

/// The word that a text begins with, without its quotes, and what is behind it.
fn next_word(text: &str) -> Result<(String, &str), String> {
    let mut word = String::new();
    let mut letters = text.char_indices();
    let mut quote = None;
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some('\''), _) => word.push(letter),
            (None, '\'' | '"') => quote = Some(letter),
            (None, '\\') => word.extend(letters.next().map(|(_, next)| next)),
            (Some(_), '\\') => match letters.next() {
                Some((_, next @ ('"' | '\\' | '$' | '`'))) => word.push(next),
                Some((_, next)) => word.extend(['\\', next]),
                None => {}
            },
            (None, ' ' | '\t' | '\r' | '\n' | ';') => return Ok((word, &text[at..])),
            (None, '&' | '|') if text[at + 1..].starts_with(letter) => {
                return Ok((word, &text[at..]));
            }
            (_, '$' | '`') | (None, '&' | '|' | '<' | '>' | '(' | ')') => {
                return Err(not_simulated(letter));
            }
            _ => word.push(letter),
        }
    }
    if quote.is_some() {
        return Err("syntax error: unterminated quoted string".to_owned());
    }
    Ok((word, ""))
}

fn not_simulated(sign: char) -> String {
    format!("{sign}: not simulated on this router")
}

#[cfg(test)]
mod tests {
    use super::When::{Always, Failed, Succeeded};
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        let steps = parse(line).unwrap();
        steps.into_iter().map(|step| step.words).collect()
    }

    #[test]
    fn quotes_keep_a_word_together_and_go() {
        for (line, word) in [
            ("'a b'", "a b"),
            (r#""a b""#, "a b"),
            (r"a\ b", "a b"),
            ("'a'\\''b'", "a'b"),
            (r#""\"\\\n""#, r#""\\n"#),
            ("'$x;|`'", "$x;|`"),
            ("''", ""),
            (r#"a'b'"c"d"#, "abcd"),
        ] {
            assert_eq!(words(line), [[word]], "{line}");
        }
    }

    #[test]
    fn commands_are_joined_by_signs_and_line_ends() {
        let steps = parse("a 1&&b||c ;d\ne").unwrap();
        let whens: Vec<_> = steps.iter().map(|step| step.when).collect();
        assert_eq!(whens, [Always, Succeeded, Failed, Always, Always]);
        assert_eq!(words("a 1&&b||c ;d\ne")[0], ["a", "1"]);
        assert_eq!(words("a;"), [vec!["a"], vec![]]);
    }

    #[test]
    fn what_is_not_simulated_is_refused_by_name() {
        for line in [
            "a | b",
            "a > b",
            "a &",
            "echo $HOME",
            "`a`",
            "(a)",
            "\"$x\"",
        ] {
            let reason = parse(line).unwrap_err();
            assert!(reason.ends_with("not simulated on this router"), "{line}");
        }
        assert!(parse("'a").unwrap_err().contains("unterminated"));
    }
}
