//! Values as Python writes them: OpenWISP's error sentences quote what they are about that way.

use std::fmt::Write;

use serde_json::Value;

/// Characters of a value that a sentence repeats at most.
const MOST: usize = 200;

/// Python's `repr()` of a JSON value, cut where it gets long.
pub(super) fn repr(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    cut(text)
}

/// Python's `repr()` of a text, cut where it gets long.
pub(super) fn repr_text(value: &str) -> String {
    let mut text = String::new();
    write_text(&mut text, value);
    cut(text)
}

/// `repr()` of each, with commas between.
pub(super) fn reprs<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    cut(texts
        .into_iter()
        .map(repr_text)
        .collect::<Vec<_>>()
        .join(", "))
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MOST) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(double) => write_double(out, double),
            None => out.push_str(&number.to_string()),
        },
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (index, (key, value)) in object.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_text(out, key);
                out.push_str(": ");
                write(out, value);
            }
            out.push('}');
        }
    }
}

/// The shortest digits that give the double back, with an exponent from 1e16 up and below 1e-4.
fn write_double(out: &mut String, double: f64) {
    let scientific = format!("{double:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let written = if (-4..16).contains(&exponent) {
        write!(out, "{double:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.abs())
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

/// Single quotes, unless there is one inside and no double one.
fn write_text(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            letter if letter == quote => out.extend(['\\', quote]),
            letter if is_printable(letter) => out.push(letter),
            letter => write_escape(out, letter),
        }
    }
    out.push(quote);
}

fn is_printable(letter: char) -> bool {
    letter == ' ' || !(letter.is_control() || letter.is_whitespace())
}

fn write_escape(out: &mut String, letter: char) {
    let number = u32::from(letter);
    let written = match number {
        0..=0xff => write!(out, "\\x{number:02x}"),
        0x100..=0xffff => write!(out, "\\u{number:04x}"),
        _ => write!(out, "\\U{number:08x}"),
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_python_does() {
        for (value, expected) in [
            (json!(null), "None"),
            (json!([true, false]), "[True, False]"),
            (json!({"a": 1, "b": []}), "{'a': 1, 'b': []}"),
            (json!("it's"), "\"it's\""),
            (json!("it's \"so\""), "'it\\'s \"so\"'"),
            (
                json!("a\\b\n\t\r\u{1}é\u{a0}\u{2028}"),
                "'a\\\\b\\n\\t\\r\\x01é\\xa0\\u2028'",
            ),
            (json!(-5), "-5"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(1.0), "1.0"),
            (json!(0.1), "0.1"),
            (json!(1e16), "1e+16"),
            (json!(123_456_789_012_345.0), "123456789012345.0"),
            (json!(1.5e300), "1.5e+300"),
            (json!(0.0001), "0.0001"),
            (json!(1.5e-5), "1.5e-05"),
        ] {
            assert_eq!(repr(&value), expected);
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let long = repr_text(&"é".repeat(1000));
        assert_eq!(long.chars().count(), MOST + 3);
        assert!(long.ends_with("é..."), "{long}");
    }
}
