//! Pickles that Python does not write, or that it should not have been asked to. What it does write is in
//! `session_tests.rs`.

use super::super::MOST_BYTES;
use super::*;

/// A pickle of protocol 4 without frames.
fn pickle(parts: &[&[u8]]) -> Vec<u8> {
    [b"\x80\x04", &*parts.concat()].concat()
}

fn label(pickle: &[u8]) -> &'static str {
    read(pickle).err().map_or("read", |error| error.label())
}

/// What a pickle of `body` is as the whole session, and as a value beside a login.
fn labels(body: &[u8]) -> [&'static str; 2] {
    [
        label(&pickle(&[body, b"."])),
        label(&pickle(&[LOGIN, b"X\x05\0\0\0other", body, b"s."])),
    ]
}

/// A dict with a login, on top of the stack.
const LOGIN: &[u8] =
    b"}(X\x0d\0\0\0_auth_user_idX\x01\0\0\0aX\x12\0\0\0_auth_user_backendX\x01\0\0\0bu";

fn user<'a>(entries: &'a Entries<'_>) -> &'a str {
    match &entries.user {
        Entry::Text(text) => text,
        Entry::Missing => "missing",
        Entry::Other => "other",
    }
}

#[test]
fn what_would_run_code_is_refused_and_named() {
    for (body, name) in [
        (&b"cos\nsystem\n(X\x02\0\0\0idtR"[..], "os.system"),
        (b"cposix\nsystem\nX\x02\0\0\0id\x85R", "posix.system"),
        (
            b"X\x02\0\0\0osX\x06\0\0\0system\x93X\x02\0\0\0id\x85R",
            "os.system",
        ),
        (b"\x8c\x08builtins\x94\x8c\x04eval\x94\x93", "builtins.eval"),
        (b"c__builtin__\ngetattr\n", "__builtin__.getattr"),
        (
            b"cdatetime\ndatetime.__class__\n",
            "datetime.datetime.__class__",
        ),
        (b"csubprocess\nPopen\n)\x81", "subprocess.Popen"),
        (b"cdecimal\ndecimal\n", "decimal.decimal"),
        (b"ca b\nc\n", "an odd name"),
        (b"c\n\n", "an odd name"),
        (b"c\xc3\xa4\nb\n", "an odd name"),
        (b"cos\nsystem; rm\x1b[0m\n", "an odd name"),
    ] {
        assert_eq!(labels(body), ["object"; 2], "{name}");
        let error = read(&pickle(&[LOGIN, body])).err().unwrap().to_string();
        assert!(error.contains(name), "{error}");
        assert!(
            !error.contains('\u{1b}') && !error.contains("id"),
            "{error}"
        );
    }
    let long = [b"cos\n", &*vec![b'a'; 200], b"\n"].concat();
    let error = read(&pickle(&[&long])).err().unwrap();
    assert!(error.to_string().contains("an odd name"), "{error}");
}

#[test]
fn instructions_that_no_plain_value_needs_are_refused() {
    for body in [
        // PERSID, BINPERSID, INST, OBJ, EXT1, EXT2, EXT4, NEXT_BUFFER, READONLY_BUFFER
        &b"Pid\n"[..],
        b"NQ",
        b"(ios\nsystem\n",
        b"(cdatetime\ndate\no",
        b"\x82\x01",
        b"\x83\x01\0",
        b"\x84\x01\0\0\0",
        b"\x97",
        b"\x98",
        // Protocol 0 and 1: INT, LONG, FLOAT, STRING, UNICODE, GET, PUT, LIST, DICT, BINSTRING; DUP
        b"I1\n",
        b"L1L\n",
        b"F1\n",
        b"S'a'\n",
        b"Va\n",
        b"g0\n",
        b"Np0\n",
        b"(l",
        b"(d",
        b"U\x01a",
        b"N2",
        // Calls and states of what is no known class.
        b"N)R",
        b"X\x02\0\0\0id)R",
        b"])\x81",
        b"N)}\x92",
        b"}}b",
        b"Nb",
        b"cdatetime\ndate\n}b",
        b"cdatetime\ndate\n]R",
        b"cdatetime\ndate\nNR",
        b"cdatetime\ndate\n)]\x92",
        b"cdatetime\ndate\n)R)R",
        b"NN\x93",
        b"X\x02\0\0\0osN\x93",
    ] {
        assert_eq!(labels(body), ["unreadable"; 2], "{body:?}");
    }
    for instruction in 0..=u8::MAX {
        // Alone on an empty stack, each must be refused or harmless.
        let _ = labels(&[instruction]);
    }
}

#[test]
fn a_known_class_makes_a_value_that_is_nothing() {
    let text = b"cdjango.utils.safestring\nSafeString\nX\x01\0\0\0z\x85\x81";
    let key = b"X\x0d\0\0\0_auth_user_id";
    for made in [
        &text[..],
        b"cuuid\nUUID\n)\x81}X\x03\0\0\0intK\x02sb",
        b"cdecimal\nDecimal\nX\x01\0\0\0z\x85R",
        b"cuuid\nUUID\n)}\x92",
        b"cuuid\nUUID\n",
    ] {
        let pickle = pickle(&[LOGIN, key, made, b"s."]);
        assert_eq!(user(&read(&pickle).unwrap()), "other", "{made:?}");
        assert_eq!(labels(made), ["unreadable", "read"], "{made:?}");
    }
    // As a key it could be equal to a text that we look for.
    assert_eq!(label(&pickle(&[LOGIN, text, b"Ns."])), "unreadable");
    assert_eq!(label(&pickle(&[LOGIN, b"cuuid\nUUID\nNs."])), "unreadable");
    // And it is neither a list nor a dict, nor a part of a class's name.
    assert_eq!(labels(&[text, &b"Na"[..]].concat()), ["unreadable"; 2]);
    assert_eq!(labels(&[text, &b"NNs"[..]].concat()), ["unreadable"; 2]);
    assert_eq!(
        labels(&[text, &b"X\x01\0\0\0a\x93"[..]].concat()),
        ["unreadable"; 2]
    );
}

