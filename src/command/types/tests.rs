//! What the command types promise.

use std::process::Command;

use serde_json::json;

use super::*;
use crate::config::Config;

/// The types of a configuration that is right.
fn types(text: &str) -> CommandTypes {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let config = Config::load(Some(file.path()), std::iter::empty()).unwrap();
    CommandTypes::new(&config.commands)
}

/// What is wrong with an input, each sentence by itself.
#[track_caller]
fn refused(kind: &CommandType, input: &Value) -> Vec<String> {
    let mut errors = kind.check(input).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    errors.0.remove("input").unwrap()
}

#[test]
fn three_types_come_along_with_the_names_that_the_configuration_keeps_free() {
    let types = CommandTypes::new(&CommandsConfig::default());
    let names: Vec<_> = types.types.iter().map(CommandType::name).collect();
    assert_eq!(names, crate::config::BUILT_IN_TYPES);
    let labels: Vec<_> = types.types.iter().map(CommandType::label).collect();
    assert_eq!(labels, ["Custom Command", "Reboot", "Change Password"]);
    let password = types.get("change_password").unwrap().schema.as_ref();
    let secrets: Vec<_> = password.unwrap().secrets().collect();
    assert_eq!(secrets, ["password", "confirm_password"]);
    assert!(types.get("fly").is_none());
}

#[test]
fn a_custom_command_is_run_as_it_was_typed() {
    let types = types("");
    let custom = types.get("custom").unwrap();
    let input = json!({"command": "uptime; echo 'é'\n"});
    let checked = custom.check(&input).unwrap();
    assert_eq!(checked.shown, input);
    assert_eq!(checked.plain, None);
    let execution = custom.execution(&input).unwrap();
    let expected = Execution {
        line: "uptime; echo 'é'\n".into(),
        ..Execution::default()
    };
    assert!(execution == expected);
}

#[test]
fn inputs_are_refused_in_the_words_of_openwisp() {
    let types = types("");
    let (custom, reboot) = (types.get("custom").unwrap(), types.get("reboot").unwrap());
    let password = types.get("change_password").unwrap();
    for (kind, input, sentences) in [
        (custom, json!(null), &["None is not of type 'object'"][..]),
        (
            custom,
            json!([1, "a"]),
            &["[1, 'a'] is not of type 'object'"],
        ),
        (custom, json!({}), &["'command' is a required property"]),
        (custom, json!({"command": ""}), &["'' should be non-empty"]),
        (
            custom,
            json!({"command": 5}),
            &["5 is not of type 'string'"],
        ),
        (
            custom,
            json!({"command": " \n"}),
            &["' \\n' does not match '\\\\S'"],
        ),
        (
            custom,
            json!({"command": "ls", "x": 1}),
            &["Additional properties are not allowed ('x' was unexpected)"],
        ),
        (
            custom,
            json!({"command": "ls", "x": 1, "y": 2}),
            &["Additional properties are not allowed ('x', 'y' were unexpected)"],
        ),
        (
            custom,
            json!({"command": "a\0"}),
            &["Null characters are not allowed."],
        ),
        (reboot, json!({}), &["{} is not of type 'null'"]),
        (
            reboot,
            json!({"a\0": 1}),
            &["Null characters are not allowed."],
        ),
        (reboot, json!("now"), &["'now' is not of type 'null'"]),
        (
            password,
            json!(null),
            &["'********' is not of type 'object'"],
        ),
        (
            password,
            json!({"password": "abcdef"}),
            &["'confirm_password' is a required property"],
        ),
    ] {
        assert_eq!(refused(kind, &input), sentences, "{input}");
    }
    assert!(reboot.check(&json!(null)).is_ok());
}

