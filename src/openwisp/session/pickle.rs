//! Python's pickle, protocols 2 to 5, as far as it says plain values: None, numbers, texts, bytes, lists,
//! tuples, dicts and sets.
//!
//! A pickle is a program for a machine with a stack and a memo (`pickletools` of Python's library describes
//! each instruction). This machine has no instruction that imports, calls or builds anything. Those that
//! would are refused, but for a short list of value classes that real sessions hold beside the entries
//! we want: of them the machine keeps only that something was there.
//!
//! Nor does it keep what nobody asks for: of lists, tuples, sets, numbers and bytes only what they are, of
//! dicts only the entries that [`Entries`] keep. So what a pickle makes is no tree, whatever it says: a value
//! from the memo is the same value again, as in Python, nothing is ever copied, and there is no depth to
//! climb down. Each instruction makes at most one value, and their number is bounded.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Entries, Entry, NO_DICT, SessionError, bounded};

/// No more values than this are made, put on the stack, or remembered.
const MOST_VALUES: usize = 100_000;

/// No longer name of a class is repeated in an error.
const LONGEST_NAME: usize = 100;

/// Classes, and the functions that older protocols need for plain values, whose values may be in a session.
const KNOWN: [(&str, &str); 14] = [
    ("datetime", "datetime"),
    ("datetime", "date"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
    ("uuid", "UUID"),
    ("django.utils.safestring", "SafeString"),
    // Bytes in protocol 2, also those within a datetime.
    ("_codecs", "encode"),
    ("__builtin__", "bytes"),
    // Sets in protocols 2 and 3, under Python 2's name for the module and under its own.
    ("__builtin__", "set"),
    ("__builtin__", "frozenset"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
];

type Done = Result<(), SessionError>;

/// What a value is; a [`Value::Dict`] by its place in [`Machine::dicts`].
#[derive(Clone, Copy)]
enum Value<'a> {
    /// None, a bool, a number, bytes, a frozen set.
    Plain,
    Text(&'a str),
    Tuple,
    List,
    Set,
    Dict(usize),
    /// One of [`KNOWN`] itself.
    Class,
    /// What would be made by one of [`KNOWN`]. Not even a `SafeString` is a text to us.
    Opaque,
}

/// Reads the entries of a pickled dict.
///
/// # Errors
/// Where it is no such pickle, holds anything else than plain values and the known classes, or too much.
pub fn read(pickle: &[u8]) -> Result<Entries<'_>, SessionError> {
    const PROTO: u8 = 0x80;
    let mut input = Input(bounded(pickle)?);
    if input.byte()? != PROTO || !(2..=5).contains(&input.byte()?) {
        return Err(SessionError::Unreadable(
            "it is no pickle of a protocol from 2 to 5",
        ));
    }
    Machine::new(input).run()
}

struct Machine<'a> {
    input: Input<'a>,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at which there is a mark, lowest first.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    dicts: Vec<Entries<'a>>,
    /// How many values were put on the stack so far.
    made: usize,
}

const BUILDS: SessionError = SessionError::Unreadable("it builds what no plain value needs");
const NO_SUCH: SessionError = SessionError::Unreadable("it takes a value that it has not made");
const WRONG_KIND: SessionError = SessionError::Unreadable("it treats a value as of another kind");
const CUT_OFF: SessionError = SessionError::Unreadable("it is cut off");

impl<'a> Machine<'a> {
    fn new(input: Input<'a>) -> Self {
        Self {
            input,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            dicts: Vec::new(),
            made: 0,
        }
    }

