//! The fields of a request's body: read one by one, so that every wrong one is named at once, in
//! the sentences of Django REST framework.

use std::str::FromStr;

use serde_json::Value;

use super::body::{Object, python_type};
use super::geometry;
use crate::access::User;
use crate::event::{OrganizationId, Point};
use crate::store::FieldErrors;

/// Whether fields that are required may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// POST and PUT: they may not.
    Whole,
    /// PATCH: what is left out stays as it is.
    Partial,
}

/// The body's fields, and what is wrong with those read so far. A getter answers `None` for a
/// field that was left out or is wrong; [`Fields::finish`] tells the two apart.
pub struct Fields<'a> {
    object: &'a Object,
    mode: Mode,
    errors: FieldErrors,
}

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";

impl<'a> Fields<'a> {
    /// The fields of `object`.
    pub fn new(object: &'a Object, mode: Mode) -> Self {
        Self {
            object,
            mode,
            errors: FieldErrors::default(),
        }
    }

    /// Says that a field is wrong.
    pub fn refuse(&mut self, name: &str, reason: impl Into<String>) {
        self.errors.add(name, reason);
    }

    /// Adds what another check found, in fields that were not found wrong before.
    pub fn refuse_too(&mut self, check: Result<(), FieldErrors>) {
        for (name, reasons) in check.err().unwrap_or_default().0 {
            self.errors.0.entry(name).or_insert(reasons);
        }
    }

    /// The errors of all that was read.
    ///
    /// # Errors
    /// When anything was wrong.
    pub fn finish(self) -> Result<(), FieldErrors> {
        self.errors.into_result()
    }

