//! A command line with places for values: `ping -c {count} {destination}`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::shell::Shell;

/// A command line with places for values. Each value is quoted for the shell where it is put in,
/// so a place may only stand where such a quoted value is nothing but one word, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommandTemplate {
    source: String,
    parts: Vec<TemplatePart>,
    /// The names at places where a value must be a single word.
    single_words: Vec<String>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// Shell text as it stands.
    Text(String),
    /// The value of the input's property of this name.
    Value(String),
}

impl CommandTemplate {
    /// Its pieces, in order.
    #[must_use]
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// The names of the properties whose values it takes.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Value(name) => Some(name.as_str()),
            TemplatePart::Text(_) => None,
        })
    }

    /// Whether the value of this name may be several words wherever it is put in.
    pub(super) fn takes_words(&self, name: &str) -> bool {
        self.single_words.iter().all(|single| single != name)
    }

    pub(super) fn is_blank(&self) -> bool {
        self.source.trim().is_empty()
    }
}

/// Why a text is no template.
#[derive(Debug, PartialEq, Eq)]
pub struct TemplateError(String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CommandTemplate {
    type Error = TemplateError;

    fn try_from(source: String) -> Result<Self, TemplateError> {
        if source.contains('\0') {
            return Err(TemplateError("must not hold U+0000".into()));
        }
        let mut parts = Vec::new();
        let mut single_words = Vec::new();
        let mut text = String::new();
        let mut shell = Shell::default();
        let mut rest = source.as_str();
        while let Some(letter) = rest.chars().next() {
            let doubled = rest[letter.len_utf8()..].starts_with(letter);
            match letter {
                '{' | '}' if doubled => {
                    text.push(letter);
                    shell.read(letter);
                    rest = &rest[2..];
                }
                '{' => {
                    let (name, behind) = place(rest)?;
                    if !shell.takes_words(behind) {
                        single_words.push(name.to_owned());
                    }
                    shell
                        .take_value()
                        .map_err(|reason| TemplateError(format!("{{{name}}} {reason}")))?;
                    if !text.is_empty() {
                        parts.push(TemplatePart::Text(std::mem::take(&mut text)));
                    }
                    parts.push(TemplatePart::Value(name.to_owned()));
                    rest = behind;
                }
                '}' => {
                    let reason = "has a } that closes nothing; write }} for the character";
                    return Err(TemplateError(reason.into()));
                }
                other => {
                    text.push(other);
                    shell.read(other);
                    rest = &rest[other.len_utf8()..];
                }
            }
        }
        if !text.is_empty() {
            parts.push(TemplatePart::Text(text));
        }
        shell.end().map_err(|reason| TemplateError(reason.into()))?;
        Ok(Self {
            source,
            parts,
            single_words,
        })
    }
}

impl From<CommandTemplate> for String {
    fn from(template: CommandTemplate) -> Self {
        template.source
    }
}

/// The name in a place that begins `rest`, and what follows it.
fn place(rest: &str) -> Result<(&str, &str), TemplateError> {
    let named = rest[1..].split_once('}');
    match named {
        Some((name, behind)) if !name.is_empty() && !name.contains(['{', '\n']) => {
            Ok((name, behind))
        }
        _ => {
            let reason = "has a { with no name and } behind it; write {{ for the character";
            Err(TemplateError(reason.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(source: &str) -> Result<Vec<TemplatePart>, String> {
        CommandTemplate::try_from(source.to_owned())
            .map(|template| template.parts)
            .map_err(|error| error.0)
    }

    fn text(text: &str) -> TemplatePart {
        TemplatePart::Text(text.into())
    }

    fn value(name: &str) -> TemplatePart {
        TemplatePart::Value(name.into())
    }

    #[test]
    fn places_are_in_braces_and_braces_are_doubled() {
        assert_eq!(
            parts("ping -c {count} {to}"),
            Ok(vec![
                text("ping -c "),
                value("count"),
                text(" "),
                value("to")
            ])
        );
        assert_eq!(
            parts("awk '{{print $1}}' é{file}"),
            Ok(vec![text("awk '{print $1}' é"), value("file")])
        );
        assert_eq!(parts("{{{x}}}"), Ok(vec![text("{"), value("x"), text("}")]));
        assert_eq!(parts("uptime"), Ok(vec![text("uptime")]));
        assert_eq!(parts(""), Ok(vec![]));
        for bad in [
            "{", "}", "a {b", "a b}", "{}", "{a{b}", "echo {{}", "{x}}", "a\0",
        ] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn several_words_stand_only_where_each_is_one_of_its_own() {
        for good in [
            "{x}",
            "ls -- {x}",
            "ls\t{x};pwd",
            "cat {x}>/tmp/a 2>&1",
            "sort </tmp/a {x}",
            "sort > \"/tmp/a\" {x}",
            "sort >\\a {x}",
            "for i in {x}; do :; done",
            "$(ls {x})&&(ls {x})|wc",
            "ls \\\n {x} \\\n",
        ] {
            let template = CommandTemplate::try_from(good.to_owned()).unwrap();
            assert!(template.takes_words("x"), "{good}");
        }
        for bad in [
            "a={x} ls",
            "ls -d{x}",
            "ls {x}.txt",
            "ls 'a'{x}",
            "ls {x}\"a\"",
            "ls {x}$HOME",
            "ls {x}{y}",
            "ls {y}{x}",
            "ls {x}}}",
            "ls a\\ {x}",
            "ls {x}\\\na",
            "ls a\\\n{x}",
            "ls >{x}",
            "ls > {x}",
            "ls >> {x}",
            "ls >| {x}",
            "ls &> {x}",
            "ls 2>\t\\\n {x}",
            "wc < {x}",
            "ls > {y} {x}",
            "ls {x} > {x}",
        ] {
            let template = CommandTemplate::try_from(bad.to_owned()).unwrap();
            assert!(!template.takes_words("x"), "{bad}");
        }
    }

    #[test]
    fn a_value_stands_only_where_its_quotes_hold() {
        for good in [
            "ping {x}",
            "a={x}; b=pre{x}post",
            "echo \"it's\" '\"' {x}",
            "echo \"$HOME ${{HOME}}\" {x}",
            "$(cat {x}) && ( ls {x} ) | grep -e {x} > /tmp/{x} 2>&1",
            "a # a comment's quote\necho {x}",
            "a#'b' {x}",
            "`date` {x}",
            "echo \\\\{x} \\' {x}",
            "echo \\\n {x}",
            "echo {x}{y}",
            "(a 2>&1 >&-)2>&1 && {x} &",
            "echo $# $1 ${{PATH}} {x}",
        ] {
            assert!(parts(good).is_ok(), "{good}: {:?}", parts(good));
        }
        for bad in [
            "echo \"{x}\"",
            "echo '{x}'",
            "echo 'it'\\''s {x}'",
            "echo \\{x}",
            "echo ${x}",
            "echo $$'a{x}'",
            "echo $'\\'' {x}",
            "echo `cat {x}`",
            "echo `echo '`'` {x}",
            "echo # {x}",
            "#{x}",
            "a;#{x}",
            "echo \"$(echo \"{x}\")\"",
            "echo \"`echo \"{x}\"`\"",
            "echo ${{a:-{x}}}",
            "echo \"${{a:-\"{x}\"}}\"",
            "cat <<EOF\n{x}\nEOF",
            "echo {x}<{x}<EOF {x}",
            "echo $\\\n{x}",
            "echo $\\\n'\\'' {x}",
            "\\\n#{x}",
            "cat <\\\n<EOF\n{x}\nEOF",
            "echo >&{x}",
            "echo >& {x}",
            "echo 2>&1{x}",
            "echo <&\\\n{x}",
            "echo $(( {x} ))",
            "(( a = {x} ))",
            "echo $[ {x} ]",
            "echo {x}#' \n{x}'",
            "echo \"{x}",
            "echo 'open",
            "echo \"open",
            "echo `open",
            "echo {x} \\",
        ] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }
}
