//! `?since=` on a device's commands: who comes back is told first what was missed.

use jiff::{SignedDuration, Timestamp};

use super::stage::{Router, Stage};
use super::watcher::{Watcher, is_final, text};
use crate::conformance::on_both_engines;
use crate::support::Engine;
use crate::support::ssh::{OpenSsh, Options};

on_both_engines! {
    who_comes_back_is_told_how_commands_ended,
    since_brings_the_newest_hundred,
    since_while_output_grows_never_goes_backwards,
}

async fn come_back(stage: &Stage, router: &Router) -> Watcher {
    let minute_ago = Timestamp::now() - SignedDuration::from_mins(1);
    let query = format!("?since={minute_ago}");
    Watcher::open_since(&stage.server, &router.id, &stage.token, &query).await
}

async fn who_comes_back_is_told_how_commands_ended(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(engine, &[]).await;
    let router = stage.router("router", &device).await;
    let other = stage.router("other", &device).await;
    let mut ended = Vec::new();
    for (router, line) in [(&router, "echo 1"), (&other, "echo 2"), (&router, "exit 3")] {
        ended.push(stage.run(router, line).await);
    }
    let mut plain = stage.watch(&router).await;
    let mut watcher = come_back(&stage, &router).await;
    for expected in [&ended[0], &ended[2]] {
        let told = watcher.next().await;
        for (key, value) in told.as_object().unwrap() {
            assert_eq!(value, &expected[key], "{key}");
        }
    }
    watcher.hears_nothing_more().await;
    // From here on it is like any other.
    let id = stage.ask(&router, "echo 4").await;
    for watcher in [&mut plain, &mut watcher] {
        let next = watcher.next().await;
        assert_eq!(text(&next, "id"), id);
        assert_eq!(watcher.end(&id).await["output"], "4\n");
    }
}

async fn since_brings_the_newest_hundred(engine: Engine) {
    const COMMANDS: usize = 103;
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(engine, &[]).await;
    let router = stage.router("router", &device).await;
    // Those behind it end by being called off, which is quick.
    let line = format!("echo begun; {}", stage.witness.wait_for("go"));
    let first = stage.ask(&router, &line).await;
    stage.saved(&router, &first, "begun\n").await;
    let mut watcher = stage.watch(&router).await;
    let mut ended = Vec::new();
    for _ in 0..COMMANDS {
        let id = stage.ask(&router, "true").await;
        stage.cancel(&router, &id).await;
        watcher.end(&id).await;
        ended.push(id);
    }
    let mut watcher = come_back(&stage, &router).await;
    for id in &ended[COMMANDS - 100..] {
        let told = watcher.next().await;
        assert_eq!(&text(&told, "id"), id);
        assert!(is_final(&told), "{told}");
    }
    watcher.hears_nothing_more().await;
    stage.witness.open("go");
    assert_eq!(watcher.end(&first).await["status"], "success");
}

/// On one socket: what was seen on an earlier one may have been ahead of what is saved by now.
async fn since_while_output_grows_never_goes_backwards(engine: Engine) {
    let device = OpenSsh::start(&Options::default());
    let stage = Stage::set_up_on(engine, &[]).await;
    let router = stage.router("router", &device).await;
    let line = "i=0; while [ $i -lt 250 ]; do i=$((i+1)); echo $i; sleep 0.01; done";
    let id = stage.ask(&router, line).await;
    let lines: Vec<_> = (1..=250).map(|number| format!("{number}\n")).collect();
    let expected = lines.concat();
    loop {
        // The watcher looks that nothing goes backwards.
        let mut watcher = come_back(&stage, &router).await;
        for _ in 0..3 {
            let data = watcher.until(&id, |_| true).await;
            let output = text(&data, "output");
            assert!(expected.starts_with(&output), "{output}");
            if is_final(&data) {
                assert_eq!(output, expected);
                return;
            }
        }
    }
}
