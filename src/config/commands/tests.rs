//! What loading promises of `[commands]`: each mistake named where it stands.

use super::super::{Config, ConfigError, DEFAULT_FILE};
use super::*;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<CommandsConfig, Vec<String>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    match Config::load(Some(file.path()), variables.into_iter()) {
        Ok(config) => Ok(config.commands),
        Err(ConfigError::Mistakes(mistakes)) => {
            let path = format!("{}:", file.path().display());
            let told = mistakes.iter().map(ToString::to_string);
            Err(told.map(|mistake| mistake.replace(&path, "")).collect())
        }
        Err(error) => panic!("{error}"),
    }
}

/// Each mistake begins as said, in that order, and there are no others.
#[track_caller]
fn refused(text: &str, begins: &[&str]) {
    let told = load(text, &[]).unwrap_err();
    assert_eq!(told.len(), begins.len(), "{told:#?}");
    for (told, begin) in told.iter().zip(begins) {
        assert!(told.starts_with(begin), "{told}");
    }
}

#[test]
fn an_organization_may_use_what_is_listed_for_it_or_for_the_others_or_all() {
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut config = CommandsConfig::default();
    assert!(config.allows("reboot", one, "alpha"));
    config.allowed.insert("alpha".into(), list(&["custom"]));
    assert!(config.allows("custom", one, "alpha"));
    assert!(!config.allows("reboot", one, "alpha"));
    assert!(config.allows("reboot", two, "beta"));
    config.allowed.insert("*".into(), list(&["reboot"]));
    assert!(!config.allows("reboot", one, "alpha"));
    assert!(config.allows("reboot", two, "beta"));
    assert!(!config.allows("custom", two, "beta"));
    config.allowed.insert(one.to_string(), list(&[]));
    assert!(!config.allows("custom", one, "alpha"));
}

#[test]
fn who_is_allowed_something_and_does_not_exist_is_named() {
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut config = CommandsConfig::default();
    for key in ["*", "alpha", "Alpha", "alhpa", &one.to_string()] {
        config.allowed.insert(key.into(), Vec::new());
    }
    let known = config.unknown_organizations(&[(one, "alpha")]);
    assert_eq!(known, ["Alpha", "alhpa"]);
    let known = config.unknown_organizations(&[(two, "Alpha"), (Uuid::nil(), "alhpa")]);
    assert_eq!(known, [&one.to_string(), "alpha"]);
}

#[test]
fn the_examples_of_the_embedded_file_are_right() {
    let begin = DEFAULT_FILE.find("# [commands.types.ping]").unwrap();
    let end = DEFAULT_FILE.find("[metrics]").unwrap();
    let example: String = DEFAULT_FILE[begin..end]
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(text) if text.contains(" = ") || text.starts_with('[') => format!("{text}\n"),
            _ if line.starts_with('#') => String::new(),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = load(&example, &[]).unwrap();
    let ping = &config.types["ping"];
    assert_eq!(ping.label, "Ping");
    assert_eq!(ping.timeout_s, Some(60));
    let mut properties = ping.schema.as_ref().unwrap().properties();
    let (_, count) = properties.find(|(name, _)| *name == "count").unwrap();
    assert_eq!(count["default"], 4);
    assert_eq!(config.allowed.len(), 2);
    // As an operator would do it: in the file with every key.
    let whole = [&DEFAULT_FILE[..begin], &example, &DEFAULT_FILE[end..]].concat();
    assert_eq!(load(&whole, &[]).unwrap(), config);
}

#[test]
fn a_type_can_be_given_by_a_variable_as_it_is_shown() {
    let text = r#"
[commands.types.say]
label = "It's \"so\""
template = "a\nb {x} 'c'"
schema.properties.x = { type = "string", maximum = 1.5, enum = ["a", "'"] }
[commands.allowed]
"*" = ["say"]
"#;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let config = Config::load(Some(file.path()), std::iter::empty()).unwrap();
    let shown = config
        .variables()
        .into_iter()
        .map(|(name, value)| match value {
            toml::Value::String(text) => (name, text),
            other => (name, other.to_string()),
        });
    assert_eq!(Config::load(None, shown).unwrap(), config);
}