#[test]
fn a_password_goes_in_by_standard_input_and_is_shown_nowhere() {
    let types = types("");
    let kind = types.get("change_password").unwrap();
    let input = json!({"password": "it's 6 ", "confirm_password": "it's 6 "});
    let checked = kind.check(&input).unwrap();
    assert_eq!(checked.shown.to_string(), r#"{"password":"********"}"#);
    assert_eq!(checked.plain.as_ref(), Some(&input));
    assert!(!format!("{checked:?}").contains('6'));
    let execution = kind.execution(checked.plain.as_ref().unwrap()).unwrap();
    assert_eq!(execution.line, "passwd");
    assert_eq!(execution.stdin, b"it's 6 \nit's 6 \n");
    assert!(execution.secrets.contains(&"it's 6 ".to_owned()));
    assert!(!format!("{execution:?}").contains('6'));
}

#[test]
fn a_wrong_password_is_not_repeated() {
    let types = types("");
    let kind = types.get("change_password").unwrap();
    let both = |password: &str| json!({"password": password, "confirm_password": password});
    let long = "s3cret".repeat(6);
    for (input, sentences) in [
        (both("s3cre"), &["'********' is too short"][..]),
        (both(&long), &["'********' is too long"]),
        (both(""), &["'' is too short"]),
        (both("        "), &["'********' does not match '\\\\S'"]),
        (
            json!({"password": "s3cret1", "confirm_password": "s3cret2"}),
            &["'password' and 'confirm_password' do not match"],
        ),
        (
            both("s3cret\n"),
            &["The password must not contain control characters."],
        ),
        (
            json!({"password": ["s3cret"], "confirm_password": {"a": "s3cret"}}),
            &["'********' is not of type 'string'"],
        ),
        (json!("s3cret"), &["'********' is not of type 'object'"]),
        (json!(["s3cret"]), &["'********' is not of type 'object'"]),
    ] {
        assert_eq!(refused(kind, &input), sentences, "{input}");
        let error = kind.execution(&input).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
    for good in ["123456", &"é".repeat(30), "pass word!"] {
        assert!(kind.check(&both(good)).is_ok(), "{good}");
    }
}

#[test]
fn what_is_too_long_is_refused_and_not_repeated() {
    let types = types(
        "[commands.types.say]\nlabel = \"Say\"\ntemplate = \"echo {x}\"\n\
         schema.properties.x = { type = \"string\" }\n",
    );
    let (custom, say) = (types.get("custom").unwrap(), types.get("say").unwrap());
    let command = |length| json!({"command": "é".repeat(length)});
    assert!(custom.check(&command(65_536)).is_ok());
    let told = refused(custom, &command(65_537));
    assert_eq!(told, [format!("'{}... is too long", "é".repeat(199))]);
    let around = json!({"x": ""}).to_string().len();
    let input = |length| json!({"x": "a".repeat(length)});
    assert!(say.check(&input(65_536 - around)).is_ok());
    assert_eq!(
        refused(say, &input(65_537 - around)),
        ["The input must have at most 65536 bytes as JSON."]
    );
}

const JOIN: &str = r#"
[commands.types.join]
label = "Join network"
template = "join --ssid={ssid} {{ {key} }} --channels {channels} {hidden} {note}"
tty = true
timeout_s = 7
[commands.types.join.schema]
required = ["ssid", "key"]
[commands.types.join.schema.properties]
ssid = { type = "string", minLength = 1 }
key = { type = "string", minLength = 8, writeOnly = true }
channels = { type = "array", items = { type = ["integer", "string"] }, default = [1, 6] }
hidden = { type = "boolean", default = false }
note = { type = "string", format = "ipv4" }
"#;

#[test]
fn an_own_type_fills_its_template_with_quoted_values() {
    let types = types(JOIN);
    let join = types.get("join").unwrap();
    assert_eq!(join.label(), "Join network");
    let input = json!({"ssid": "it's; reboot", "key": "pass'word"});
    let checked = join.check(&input).unwrap();
    assert_eq!(
        checked.shown,
        json!({"ssid": "it's; reboot", "key": "********"})
    );
    assert_eq!(checked.plain, Some(input.clone()));
    let execution = join.execution(&input).unwrap();
    assert_eq!(
        execution.line,
        r"join --ssid='it'\''s; reboot' { 'pass'\''word' } --channels '1' '6' 'false' "
    );
    assert!(execution.tty);
    assert_eq!(execution.timeout, Some(Duration::from_secs(7)));
    assert_eq!(execution.secrets, [r"'pass'\''word'", "pass'word"]);
    let input = json!({"ssid": "a", "key": "password", "channels": [], "note": "10.0.0.1"});
    let execution = join.execution(&input).unwrap();
    assert_eq!(
        execution.line,
        "join --ssid='a' { 'password' } --channels  'false' '10.0.0.1'"
    );
}

#[test]
fn an_own_types_errors_do_not_repeat_its_secrets() {
    let types = types(JOIN);
    let join = types.get("join").unwrap();
    for (input, sentences) in [
        (
            json!({"ssid": "a", "key": "s3cret"}),
            &["'********' is too short"][..],
        ),
        (
            json!({"ssid": "", "key": "s3cret_long"}),
            &["'' should be non-empty"],
        ),
        (
            json!({"ssid": 1.0, "key": 53_000}),
            &[
                "1.0 is not of type 'string'",
                "'********' is not of type 'string'",
            ],
        ),
        (
            json!({"ssid": "a", "key": "s3cret_long", "channels": [true]}),
            &["True is not of type 'integer', 'string'"],
        ),
        (
            json!({"ssid": "a", "key": "s3cret_long", "note": "here"}),
            &["'here' is not a 'ipv4'"],
        ),
        (
            json!({"ssid": "a\n", "key": "s3cret_\nlong"}),
            &["'key' must not contain control characters"],
        ),
        (
            json!({"ssid": "a", "key": "s3cret_\u{3}long"}),
            &["'key' must not contain control characters"],
        ),
        (json!(null), &["'********' is not of type 'object'"]),
    ] {
        assert_eq!(refused(join, &input), sentences, "{input}");
    }
}

#[test]
fn a_type_without_a_schema_takes_no_input() {
    let types = types("[commands.types.scan]\nlabel = \"Scan\"\ntemplate = \"iw scan\"\n");
    let scan = types.get("scan").unwrap();
    assert!(scan.check(&json!(null)).is_ok());
    assert_eq!(
        refused(scan, &json!({"a": 1})),
        ["{'a': 1} is not of type 'null'"]
    );
    assert_eq!(scan.execution(&json!(null)).unwrap().line, "iw scan");
}

#[test]
fn an_organization_gets_the_types_that_it_may_use() {
    let allowed = "[commands.allowed]\nalpha = [\"reboot\", \"join\"]\n\"*\" = [\"custom\"]\n";
    let types = types(&format!("{JOIN}{allowed}"));
    let by = |slug| {
        let names = types
            .by(OrganizationId::random(), slug)
            .map(CommandType::name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(by("alpha"), ["reboot", "join"]);
    assert_eq!(by("beta"), ["custom"]);
}

/// Texts that are made of what shells care about.
fn nasty(count: usize) -> Vec<String> {
    let alphabet: Vec<char> = "'\"\\`$(){}[]<>|&;*?~!#=-%^ \t\n\r\u{7f}\u{1b}aé€😀\u{2028}"
        .chars()
        .collect();
    let mut texts: Vec<String> = [
        "",
        "-n",
        "'",
        "\\",
        "'; reboot #",
        "$(reboot)",
        "\n",
        "\n\n",
        "a b",
    ]
    .map(str::to_owned)
    .into();
    texts.extend((0..count).map(|_| {
        let length = rand::random_range(0..12);
        (0..length)
            .map(|_| alphabet[rand::random_range(0..alphabet.len())])
            .collect::<String>()
    }));
    texts
}

#[test]
fn whatever_a_value_holds_a_real_shell_reads_it_as_one_word() {
    let config = "[commands.types.say]\nlabel = \"Say\"\n\
                  template = \"printf '%s\\\\0' a{one}z {{}} {many} \\\"$(printf %s x)\\\"\"\n\
                  [commands.types.say.schema.properties]\none = { type = \"string\" }\nmany = { type = \"array\" }\n";
    let types = types(config);
    let say = types.get("say").unwrap();
    for texts in nasty(300).chunks(3) {
        let input = json!({"one": texts[0], "many": texts});
        say.check(&input).unwrap();
        let line = say.execution(&input).unwrap().line;
        let output = Command::new("sh").arg("-c").arg(&line).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let mut words = vec![format!("a{}z", texts[0]), "{}".to_owned()];
        words.extend_from_slice(texts);
        words.push("x".to_owned());
        assert_eq!(
            printed.split_terminator('\0').collect::<Vec<_>>(),
            words,
            "{line}"
        );
    }
}