#[test]
fn what_the_memo_gives_is_the_same_value_again() {
    // The login is set in the dict that was remembered, through the memo, and is seen from the other side.
    let key = b"X\x0d\0\0\0_auth_user_id";
    let changed = pickle(&[b"}q\x05", key, b"q\x07Nsh\x05h\x07X\x01\0\0\0zs00h\x05."]);
    assert_eq!(user(&read(&changed).unwrap()), "z");
    // A dict and a list that hold themselves.
    let loops = pickle(&[LOGIN, b"\x94X\x01\0\0\0ah\0sX\x01\0\0\0b]\x94h\x01as."]);
    assert_eq!(user(&read(&loops).unwrap()), "a");
    // A number may be given twice, and may be any.
    let again = pickle(&[
        LOGIN,
        b"r\xff\xff\xff\xff0Nr\xfe\xff\xff\xff0j\xff\xff\xff\xff.",
    ]);
    assert_eq!(user(&read(&again).unwrap()), "a");
    for body in [&b"h\0"[..], b"j\0\0\0\0", b"\x94", b"q\0", b"(\x94"] {
        assert_eq!(labels(body)[0], "unreadable", "{body:?}");
    }
}

#[test]
fn of_two_entries_with_one_key_the_last_counts() {
    let key = b"X\x0d\0\0\0_auth_user_id";
    for (value, expected) in [
        (&b"X\x01\0\0\0z"[..], "z"),
        (b"N", "other"),
        (b"\x8c\0", ""),
    ] {
        let twice = pickle(&[LOGIN, key, value, b"s."]);
        assert_eq!(user(&read(&twice).unwrap()), expected);
    }
}

#[test]
fn bombs_end_at_a_bound() {
    let million = 1_000_000;
    let repeated = |body: &[u8], times: usize| body.repeat(times);
    for (name, body) in [
        ("lists in lists", repeated(b"]", million)),
        (
            "tuples in tuples",
            [b"N", &*repeated(b"\x85", million)].concat(),
        ),
        ("dicts in dicts", repeated(b"}", million)),
        ("marks", repeated(b"(", million)),
        ("values popped again", repeated(b"N0", million / 2)),
        ("the memo", [b"N", &*repeated(b"\x94", million)].concat()),
        (
            "one from the memo",
            [b"Nq\0", &*repeated(b"h\0", million / 2)].concat(),
        ),
        // Each list holds the one before ten times.
        (
            "laughs",
            [
                b"]\x94",
                &*repeated(b"](h\0h\0h\0h\0h\0h\0h\0h\0h\0h\0eq\0", 40_000),
            ]
            .concat(),
        ),
        (
            "lists closed again",
            [&*repeated(b"]", 500_000), &*repeated(b"a", 499_999)].concat(),
        ),
    ] {
        assert!(body.len() < MOST_BYTES, "{name}");
        assert_eq!(labels(&body), ["too_large"; 2], "{name}");
    }
    // Within the bound, laughs are only as many values as there are instructions.
    let laughs = repeated(b"](h\0h\0h\0h\0h\0h\0h\0h\0h\0h\0eq\0", 7000);
    assert_eq!(labels(&[b"]\x94", &*laughs].concat())[0], "unreadable");
    // So may be what is deep: nobody climbs down.
    let deep = [&*repeated(b"]", 40_000), &*repeated(b"a", 39_999)].concat();
    assert_eq!(labels(&deep), ["unreadable", "read"]);
}

#[test]
fn no_length_is_believed_beyond_the_end() {
    for body in [
        &b"X\xff\xff\xff\xff"[..],
        b"X\xff\xff\xff\x7fabc",
        b"\x8cz",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x8d\0\0\0\0\0\0\0\x80",
        b"B\xff\xff\xff\xff",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"Cz",
        b"\x8az",
        b"\x8b\xff\xff\xff\xff",
        b"\x8b\xff\xff\xff\x7f",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x95\xff\0\0\0\0\0\0\0",
        b"cdatetime",
        b"cdatetime\ndate",
    ] {
        let error = read(&pickle(&[body])).err();
        assert_eq!(error, Some(CUT_OFF), "{body:?}");
    }
}

#[test]
fn what_breaks_the_rules_of_the_stack_is_refused() {
    for body in [
        &b""[..],
        b"0",
        b"a",
        b"(",
        b"(0",
        b"N(0",
        b"t",
        b"\x85",
        b"N\x86",
        b"N(N\x86",
        b"a",
        b"]a",
        b"Na",
        b"NNa",
        b"](Na",
        b"N(Ne",
        b"}(Ne",
        b"}Ns",
        b"}NNNu",
        b"}(Nu",
        b"](NNu",
        b"}]Ns",
        b"}}Ns",
        b"}\x8fNs",
        b"N(N\x90",
        b"](N\x90",
        b"\x91",
        b"NN",
        b"N.",
        b"N.N",
        b"\x80\x04N",
        b"\x8c\x01\xff",
        b"X\x03\0\0\0\xed\xa0\x80",
    ] {
        assert_eq!(label(&pickle(&[body, b"."])), "unreadable", "{body:?}");
    }
    for other in [
        &b""[..],
        b"\x80",
        b"\x80\x04",
        b"\x80\x01}.",
        b"\x80\x06}.",
        b"}.",
    ] {
        assert_eq!(label(other), "unreadable", "{other:?}");
    }
}