#[test]
fn a_variable_replaces_the_whole_table_of_the_file() {
    let text = "[commands.types.one]\nlabel = 'One'\ntemplate = 'one'\n";
    let variable = "FLEETWIRE_COMMANDS__TYPES";
    let two = "{ two = { label = 'Two', template = 'two' } }";
    let config = load(text, &[(variable, two)]).unwrap();
    assert_eq!(config.types.keys().collect::<Vec<_>>(), ["two"]);
    assert!(load(text, &[(variable, "{}")]).unwrap().types.is_empty());
    let told = load(text, &[(variable, "{ two = { label = 'Two' } }")]).unwrap_err();
    assert_eq!(told.len(), 1);
    let begin = "FLEETWIRE_COMMANDS__TYPES: commands.types.two.template: must be there";
    assert!(told[0].starts_with(begin), "{told:?}");
    let told = load(text, &[(variable, "two")]).unwrap_err();
    assert!(told[0].contains("must be a table"), "{told:?}");
}

#[test]
fn numbers_out_of_range_are_named() {
    assert!(load("[commands]\nkeep_days = 36525\n", &[]).is_ok());
    let text = "[commands]\nconnect_timeout_s = 0\nparallel = 0\nqueue_s = 'soon'\n\
                output_bytes = 10\nkeep_days = 100000\n";
    refused(
        text,
        &[
            "4: commands.queue_s: must be a whole number",
            "2: commands.connect_timeout_s: 0 is not from 1 to",
            "3: commands.parallel: 0 is not from 1 to",
            "5: commands.output_bytes: 10 is not from 1024 to",
            "6: commands.keep_days: 100000 is not from 0 to",
        ],
    );
}

#[test]
fn a_mistake_in_a_type_is_named_with_its_own_line() {
    refused(
        "[commands.types.a]\nlabel = 5\ntemplat = 'a'\ntimeout_s = -1\n\
         [commands.types.b]\nlabel = ' '\ntemplate = 'b {c}'\ntimeout_s = 0\n\
         [commands.types.reboot]\nlabel = 'Reboot'\ntemplate = 'reboot -f'\n\
         [commands.types.'A b']\nlabel = 'A'\ntemplate = 'a'\n\
         [commands.types.d]\n\
         [commands.types.e]\nlabel = 'E'\ntemplate = '''echo '{x}' '''\n\
         [commands.allowed]\nalpha = ['e', 'custom', 'fly']\nbeta = 'custom'\n\"*\" = {}\n",
        &[
            "2: commands.types.a.label: invalid type: integer `5`, expected a string",
            "3: commands.types.a.templat: unknown field `templat`, expected one of `label`",
            "4: commands.types.a.timeout_s: ",
            "18: commands.types.e.template: {x} stands in quotes",
            "21: commands.allowed.beta: invalid type: string",
            "22: commands.allowed.\"*\": invalid type: map",
            "12: commands.types.\"A b\": a command type's name is",
            "6: commands.types.b.label: must be there",
            "8: commands.types.b.timeout_s: 0 is not from 1 to",
            "7: commands.types.b.template: {c} is no property of the schema",
            "15: commands.types.d.label: must be there",
            "15: commands.types.d.template: must be there",
            "9: commands.types.reboot: this name belongs to a command type",
            "20: commands.allowed.alpha: there is no command type \"fly\"; there are custom,",
        ],
    );
    refused(
        "[commands]\ntypes = 5\n",
        &["2: commands.types: must be a table"],
    );
    refused(
        "[commands.types]\na = 5\n",
        &["2: commands.types.a: invalid type"],
    );
    refused(
        "[[commands.types.a]]\nlabel = 'A'\n",
        &["1: commands.types.a: invalid type"],
    );
}

#[test]
fn a_value_of_a_template_has_a_type_and_an_array_stands_by_itself() {
    let load = |template: &str, property: &str| {
        load(
            &format!(
                "[commands.types.a]\nlabel = 'A'\ntemplate = '{template}'\n\
                 [commands.types.a.schema.properties]\nx = {property}\n"
            ),
            &[],
        )
    };
    for property in [
        "{ type = 'string', pattern = '^a' }",
        "{ type = 'number' }",
        "{ type = ['integer', 'boolean'], default = 1 }",
    ] {
        let loaded = load("a={x} b{x} > {x}", property);
        assert!(loaded.is_ok(), "{property}: {loaded:?}");
    }
    for property in ["{ type = 'array' }", "{ type = ['string', 'array'] }"] {
        let loaded = load("a -- {x}", property);
        assert!(loaded.is_ok(), "{property}: {loaded:?}");
        for template in ["a={x}", "a > {x}", "a {x} b{x}"] {
            let told = load(template, property).unwrap_err();
            let begin = "3: commands.types.a.template: {x} may be an array";
            assert!(told[0].starts_with(begin) && told.len() == 1, "{told:?}");
        }
    }
    for property in [
        "{}",
        "{ pattern = '^a', maxLength = 3 }",
        "{ enum = ['a'] }",
        "{ type = 'object' }",
        "{ type = ['string', 'null'] }",
        "{ anyOf = [{ type = 'string' }] }",
        "true",
    ] {
        let told = load("a {x} {x}", property).unwrap_err();
        let begin = "3: commands.types.a.template: {x} needs a type in the schema";
        assert!(told[0].starts_with(begin) && told.len() == 1, "{told:?}");
    }
}

