//! Where a shell is while it reads a command line: what a quoted value would be there.

/// A reader of shell text (POSIX Shell Command Language, section 2.2 to 2.7) that knows just enough
/// to say whether a single-quoted value may be put in here. What it does not understand for
/// certain, it refuses from there on.
#[derive(Debug, Default)]
pub(super) struct Shell {
    context: Context,
    /// The last character that counts, none where a word may begin; values count as nothing, for
    /// they may be left out.
    last: Option<char>,
    /// Behind a backslash.
    escaped: bool,
    /// Directly behind a value.
    behind_value: bool,
    /// Behind `$`, or in the name of a `${name}`.
    dollar: Dollar,
    /// Behind `>&` or `<&`, or in the number there.
    redirection: Redirection,
    /// Behind `<` or `>`, where the name of a file comes.
    before_file: bool,
    /// Behind something that this reader does not understand: what it is.
    lost: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Context {
    #[default]
    Plain,
    Single,
    Double,
    Backtick,
    Comment,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Dollar {
    #[default]
    None,
    Sign,
    Name,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Redirection {
    #[default]
    None,
    Sign,
    Number,
}

/// What ends a word.
const WORD_ENDS: &str = " \t\n;&|()<>";

const NESTED: &str = "stands behind quotes that hold a substitution of their own";
const EXPANSION: &str = "stands behind a ${...} that is more than a name";
const HERE_DOCUMENT: &str = "stands behind <<";
const ARITHMETIC: &str = "stands behind (( or $[";
const REDIRECTION: &str = "stands behind >& or <& with no number";
const BACKTICKS: &str = "stands behind ` ` with quotes in them; write $( )";
const DOLLAR_QUOTE: &str = "stands behind $'";

impl Shell {
    /// Reads one character of the command line.
    pub(super) fn read(&mut self, letter: char) {
        let takes_escapes = matches!(self.context, Context::Plain | Context::Double);
        if std::mem::take(&mut self.escaped) {
            // A line that is continued goes on as if nothing had been there.
            if letter != '\n' {
                // Whatever it is, it is part of a word, and begins nothing.
                self.last = Some('\\');
                (self.dollar, self.behind_value) = (Dollar::None, false);
                self.before_file = false;
                self.read_redirection(letter);
            }
            return;
        }
        if letter == '\\' && takes_escapes {
            self.escaped = true;
            if self.dollar == Dollar::Name {
                self.lose(EXPANSION);
            }
            return;
        }
        let dollar = std::mem::take(&mut self.dollar);
        let behind_value = std::mem::take(&mut self.behind_value);
        match self.context {
            Context::Single => self.close(letter, '\''),
            Context::Comment => {
                if letter == '\n' {
                    (self.context, self.last) = (Context::Plain, None);
                }
            }
            Context::Backtick => match letter {
                '`' => self.close(letter, '`'),
                '\'' | '"' | '\\' => self.lose(BACKTICKS),
                _ => {}
            },
            Context::Double => {
                self.read_dollar(dollar, letter);
                match letter {
                    '`' => self.lose(NESTED),
                    '(' if dollar == Dollar::Sign => self.lose(NESTED),
                    _ => self.close(letter, '"'),
                }
            }
            Context::Plain => {
                self.read_dollar(dollar, letter);
                self.read_plain(dollar, behind_value, letter);
            }
        }
    }

    fn read_plain(&mut self, dollar: Dollar, behind_value: bool, letter: char) {
        self.read_redirection(letter);
        self.before_file = match letter {
            '<' | '>' => true,
            ' ' | '\t' | '|' | '&' => self.before_file,
            _ => false,
        };
        match letter {
            '\'' if dollar == Dollar::Sign => self.lose(DOLLAR_QUOTE),
            '[' if dollar == Dollar::Sign => self.lose(ARITHMETIC),
            '\'' => self.context = Context::Single,
            '"' => self.context = Context::Double,
            '`' => self.context = Context::Backtick,
            '<' if self.last == Some('<') => self.lose(HERE_DOCUMENT),
            '(' if self.last == Some('(') => self.lose(ARITHMETIC),
            '&' if matches!(self.last, Some('<' | '>')) => self.redirection = Redirection::Sign,
            // A comment only if the value is left out: nobody can have meant that.
            '#' if behind_value => self.lose("stands behind a # that follows a value"),
            '#' if self.last.is_none_or(|last| WORD_ENDS.contains(last)) => {
                self.context = Context::Comment;
            }
            _ => {}
        }
        self.last = Some(letter);
    }

    /// Follows `>&` and the number behind it. What else stands there, bash expands twice.
    fn read_redirection(&mut self, letter: char) {
        self.redirection = match self.redirection {
            Redirection::None => Redirection::None,
            _ if letter.is_ascii_digit() || letter == '-' => Redirection::Number,
            Redirection::Number if WORD_ENDS.contains(letter) => Redirection::None,
            Redirection::Sign | Redirection::Number => {
                self.lose(REDIRECTION);
                Redirection::None
            }
        };
    }

    /// Follows `$`, `${` and the name in it.
    fn read_dollar(&mut self, dollar: Dollar, letter: char) {
        self.dollar = match (dollar, letter) {
            (Dollar::None | Dollar::Sign, '$') => Dollar::Sign,
            (Dollar::Sign, '{') => Dollar::Name,
            (Dollar::Name, '}') | (Dollar::None | Dollar::Sign, _) => Dollar::None,
            (Dollar::Name, letter) if letter.is_ascii_alphanumeric() || letter == '_' => {
                Dollar::Name
            }
            (Dollar::Name, _) => {
                self.lose(EXPANSION);
                Dollar::None
            }
        };
    }

    fn close(&mut self, letter: char, quote: char) {
        if letter == quote {
            (self.context, self.last) = (Context::Plain, Some(quote));
        }
    }

    fn lose(&mut self, what: &'static str) {
        self.lost.get_or_insert(what);
    }

    /// Whether a value that is put in here may be several words: it is no part of a word, as with
    /// `name=` before it, and no file's name behind `>`, also if a value before it is left out.
    /// `rest` is what follows it.
    pub(super) fn takes_words(&self, rest: &str) -> bool {
        let ends = |letter: char| WORD_ENDS.contains(letter);
        self.last.is_none_or(ends)
            && rest.chars().next().is_none_or(ends)
            && !self.behind_value
            && !self.before_file
    }

    /// Puts a quoted value in here, or says why it would not stay one.
    pub(super) fn take_value(&mut self) -> Result<(), &'static str> {
        if let Some(lost) = self.lost {
            return Err(lost);
        }
        if self.escaped {
            return Err("stands behind a backslash");
        }
        if self.redirection != Redirection::None {
            return Err(REDIRECTION);
        }
        if self.dollar != Dollar::None {
            return Err("stands behind $; a brace that is part of the command is written twice");
        }
        self.behind_value = true;
        match self.context {
            Context::Plain => Ok(()),
            Context::Single | Context::Double => {
                Err("stands in quotes; it must stand outside, for each value is quoted by itself")
            }
            Context::Backtick => Err("stands in ` `; write $( )"),
            Context::Comment => Err("stands in a comment"),
        }
    }

    /// The end of the line: nothing may be left open.
    pub(super) fn end(&self) -> Result<(), &'static str> {
        match self.context {
            _ if self.lost.is_some() => Ok(()),
            _ if self.escaped => Err("ends with a backslash"),
            Context::Plain | Context::Comment => Ok(()),
            Context::Single | Context::Double | Context::Backtick => {
                Err("has a quote that is not closed")
            }
        }
    }
}