    /// A field as it stands there.
    pub fn raw(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name)
    }

    /// A field that must be there, and may be null.
    pub fn present(&mut self, name: &str) -> Option<&'a Value> {
        if self.mode == Mode::Whole && !self.object.contains_key(name) {
            self.refuse(name, REQUIRED);
        }
        self.raw(name)
    }

    /// A field that must be there, and not be null.
    pub fn required(&mut self, name: &str) -> Option<&'a Value> {
        self.present(name);
        self.not_null(name)
    }

    /// A field that may be left out, but not be null.
    pub fn not_null(&mut self, name: &str) -> Option<&'a Value> {
        let value = self.raw(name)?;
        if value.is_null() {
            self.refuse(name, NULL);
            return None;
        }
        Some(value)
    }

    /// A required text that says something.
    pub fn required_text(&mut self, name: &str) -> Option<String> {
        let value = self.required(name)?;
        let text = self.text_of(name, value)?.trim().to_owned();
        if text.is_empty() {
            self.refuse(name, BLANK);
            return None;
        }
        Some(text)
    }

    /// A required text of which every character counts.
    pub fn required_password(&mut self, name: &str) -> Option<String> {
        let value = self.required(name)?;
        let text = self.text_of(name, value)?;
        if text.is_empty() {
            self.refuse(name, BLANK);
            return None;
        }
        Some(text)
    }

    /// A text of which every character counts. Left out, null and empty are the same.
    pub fn password(&mut self, name: &str) -> Option<String> {
        let value = self.raw(name).filter(|value| !value.is_null())?;
        self.text_of(name, value).filter(|text| !text.is_empty())
    }

    /// A text that may be left out, and may be blank.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let value = self.not_null(name)?;
        self.text_of(name, value).map(|text| text.trim().to_owned())
    }

    /// A text that may be left out, but not be blank.
    pub fn text_that_says_something(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        if text.is_empty() {
            self.refuse(name, BLANK);
            return None;
        }
        Some(text)
    }

    /// A text that may be null, which a blank one is too: `Some(None)`.
    #[expect(
        clippy::option_option,
        reason = "left out, taken away or set, as in `DeviceChange`"
    )]
    pub fn nullable_text(&mut self, name: &str) -> Option<Option<String>> {
        if self.raw(name)?.is_null() {
            return Some(None);
        }
        self.text(name)
            .map(|text| (!text.is_empty()).then_some(text))
    }

    fn text_of(&mut self, name: &str, value: &Value) -> Option<String> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => {
                self.refuse(name, "Not a valid string.");
                return None;
            }
        };
        // PostgreSQL cannot keep them.
        if text.contains('\0') {
            self.refuse(name, "Null characters are not allowed.");
            return None;
        }
        Some(text)
    }

    /// A boolean, also in the words that forms use for it.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.not_null(name)?;
        let word = match value {
            Value::Bool(value) => return Some(*value),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => {
                self.refuse(name, "Must be a valid boolean.");
                None
            }
        }
    }

    /// A whole number that may be left out.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let number = match self.not_null(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.refuse(name, "A valid integer is required.");
        }
        number
    }

    /// One of the words that `T` knows.
    pub fn required_choice<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let value = self.required(name)?;
        self.choice_of(name, value, |word| word.parse().ok())
    }

    /// What `find` knows by the word in a `value` of this field.
    pub fn choice_of<T>(
        &mut self,
        name: &str,
        value: &Value,
        find: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let word = match value {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        let choice = find(&word);
        if choice.is_none() {
            self.refuse(name, format!("\"{word}\" is not a valid choice."));
        }
        choice
    }

    /// A reference that may be left out or null.
    pub fn optional_id<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let value = self.raw(name).filter(|value| !value.is_null())?;
        self.id_of(name, value)
    }

    /// A reference that must be there.
    pub fn required_id<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let value = self.required(name)?;
        self.id_of(name, value)
    }

    fn id_of<T: FromStr>(&mut self, name: &str, value: &Value) -> Option<T> {
        match id(value) {
            Ok(id) => Some(id),
            Err(reason) => {
                self.refuse(name, reason);
                None
            }
        }
    }

    /// The organization that something is to belong to. One that `user` does not manage does not
    /// exist, as far as that user is told.
    pub fn organization(&mut self, user: &User) -> Option<OrganizationId> {
        const NAME: &str = "organization";
        let id: OrganizationId = self.required_id(NAME)?;
        if !user.manages(id) {
            self.refuse(NAME, no_such_pk(id));
            return None;
        }
        Some(id)
    }

    /// A list of texts that may be left out.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let value = self.not_null(name)?;
        let items = self.items_of(name, value)?;
        let before = self.errors.0.get(name).map_or(0, Vec::len);
        let texts: Vec<String> = items
            .iter()
            .filter_map(|item| self.text_of(name, item))
            .collect();
        let is_right = self.errors.0.get(name).map_or(0, Vec::len) == before;
        is_right.then(|| texts.iter().map(|text| text.trim().to_owned()).collect())
    }

    /// The items of a list, in a `value` of this field.
    pub fn items_of<'v>(&mut self, name: &str, value: &'v Value) -> Option<&'v [Value]> {
        let Value::Array(items) = value else {
            let found = python_type(value);
            let reason = format!("Expected a list of items but got type \"{found}\".");
            self.refuse(name, reason);
            return None;
        };
        Some(items)
    }

    /// A position; `Some(None)` takes it away.
    #[expect(
        clippy::option_option,
        reason = "left out, taken away or set, as in `LocationChange`"
    )]
    pub fn geometry(&mut self) -> Option<Option<Point>> {
        let value = self.raw("geometry")?;
        if value.is_null() {
            return Some(None);
        }
        self.point(value).map(Some)
    }

    /// A position that must be there.
    pub fn required_geometry(&mut self) -> Option<Point> {
        let value = self.required("geometry")?;
        self.point(value)
    }

    fn point(&mut self, value: &Value) -> Option<Point> {
        match geometry::point(value) {
            Ok(point) => Some(point),
            Err(reason) => {
                self.refuse("geometry", reason);
                None
            }
        }
    }

    /// Something of OpenWISP's that we keep nothing of: null and empty pass, all else would be lost.
    pub fn nothing_but_empty(&mut self, name: &str, reason: &str) {
        let is_empty = match self.raw(name) {
            None | Some(Value::Null) => true,
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::String(text)) => text.is_empty(),
            Some(_) => false,
        };
        if !is_empty {
            self.refuse(name, reason);
        }
    }
}

/// Reads an identifier.
///
/// # Errors
/// The sentence that says why it is none.
pub fn id<T: FromStr>(value: &Value) -> Result<T, String> {
    match value {
        // What forms send for null.
        Value::String(text) if text.is_empty() => Err(NULL.into()),
        Value::String(text) => text
            .parse()
            .map_err(|_| format!("“{text}” is not a valid UUID.")),
        other => {
            let found = python_type(other);
            Err(format!(
                "Incorrect type. Expected pk value, received {found}."
            ))
        }
    }
}

