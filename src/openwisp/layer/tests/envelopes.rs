use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::json;

use super::*;

// What a real OpenWISP wrote, as it lay in Redis.
const MOVED: &str = "49a9743638f31635ccafbca083a474797065ac73656e645f6d657373616765a76d65737361676586a26964d92439336239623431632d323662312d343830372d393166372d363939373836633961326439a867656f6d6574727982a474797065a5506f696e74ab636f6f7264696e6174657392cb402a800000000000cb4045400000000000a761646472657373ae696e2d7472616e73616374696f6ea46e616d65a86275732d6f726731a474797065a76f7574646f6f72a969735f6d6f62696c65c3b05f5f617367695f6368616e6e656c5f5f92d92e73706563696669632e61616161616161616161616161616161616161616161616161616161616161612131313131d92e73706563696669632e61616161616161616161616161616161616161616161616161616161616161612132323232";
const PUBLISHED: &str = "82a474797065ac73656e645f6d657373616765a76d65737361676582a867656f6d6574727982a474797065a5506f696e74ab636f6f7264696e6174657392cb402906351deefe50cb4044f30f40e5a35da761646472657373b65669612064c3a82043697474c3a020312c20526f6d61";

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn opener(kind: LayerKind, keys: &[&str]) -> Opener {
    Opener::new(&LayerSettings {
        kind,
        hosts: vec!["redis://localhost".into()],
        prefix: "asgi".into(),
        group_expiry_s: 86_400,
        capacity: 100,
        encryption_keys: keys.iter().map(|&key| key.into()).collect(),
    })
}

#[test]
fn a_message_of_the_core_layer_is_read_with_its_channels() {
    let opened = opener(LayerKind::Core, &[]).open(&bytes(MOVED)).unwrap();
    let process = "a".repeat(32);
    assert_eq!(
        opened.channels,
        [
            format!("specific.{process}!1111"),
            format!("specific.{process}!2222")
        ]
    );
    assert_eq!(
        opened.message.to_string(),
        r#"{"type":"send_message","message":{"id":"93b9b41c-26b1-4807-91f7-699786c9a2d9","geometry":{"type":"Point","coordinates":[13.25,42.5]},"address":"in-transaction","name":"bus-org1","type":"outdoor","is_mobile":true}}"#
    );
}

#[test]
fn a_message_of_the_pubsub_layer_is_read() {
    let opened = opener(LayerKind::PubSub, &[])
        .open(&bytes(PUBLISHED))
        .unwrap();
    assert_eq!(opened.channels, [""; 0]);
    assert_eq!(
        opened.message.to_string(),
        r#"{"type":"send_message","message":{"geometry":{"type":"Point","coordinates":[12.512124,41.898903]},"address":"Via dè Città 1, Roma"}}"#
    );
}

#[test]
fn json_and_the_single_channel_of_send_are_read_too() {
    let core = opener(LayerKind::Core, &[]);
    let sent = br#"0123456789ab{"__asgi_channel__": "specific.x!1", "type": "send.update", "b": 1, "a": 1e-07}"#;
    let opened = core.open(sent).unwrap();
    assert_eq!(opened.channels, ["specific.x!1"]);
    assert_eq!(
        opened.message.to_string(),
        r#"{"type":"send.update","b":1,"a":1e-7}"#
    );
    let published = opener(LayerKind::PubSub, &[]).open(br#"{"type": "x"}"#);
    assert_eq!(published.unwrap().message, json!({"type": "x"}));
}

#[test]
fn what_is_no_message_is_refused_without_being_repeated() {
    let core = opener(LayerKind::Core, &[]);
    let wrong: [&[u8]; 9] = [
        b"",
        b"s3cret",
        b"0123456789ab",
        b"0123456789ab\x01",
        b"0123456789ab{\"s3cret\": NaN}",
        b"0123456789ab{\"s3cret\": ",
        b"0123456789ab\x81\xb0__asgi_channel__\x01",
        b"0123456789ab\x81\xb0__asgi_channel__\x91\x01",
        b"0123456789ab\x81\xa6s3cret\xc4\x01a",
    ];
    for message in wrong {
        let reason = core.open(message).unwrap_err();
        assert!(!reason.contains("s3cret"), "{reason}");
    }
    let mut huge = vec![b' '; LARGEST];
    huge.splice(..0, *b"0123456789ab{}");
    assert!(core.open(&huge).is_err());
}

#[test]
fn encryption_on_one_side_only_is_named() {
    let mut token = "gAAAAA".to_owned();
    write!(token, "{}", "A".repeat(130)).unwrap();
    let sealed = opener(LayerKind::PubSub, &[]).open(token.as_bytes());
    assert!(
        sealed
            .unwrap_err()
            .contains("gateway.channel_encryption_keys")
    );
    let plain = opener(LayerKind::PubSub, &["a"]).open(&bytes(PUBLISHED));
    assert!(
        plain
            .unwrap_err()
            .contains("gateway.channel_encryption_keys")
    );
    let raw = base64::engine::general_purpose::URL_SAFE.decode(&token);
    assert_eq!(raw.unwrap()[0], 0x80);
}
