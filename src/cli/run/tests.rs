//! What a growing output prints, and how a command's end becomes that of the process.

use super::*;

fn snapshot(output: &str, ended: Option<Ended>) -> Snapshot {
    Snapshot {
        output: output.to_owned(),
        ended,
    }
}

/// What is printed of these states in order.
async fn printed(states: &[(&str, Option<Ended>)]) -> String {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out);
    for (output, ended) in states {
        printer.print(&snapshot(output, *ended)).await.unwrap();
    }
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn each_part_of_the_output_is_printed_once() {
    let states = [
        ("", None),
        ("one\n", None),
        ("one\n", None),
        ("one\ntwò", None),
        ("one\ntwò\n", Some(Ended::Success)),
    ];
    assert_eq!(printed(&states).await, "one\ntwò\n");
}

#[tokio::test]
async fn the_line_that_the_server_adds_is_not_printed() {
    for reason in ["exit code: 3", "timed out after 30 s"] {
        let whole = format!("one\ntwo\n{reason}");
        let end = Some(Ended::Failed(None));
        assert_eq!(
            printed(&[("one\nt", None), (&whole, end)]).await,
            "one\ntwo\n"
        );
        assert_eq!(printed(&[(&whole, end)]).await, "one\ntwo\n");
        assert_eq!(printed(&[(reason, end)]).await, "");
    }
    let success = [("exit code: 3", Some(Ended::Success))];
    assert_eq!(printed(&success).await, "exit code: 3");
}

#[tokio::test]
async fn output_that_a_dying_node_did_not_save_is_no_confusion() {
    let states = [
        ("one\ntwo\nthree\n", None),
        ("one\nits node died", Some(Ended::Failed(None))),
    ];
    assert_eq!(printed(&states).await, "one\ntwo\nthree\n");
}

#[test]
fn the_process_ends_as_the_command_did() {
    let code = |ended| {
        let verdict = snapshot("x\nwhy", Some(ended)).verdict();
        verdict.unwrap_err().downcast::<ExitWith>().unwrap().0
    };
    assert!(snapshot("", Some(Ended::Success)).verdict().is_ok());
    assert_eq!(code(Ended::Failed(Some(3))), 3);
    assert_eq!(code(Ended::Failed(Some(255))), 255);
    for odd in [0, -1, 256, i32::MAX] {
        assert_eq!(code(Ended::Failed(Some(odd))), 1);
    }
    let failed = |output| snapshot(output, Some(Ended::Failed(None))).verdict();
    assert_eq!(failed("x\nwhy").unwrap_err().to_string(), "why");
    assert_eq!(failed("").unwrap_err().to_string(), "the command failed");
}