/// Says that an identifier names nothing, or nothing that this user may see.
pub fn no_such_pk(id: impl std::fmt::Display) -> String {
    format!("Invalid pk \"{id}\" - object does not exist.")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::access::PermissionSet;
    use crate::event::LocationType;

    fn user(manages: &[OrganizationId]) -> User {
        User {
            id: crate::event::UserId::random(),
            username: "ann".into(),
            is_superuser: false,
            is_staff: true,
            permissions: PermissionSet::default(),
            manages: manages.iter().copied().collect(),
            member_of: BTreeSet::default(),
            password_version: 0,
        }
    }

    fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    /// What one getter says to one value: its answer, or its sentence.
    fn read<T>(value: &Value, get: impl Fn(&mut Fields) -> Option<T>) -> Result<Option<T>, String> {
        let object = object(json!({ "it": value }));
        let mut fields = Fields::new(&object, Mode::Whole);
        let answer = get(&mut fields);
        match fields.finish() {
            Ok(()) => Ok(answer),
            Err(errors) => Err(errors.0["it"].join(" ")),
        }
    }

    #[test]
    fn texts_are_trimmed_and_numbers_are_texts_but_nothing_else_is() {
        let required = |value| read(&value, |fields| fields.required_text("it"));
        assert_eq!(required(json!(" Bus 1 ")), Ok(Some("Bus 1".into())));
        assert_eq!(required(json!(5)), Ok(Some("5".into())));
        assert_eq!(required(json!("  ")), Err(BLANK.into()));
        assert_eq!(required(json!(null)), Err(NULL.into()));
        for value in [json!(true), json!([]), json!({})] {
            assert_eq!(required(value), Err("Not a valid string.".into()));
        }
        assert_eq!(
            required(json!("a\0b")),
            Err("Null characters are not allowed.".into())
        );
        let nullable = |value| read(&value, |fields| fields.nullable_text("it"));
        assert_eq!(nullable(json!(null)), Ok(Some(None)));
        assert_eq!(nullable(json!("")), Ok(Some(None)));
        assert_eq!(nullable(json!("x")), Ok(Some(Some("x".into()))));
        let password = |value| read(&value, |fields| fields.required_password("it"));
        assert_eq!(password(json!(" x ")), Ok(Some(" x ".into())));
    }

    #[test]
    fn booleans_are_also_the_words_of_forms() {
        let boolean = |value| read(&value, |fields| fields.boolean("it"));
        for value in [json!(true), json!("True"), json!(1), json!("on")] {
            assert_eq!(boolean(value), Ok(Some(true)));
        }
        assert_eq!(boolean(json!("false")), Ok(Some(false)));
        for value in [json!("maybe"), json!(2), json!([]), json!({}), json!("")] {
            assert_eq!(boolean(value), Err("Must be a valid boolean.".into()));
        }
        assert_eq!(boolean(json!(null)), Err(NULL.into()));
    }

    #[test]
    fn choices_name_what_is_none() {
        let choice = |value| {
            read(&value, |fields| {
                fields.required_choice::<LocationType>("it")
            })
        };
        assert_eq!(choice(json!("indoor")), Ok(Some(LocationType::Indoor)));
        assert_eq!(
            choice(json!("flying")),
            Err("\"flying\" is not a valid choice.".into())
        );
        assert_eq!(choice(json!(5)), Err("\"5\" is not a valid choice.".into()));
    }

    #[test]
    fn an_organization_that_is_not_managed_does_not_exist() {
        let (own, other) = (OrganizationId::random(), OrganizationId::random());
        let ann = user(&[own]);
        let organization = |value: Value| {
            let object = object(json!({ "organization": value }));
            let mut fields = Fields::new(&object, Mode::Whole);
            let id = fields.organization(&ann);
            fields
                .finish()
                .map(|()| id)
                .map_err(|errors| errors.0["organization"].join(" "))
        };
        assert_eq!(organization(json!(own)), Ok(Some(own)));
        assert_eq!(
            organization(json!(other)),
            Err(format!("Invalid pk \"{other}\" - object does not exist."))
        );
        assert_eq!(
            organization(json!("nope")),
            Err("“nope” is not a valid UUID.".into())
        );
        assert_eq!(organization(json!(null)), Err(NULL.into()));
        assert_eq!(organization(json!("")), Err(NULL.into()));
        assert_eq!(
            organization(json!(7)),
            Err("Incorrect type. Expected pk value, received int.".into())
        );
    }

    #[test]
    fn lists_hold_texts_only() {
        let texts = |value| read(&value, |fields| fields.texts("it"));
        assert_eq!(
            texts(json!(["a", " b"])),
            Ok(Some(vec!["a".into(), "b".into()]))
        );
        assert_eq!(
            texts(json!("a")),
            Err("Expected a list of items but got type \"str\".".into())
        );
        assert_eq!(texts(json!(["a", {}])), Err("Not a valid string.".into()));
    }

    #[test]
    fn what_is_required_may_be_left_out_of_a_patch_only() {
        let empty = Object::new();
        for (mode, expected) in [(Mode::Whole, 4), (Mode::Partial, 0)] {
            let mut fields = Fields::new(&empty, mode);
            let mut read = fields.required_text("name").is_some();
            read |= fields.organization(&user(&[])).is_some();
            read |= fields.required_choice::<LocationType>("type").is_some();
            read |= fields.required_geometry().is_some();
            assert!(!read);
            let errors = fields.finish().err().unwrap_or_default();
            assert_eq!(errors.0.len(), expected, "{mode:?}");
            assert!(errors.0.values().all(|reasons| reasons == &[REQUIRED]));
        }
    }
}
