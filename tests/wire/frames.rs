//! Frames: section 5 of RFC 6455, and what the contract does with what clients send.

use super::Stage;
use crate::support::{FLEET, Raw, RawFrame, frame, location_path};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// The next frame of a socket that must still be open.
async fn next(raw: &mut Raw) -> RawFrame {
    raw.frame().await.expect("the connection is open")
}

/// Shows that everything sent so far was read and brought no answer: the next thing that comes is
/// the answer to a ping.
async fn expect_ignored(raw: &mut Raw, what: &str) {
    raw.send(&frame(PING, what.as_bytes())).await;
    let pong = next(raw).await;
    assert_eq!(
        (pong.first, pong.payload),
        (PONG, what.as_bytes().to_vec()),
        "{what}"
    );
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

#[tokio::test]
async fn a_move_is_one_unmasked_text_frame_with_the_contracts_bytes() {
    let stage = Stage::set_up(&[]).await;
    let mut fleet = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    let path = location_path(&stage.bus);
    let mut single = Raw::upgraded(&stage.server, &path, &stage.root).await;
    for (longitude, latitude, written) in [
        (12.512_124, 41.898_903, "12.512124,41.898903"),
        (
            0.1 + 0.2,
            -33.333_333_333_333_336,
            "0.30000000000000004,-33.333333333333336",
        ),
        (
            -179.999_999_999_999_97,
            1.5e-5,
            "-179.99999999999997,0.000015",
        ),
    ] {
        stage.move_bus(longitude, latitude).await;
        let id = &stage.bus;
        let head = format!(
            r#"{{"id":"{id}","name":"Bus 1","address":"Vía Ñandú 1","type":"outdoor","is_mobile":true"#
        );
        for raw in [&mut fleet, &mut single] {
            let frame = next(raw).await;
            assert_eq!((frame.first, frame.masked), (TEXT, false));
            let text = String::from_utf8(frame.payload).unwrap();
            let (keys, numbers) = text
                .split_once(r#","geometry":{"type":"Point","coordinates":["#)
                .unwrap();
            assert_eq!(keys, head);
            let numbers = numbers.strip_suffix("]}}").unwrap();
            // However a number is written, it must be as short as this and give back the same double.
            let parsed: Vec<f64> = numbers.split(',').map(|it| it.parse().unwrap()).collect();
            assert_eq!(parsed, [longitude, latitude]);
            assert!(
                numbers.len() <= written.len(),
                "{numbers} is longer than {written}"
            );
        }
    }
}

#[tokio::test]
async fn a_breach_of_framing_ends_the_connection_with_1002() {
    let stage = Stage::set_up(&[]).await;
    let mut breaches = vec![
        (
            "an unmasked text",
            vec![TEXT, 5, b'h', b'e', b'l', b'l', b'o'],
        ),
        ("an unmasked ping", vec![PING, 0]),
        ("an unmasked close", vec![CLOSE, 2, 0x03, 0xe8]),
        ("a fragmented ping", frame(0x09, b"x")),
        ("a fragmented pong", frame(0x0a, b"x")),
        ("a fragmented close", frame(0x08, &[0x03, 0xe8])),
        ("a ping of 126 bytes", frame(PING, &[0; 126])),
        ("a ping of 65536 bytes", frame(PING, &vec![0; 65_536])),
        ("a pong of 126 bytes", frame(PONG, &[0; 126])),
        ("a close of 126 bytes", close(1000, &[b'x'; 124])),
        ("a close with one byte", frame(CLOSE, &[0x03])),
        (
            "a length in more bytes than it needs",
            [vec![TEXT, 0x80 | 0x7e, 0, 2], vec![0; 6]].concat(),
        ),
        (
            "a length of more than 63 bits",
            [vec![BINARY, 0xff], vec![0xff; 8], vec![0; 4]].concat(),
        ),
        (
            "a close whose reason is not UTF-8",
            close(1000, b"\xff\xfe"),
        ),
    ];
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        breaches.push((
            "a close with a code that must not be sent",
            close(code, b""),
        ));
    }
    for reserved in [0x40, 0x20, 0x10] {
        breaches.push(("a reserved bit of a text", frame(TEXT | reserved, b"x")));
        breaches.push(("a reserved bit of a ping", frame(PING | reserved, b"x")));
    }
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        breaches.push(("a reserved opcode", frame(0x80 | opcode, b"x")));
    }
    for (what, bytes) in breaches {
        let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
        raw.send(&bytes).await;
        let shown = &bytes[..bytes.len().min(8)];
        assert_eq!(raw.closed().await, 1002, "{what}: {shown:02x?}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_with_its_own_payload() {
    let stage = Stage::set_up(&[]).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    for payload in [&b""[..], b"x", b"\x00\xff\x80 not text", &[7; 125]] {
        raw.send(&frame(PING, payload)).await;
        let pong = next(&mut raw).await;
        assert_eq!(
            (pong.first, pong.masked, pong.payload.as_slice()),
            (PONG, false, payload)
        );
    }
    // Between the fragments of a message too.
    raw.send(&frame(0x01, b"begin")).await;
    expect_ignored(&mut raw, "in the middle").await;
    raw.send(&frame(0x00, b"go on")).await;
    expect_ignored(&mut raw, "still in the middle").await;
    raw.send(&frame(0x80, b"end")).await;
    expect_ignored(&mut raw, "behind it").await;
}

#[tokio::test]
async fn a_frame_may_come_one_byte_at_a_time() {
    let stage = Stage::set_up(&[]).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    let frames = [
        frame(BINARY, &[1; 200]),
        frame(TEXT, b"short"),
        frame(PING, b"slow"),
    ]
    .concat();
    for byte in frames {
        raw.send(&[byte]).await;
    }
    let pong = next(&mut raw).await;
    assert_eq!((pong.first, pong.payload.as_slice()), (PONG, &b"slow"[..]));
}

#[tokio::test]
async fn a_pong_that_nobody_asked_for_is_ignored() {
    let stage = Stage::set_up(&[]).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    raw.send(&frame(PONG, b"")).await;
    raw.send(&frame(PONG, b"unasked")).await;
    expect_ignored(&mut raw, "pongs").await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code_and_the_end_of_the_connection() {
    let stage = Stage::set_up(&[]).await;
    for code in [1000, 1001, 1003, 1007, 1011, 3000, 3001, 4999] {
        let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
        raw.send(&close(code, "adiós".as_bytes())).await;
        assert_eq!(raw.closed().await, code);
    }
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    raw.send(&frame(CLOSE, b"")).await;
    let answer = next(&mut raw).await;
    // RFC 6455, section 7.1.5: no code, which some servers answer with 1000.
    assert_eq!(answer.first, CLOSE);
    assert!(
        answer.payload.is_empty() || answer.payload == [0x03, 0xe8],
        "{answer:?}"
    );
    assert_eq!(raw.frame().await, None);
}

#[tokio::test]
async fn nothing_is_sent_and_nothing_is_read_after_a_close() {
    let stage = Stage::set_up(&[]).await;
    let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    raw.send(
        &[
            close(1000, b""),
            frame(PING, b"too late"),
            frame(0x83, b"broken"),
        ]
        .concat(),
    )
    .await;
    assert_eq!(raw.closed().await, 1000);
}

#[tokio::test]
async fn data_of_a_client_is_ignored_whatever_it_is() {
    let stage = Stage::set_up(&[]).await;
    let device = crate::support::Seed(&stage.server).device("router", &stage.organization);
    let commands = crate::support::command_path(&device.id);
    for path in [FLEET, &location_path(&stage.bus), &commands] {
        let mut raw = Raw::upgraded(&stage.server, path, &stage.root).await;
        for (what, bytes) in [
            ("a text", frame(TEXT, b"hello")),
            ("an empty text", frame(TEXT, b"")),
            (
                "JSON",
                frame(TEXT, br#"{"type":"send_message","message":{"id":1}}"#),
            ),
            ("text that is not UTF-8", frame(TEXT, b"\xc3\x28\xff")),
            ("a binary", frame(BINARY, &[0; 1000])),
            ("an empty binary", frame(BINARY, b"")),
            ("a mebibyte", frame(BINARY, &vec![0x88; 1 << 20])),
            (
                "fragments",
                [frame(0x01, b"a"), frame(0x00, b"b"), frame(0x80, b"c")].concat(),
            ),
            (
                "empty fragments",
                [frame(0x02, b""), frame(0x00, b""), frame(0x80, b"")].concat(),
            ),
        ] {
            raw.send(&bytes).await;
            expect_ignored(&mut raw, what).await;
        }
        if path != commands {
            stage.move_bus(1.0, 2.0).await;
            assert_eq!(next(&mut raw).await.first, TEXT, "{path}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_just_ends_disturbs_nobody() {
    let stage = Stage::set_up(&[]).await;
    let mut other = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
    for bytes in [
        vec![],
        vec![TEXT],
        frame(0x01, b"begun"),
        vec![TEXT, 0xff, 0, 0, 0, 1],
    ] {
        let mut raw = Raw::upgraded(&stage.server, FLEET, &stage.root).await;
        raw.send(&bytes).await;
        drop(raw);
        stage.move_bus(3.0, 4.0).await;
        assert_eq!(next(&mut other).await.first, TEXT);
    }
}
