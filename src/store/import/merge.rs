//! Three states of a thing's fields: there at the last import, there now, and here.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

/// A thing's fields by their names.
pub(super) type Fields = Map<String, Value>;

/// The fields of an object literal.
pub(super) fn fields(object: Value) -> Fields {
    match object {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// The id that a field is.
pub(super) fn uuid(fields: &Fields, field: &str) -> Option<Uuid> {
    fields.get(field)?.as_str()?.parse().ok()
}

/// What an import makes of a thing that is here already.
pub(super) struct Merge<'a> {
    /// As it was there at the last import, if there was one.
    pub base: Option<&'a Fields>,
    /// As it is there.
    pub there: &'a Fields,
    /// As it is here.
    pub here: &'a Fields,
}

impl Merge<'_> {
    /// The value of a field that has changed there since, and is not here yet.
    pub fn take<T: DeserializeOwned>(&self, field: &str) -> Option<T> {
        let there = &self.there[field];
        let is_new = self.base.is_none_or(|base| base.get(field) != Some(there));
        if !is_new || self.here.get(field) == Some(there) {
            return None;
        }
        T::deserialize(there).ok()
    }

    /// What is to be added to a list and what removed from it. Without an earlier import it becomes
    /// what it is there.
    pub fn difference<T: DeserializeOwned>(&self, field: &str) -> (Vec<T>, Vec<T>) {
        let list = |fields: &Fields| -> Vec<Value> {
            fields
                .get(field)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let (there, here) = (list(self.there), list(self.here));
        let base = self.base.map_or_else(|| here.clone(), list);
        let added = there
            .iter()
            .filter(|it| !here.contains(it) && !base.contains(it));
        let removed = base
            .iter()
            .filter(|it| !there.contains(it) && here.contains(it));
        (read(added), read(removed))
    }

    /// Whether anything is to be done here.
    pub fn is_needed(&self) -> bool {
        self.there.iter().any(|(field, value)| match value {
            Value::Array(_) => {
                let (added, removed) = self.difference::<Value>(field);
                !added.is_empty() || !removed.is_empty()
            }
            _ => self.take::<Value>(field).is_some(),
        })
    }
}

fn read<'a, T: DeserializeOwned>(values: impl Iterator<Item = &'a Value>) -> Vec<T> {
    values
        .filter_map(|value| T::deserialize(value).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(base: Option<Value>, there: &Value, here: &Value) -> Option<Value> {
        let base = base.map(|value| fields(json!({"x": value})));
        let (there, here) = (fields(json!({"x": there})), fields(json!({"x": here})));
        let merge = Merge {
            base: base.as_ref(),
            there: &there,
            here: &here,
        };
        assert_eq!(merge.is_needed(), merge.take::<Value>("x").is_some());
        merge.take("x")
    }

    #[test]
    fn what_changed_there_is_taken_and_what_changed_here_stays() {
        for (base, there, here, expected) in [
            (None, "a", "a", None),
            (None, "b", "a", Some("b")),
            (Some("a"), "a", "a", None),
            (Some("a"), "a", "changed here", None),
            (Some("a"), "b", "a", Some("b")),
            (Some("a"), "b", "changed here", Some("b")),
            (Some("a"), "b", "b", None),
        ] {
            let found = taken(base.map(Value::from), &there.into(), &here.into());
            assert_eq!(found, expected.map(Value::from), "{base:?} {there} {here}");
        }
    }

    #[test]
    fn nothing_is_a_value_too() {
        assert_eq!(
            taken(Some(json!("a")), &Value::Null, &json!("a")),
            Some(Value::Null)
        );
        assert_eq!(taken(Some(Value::Null), &Value::Null, &json!("a")), None);
        let (there, here) = (fields(json!({"x": null})), fields(json!({"x": "a"})));
        let merge = Merge {
            base: None,
            there: &there,
            here: &here,
        };
        assert_eq!(merge.take::<Option<String>>("x"), Some(None));
    }

    #[test]
    fn a_list_is_followed_item_by_item() {
        for (base, there, here, expected) in [
            (None, "ab", "bc", ("a", "c")),
            (Some("ab"), "ab", "b", ("", "")),
            (Some("ab"), "ab", "abc", ("", "")),
            (Some("ab"), "b", "abc", ("", "a")),
            (Some("ab"), "abd", "b", ("d", "")),
            (Some("a"), "", "", ("", "")),
        ] {
            let list = |text: &str| {
                let items: Vec<String> = text.chars().map(String::from).collect();
                fields(json!({"x": items}))
            };
            let base = base.map(list);
            let (there, here) = (list(there), list(here));
            let merge = Merge {
                base: base.as_ref(),
                there: &there,
                here: &here,
            };
            let (added, removed) = merge.difference::<String>("x");
            let found = (added.concat(), removed.concat());
            assert_eq!(found, (expected.0.into(), expected.1.into()), "{here:?}");
        }
    }
}
