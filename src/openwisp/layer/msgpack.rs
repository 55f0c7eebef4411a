//! `MessagePack` that is JSON: what Django's consumers can send on as JSON, and nothing else.

use std::fmt;
use std::io::Cursor;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Nesting that is read. OpenWISP's deepest message, a collection of geometries, needs nine.
const DEEPEST: usize = 64;
/// Room that is made ahead for a sequence, whatever length it claims.
const MOST_AHEAD: usize = 1024;

/// Reads one value that takes all of `bytes`.
///
/// # Errors
/// With what is wrong: bytes that end early or go on, values that JSON has not (binary data, keys that
/// are no texts, numbers that are none), or too much nesting.
pub(super) fn read(bytes: &[u8]) -> Result<Value, String> {
    let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(bytes));
    deserializer.set_max_depth(DEEPEST);
    let Json(value) = Json::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    if deserializer.position() != bytes.len() as u64 {
        return Err("there are bytes after its end".into());
    }
    Ok(value)
}

/// A value as JSON has it: `serde_json::Value` would take a number that is none for null.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Self)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(E::custom("JSON has no such number")),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let ahead = items.size_hint().unwrap_or(0).min(MOST_AHEAD);
        let mut read = Vec::with_capacity(ahead);
        while let Some(Json(item)) = items.next_element()? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(Json(key)) = entries.next_key()? {
            let Value::String(key) = key else {
                return Err(A::Error::custom("a key is no text"));
            };
            let Json(value) = entries.next_value()?;
            read.insert(key, value);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_json_has_is_read_in_its_order() {
        let bytes = b"\x83\xa1z\x93\x01\xff\xc0\xa1a\xcb\x80\0\0\0\0\0\0\0\xa1m\x81\xa1k\xc3";
        let read = read(bytes).unwrap();
        assert_eq!(
            read.to_string(),
            r#"{"z":[1,-1,null],"a":-0.0,"m":{"k":true}}"#
        );
        assert_eq!(
            super::read(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
            Ok(json!(u64::MAX))
        );
    }

    #[test]
    fn what_json_has_not_is_refused() {
        let wrong: [(&str, &[u8]); 11] = [
            ("nothing", b""),
            ("binary data", b"\xc4\x01a"),
            ("a key that is a number", b"\x81\x01\x02"),
            ("a key that is null", b"\x81\xc0\x02"),
            ("a key that is binary", b"\x81\xc4\x01a\x02"),
            ("no number", b"\xcb\x7f\xf8\0\0\0\0\0\0"),
            ("infinity", b"\xcb\x7f\xf0\0\0\0\0\0\0"),
            ("an extension", b"\xd6\xff\0\0\0\0"),
            ("no UTF-8", b"\xa1\xff"),
            ("an end that is too early", b"\x92\x01"),
            ("more after the end", b"\x01\x01"),
        ];
        for (what, bytes) in wrong {
            assert!(read(bytes).is_err(), "{what}");
        }
    }

    #[test]
    fn a_claimed_length_takes_no_memory_and_nesting_no_stack() {
        assert!(read(b"\xdd\xff\xff\xff\xff").is_err());
        assert!(read(b"\xdf\xff\xff\xff\xff").is_err());
        assert!(read(b"\xdb\xff\xff\xff\xff").is_err());
        assert!(read(&vec![0x91; 1_000_000]).is_err());
        let mut maps = b"\x81\xa1a".repeat(100_000);
        maps.push(0xc0);
        assert!(read(&maps).is_err());
    }
}