/// What is wrong with the schema of this text.
fn schema(text: &str) -> Result<InputSchema, String> {
    let table: toml::Table = text.parse().unwrap();
    InputSchema::try_from(table).map_err(|error| error.to_string())
}

#[test]
fn a_schema_that_could_not_do_its_work_is_refused() {
    for (text, told) in [
        ("type = 'string'", "its type must be \"object\""),
        ("type = ['object', 'null']", "its type must be \"object\""),
        ("required = 'a'", "is no JSON Schema: "),
        ("properties = []", "is no JSON Schema: "),
        (
            "properties.a = { type = 'text' }",
            "is no JSON Schema: properties.a.type: ",
        ),
        ("properties.a = { pattern = '(' }", "is no JSON Schema: "),
        (
            "properties.a = { pattern = '(?=a)' }",
            "is no JSON Schema: ",
        ),
        (
            "properties.a = { '$ref' = '#/$defs/none' }",
            "is no JSON Schema: ",
        ),
        (
            "properties.a = { '$ref' = 'https://example.org/a' }",
            "is no JSON Schema: ",
        ),
        (
            "properties.a = { '$ref' = 'file:///etc/passwd' }",
            "is no JSON Schema: ",
        ),
        (
            "properties.a = { default = 2020-01-01 }",
            "2020-01-01 has no form in JSON",
        ),
        (
            "properties.a = { maximum = inf }",
            "inf has no form in JSON",
        ),
        (
            "properties.a = { type = 'string', default = 5 }",
            "the default of a does not fit",
        ),
        (
            "properties.'b/~c' = { maximum = 3, default = 5 }",
            "the default of b/~c does not fit",
        ),
        (
            "writeOnly = true",
            "schema: writeOnly is for single properties",
        ),
        (
            "properties.a = { writeOnly = true }",
            "properties.a: writeOnly is for strings",
        ),
        (
            "properties.a = { type = 'string', writeOnly = true, default = 'x' }",
            "properties.a: a writeOnly property has no default",
        ),
        (
            "properties.a.properties.b = { type = 'string', writeOnly = true }",
            "properties.a.properties.b: writeOnly is for the properties of the input itself",
        ),
        (
            "'$defs'.a = { type = 'string', writeOnly = true }",
            "$defs.a: writeOnly is for the properties of the input itself",
        ),
        (
            "allOf = [{ properties.a = { writeOnly = true } }]",
            "allOf.properties.a: writeOnly is for the properties of the input itself",
        ),
    ] {
        let error = schema(text).unwrap_err();
        assert!(error.starts_with(told), "{text}: {error}");
    }
}

#[test]
fn what_a_schema_leaves_out_is_understood() {
    let known = schema(
        "'$schema' = 'https://json-schema.org/draft/2020-12/schema'\n\
         properties.a = { '$ref' = '#/$defs/name' }\n'$defs'.name = { type = 'string' }\n\
         properties.b = { type = 'string', writeOnly = true }\n\
         properties.writeOnly = { type = 'boolean', default = true }\n",
    )
    .unwrap();
    assert_eq!(known.secrets().collect::<Vec<_>>(), ["b"]);
    let fits = |json| known.validator().is_valid(&json);
    assert!(fits(serde_json::json!({"a": "x"})));
    assert!(!fits(serde_json::json!({"a": 5})));
    assert!(!fits(serde_json::json!({"c": 5})));
    assert!(!fits(serde_json::json!(null)));
    let open = schema("additionalProperties = true").unwrap();
    assert!(open.validator().is_valid(&serde_json::json!({"c": 5})));
}