    fn run(mut self) -> Result<Entries<'a>, SessionError> {
        const STOP: u8 = b'.';
        loop {
            match self.input.byte()? {
                STOP => break,
                instruction => self.step(instruction)?,
            }
        }
        let result = self.pop()?;
        if !(self.stack.is_empty() && self.marks.is_empty() && self.input.0.is_empty()) {
            return Err(SessionError::Unreadable("there is more after its end"));
        }
        match result {
            Value::Dict(at) => self.dicts.into_iter().nth(at).ok_or(NO_DICT),
            _ => Err(NO_DICT),
        }
    }

    fn step(&mut self, instruction: u8) -> Done {
        match instruction {
            // FRAME
            0x95 => self.frame(),
            // NONE, NEWTRUE, NEWFALSE
            b'N' | 0x88 | 0x89 => self.push(Value::Plain),
            // BININT1, BININT2, BININT, BINFLOAT
            b'K' => self.plain(|input| input.take(1)),
            b'M' => self.plain(|input| input.take(2)),
            b'J' => self.plain(|input| input.take(4)),
            b'G' => self.plain(|input| input.take(8)),
            // LONG1, LONG4; SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
            0x8a | b'C' => self.plain(Input::sized_1),
            0x8b | b'B' => self.plain(Input::sized_4),
            0x8e | 0x96 => self.plain(Input::sized_8),
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
            0x8c => self.text(Input::sized_1),
            b'X' => self.text(Input::sized_4),
            0x8d => self.text(Input::sized_8),
            b'(' => self.mark(),
            // POP, POP_MARK
            b'0' => self.pop().map(drop),
            b'1' => self.pop_mark().map(drop),
            // TUPLE, EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3
            b't' => self.replace_mark(Value::Tuple),
            b')' => self.push(Value::Tuple),
            0x85..=0x87 => self.tuple(instruction - 0x84),
            // EMPTY_LIST, APPEND, APPENDS
            b']' => self.push(Value::List),
            b'a' => self.pop().and_then(|_| self.expect_list()),
            b'e' => self.pop_mark().and_then(|_| self.expect_list()),
            // EMPTY_SET, ADDITEMS, FROZENSET
            0x8f => self.push(Value::Set),
            0x90 => self.pop_mark().and_then(|_| self.expect_set()),
            0x91 => self.replace_mark(Value::Plain),
            // EMPTY_DICT, SETITEM, SETITEMS
            b'}' => self.dict(),
            b's' => self.set_item(),
            b'u' => self.set_items(),
            // MEMOIZE, BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
            0x94 => self.memoize(),
            b'q' => self.input.number_1().and_then(|at| self.remember(at)),
            b'r' => self.input.number_4().and_then(|at| self.remember(at)),
            b'h' => self.input.number_1().and_then(|at| self.recall(at)),
            b'j' => self.input.number_4().and_then(|at| self.recall(at)),
            // GLOBAL, STACK_GLOBAL; REDUCE and NEWOBJ, NEWOBJ_EX; BUILD
            b'c' => self.global(),
            0x93 => self.stack_global(),
            b'R' | 0x81 => self.call(1),
            0x92 => self.call(2),
            b'b' => self.build(),
            // The rest is of protocols 0 and 1, or names objects by other means.
            _ => Err(BUILDS),
        }
    }

    /// A frame says how many of the next bytes belong together: no more than a promise.
    fn frame(&mut self) -> Done {
        let length = self.input.number_8()?;
        if self.input.0.len() < length {
            return Err(CUT_OFF);
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) -> Done {
        self.count()?;
        self.stack.push(value);
        Ok(())
    }

    fn count(&mut self) -> Done {
        self.made += 1;
        if self.made > MOST_VALUES {
            return Err(SessionError::TooLarge("it has more than 100,000 values"));
        }
        Ok(())
    }

    fn plain(
        &mut self,
        read: impl FnOnce(&mut Input<'a>) -> Result<&'a [u8], SessionError>,
    ) -> Done {
        read(&mut self.input)?;
        self.push(Value::Plain)
    }

    fn text(
        &mut self,
        read: impl FnOnce(&mut Input<'a>) -> Result<&'a [u8], SessionError>,
    ) -> Done {
        let text = utf8(read(&mut self.input)?)?;
        self.push(Value::Text(text))
    }

    fn mark(&mut self) -> Done {
        self.count()?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The height down to which values may be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Value<'a>, SessionError> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn top(&self) -> Result<Value<'a>, SessionError> {
        let above = self.stack.get(self.floor()..).unwrap_or_default();
        above.last().copied().ok_or(NO_SUCH)
    }

    /// The values above the last mark, which goes as well.
    fn pop_mark(&mut self) -> Result<Vec<Value<'a>>, SessionError> {
        let mark = self.marks.pop().ok_or(NO_SUCH)?;
        Ok(self.stack.split_off(mark))
    }

    fn replace_mark(&mut self, value: Value<'a>) -> Done {
        self.pop_mark()?;
        self.push(value)
    }

    fn tuple(&mut self, length: u8) -> Done {
        for _ in 0..length {
            self.pop()?;
        }
        self.push(Value::Tuple)
    }

    fn expect_list(&self) -> Done {
        matches!(self.top()?, Value::List)
            .then_some(())
            .ok_or(WRONG_KIND)
    }

    fn expect_set(&self) -> Done {
        matches!(self.top()?, Value::Set)
            .then_some(())
            .ok_or(WRONG_KIND)
    }

    fn dict(&mut self) -> Done {
        self.push(Value::Dict(self.dicts.len()))?;
        self.dicts.push(Entries::default());
        Ok(())
    }

    fn set_item(&mut self) -> Done {
        let (value, key) = (self.pop()?, self.pop()?);
        self.set(&[key, value])
    }

    fn set_items(&mut self) -> Done {
        let items = self.pop_mark()?;
        self.set(&items)
    }

    /// Sets keys and values in turn in the dict on top.
    fn set(&mut self, items: &[Value<'a>]) -> Done {
        let Value::Dict(at) = self.top()? else {
            return Err(WRONG_KIND);
        };
        let dict = self.dicts.get_mut(at).ok_or(WRONG_KIND)?;
        for item in items.chunks(2) {
            match *item {
                [Value::Text(key), Value::Text(text)] => {
                    dict.set(key, Entry::Text(Cow::Borrowed(text)));
                }
                [Value::Text(key), _] => dict.set(key, Entry::Other),
                [Value::Plain | Value::Tuple, _] => {}
                // Python could take an object for one of the texts we look for; the others are no keys.
                _ => return Err(WRONG_KIND),
            }
        }
        Ok(())
    }

    fn memoize(&mut self) -> Done {
        let next = u32::try_from(self.memo.len()).map_err(|_| NO_SUCH)?;
        self.remember(next)
    }

    fn remember(&mut self, at: u32) -> Done {
        self.count()?;
        self.memo.insert(at, self.top()?);
        Ok(())
    }

    fn recall(&mut self, at: u32) -> Done {
        let value = self.memo.get(&at).copied().ok_or(NO_SUCH)?;
        self.push(value)
    }

    fn global(&mut self) -> Done {
        let (module, name) = (utf8(self.input.line()?)?, utf8(self.input.line()?)?);
        self.class(module, name)
    }

    fn stack_global(&mut self) -> Done {
        match (self.pop()?, self.pop()?) {
            (Value::Text(name), Value::Text(module)) => self.class(module, name),
            _ => Err(WRONG_KIND),
        }
    }

    fn class(&mut self, module: &str, name: &str) -> Done {
        if KNOWN.contains(&(module, name)) {
            return self.push(Value::Class);
        }
        let is_shown = [module, name].into_iter().all(|part| {
            let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"_.".contains(&it);
            !part.is_empty() && part.len() <= LONGEST_NAME && part.bytes().all(is_plain)
        });
        Err(SessionError::Object(if is_shown {
            format!("an object of {module}.{name}")
        } else {
            "an object of a class with an odd name".to_owned()
        }))
    }

    /// What a class would make of a tuple of arguments, and perhaps a dict of named ones.
    fn call(&mut self, arguments: usize) -> Done {
        if arguments == 2 && !matches!(self.pop()?, Value::Dict(_)) {
            return Err(WRONG_KIND);
        }
        match (self.pop()?, self.pop()?) {
            (Value::Tuple, Value::Class) => self.push(Value::Opaque),
            (_, Value::Class) => Err(WRONG_KIND),
            _ => Err(BUILDS),
        }
    }

    /// Gives an object its state, which is all the same to us.
    fn build(&mut self) -> Done {
        self.pop()?;
        match self.top()? {
            Value::Opaque => Ok(()),
            _ => Err(BUILDS),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, SessionError> {
    std::str::from_utf8(bytes).map_err(|_| SessionError::Unreadable("a text in it is not UTF-8"))
}

/// The bytes that were not read yet. No length in them is believed beyond their end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], SessionError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SessionError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, SessionError> {
        self.array().map(|[byte]| byte)
    }

    fn number_1(&mut self) -> Result<u32, SessionError> {
        self.byte().map(u32::from)
    }

    fn number_4(&mut self) -> Result<u32, SessionError> {
        self.array().map(u32::from_le_bytes)
    }

    fn number_8(&mut self) -> Result<usize, SessionError> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| CUT_OFF)
    }

    /// So many bytes as the one before them says.
    fn sized_1(&mut self) -> Result<&'a [u8], SessionError> {
        let length = self.byte()?;
        self.take(length.into())
    }

    fn sized_4(&mut self) -> Result<&'a [u8], SessionError> {
        let length = usize::try_from(self.number_4()?).map_err(|_| CUT_OFF)?;
        self.take(length)
    }

    fn sized_8(&mut self) -> Result<&'a [u8], SessionError> {
        let length = self.number_8()?;
        self.take(length)
    }

    /// Up to the end of the line, which is read as well.
    fn line(&mut self) -> Result<&'a [u8], SessionError> {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(CUT_OFF)?;
        let line = self.take(end)?;
        self.byte()?;
        Ok(line)
    }
}

#[cfg(test)]
#[path = "pickle_tests.rs"]
mod tests;
