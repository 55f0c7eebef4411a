//! Commands, from their begin to their end.

use super::*;

#[tokio::test]
async fn output_and_exit_status_are_heard() {
    for server in both() {
        let heard = run_on(&server, &line("echo out; echo err >&2; exit 3")).await;
        assert_eq!(heard.stdout, "out\n");
        assert_eq!(heard.stderr, "err\n");
        assert_eq!(heard.end, Some(Happening::Exited(3)));
    }
}

#[tokio::test]
async fn the_end_is_told_again_and_again() {
    let server = OpenSsh::start(&Options::default());
    let mut execute = log_in(&server).await.exec(&line("true")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(execute.next().await, Happening::Exited(0));
    }
    execute.terminate().await;
    execute.kill().await;
    assert_eq!(execute.next().await, Happening::Exited(0));
}

#[tokio::test]
async fn both_streams_come_in_the_order_of_their_printing() {
    let server = OpenSsh::start(&Options::default());
    // It prints the next line once it was told that the last one arrived.
    let command = "echo 1; read -r go; echo 2 >&2; read -r go; echo 3";
    let mut execute = log_in(&server)
        .await
        .exec(&Execution {
            stdin: b"go\ngo\n".to_vec(),
            ..line(command)
        })
        .await
        .unwrap();
    let heard = hear(&mut execute).await;
    assert_eq!((&*heard.stdout, &*heard.stderr), ("1\n3\n", "2\n"));
}

#[tokio::test]
async fn a_signal_that_ends_a_command_is_named() {
    for server in both() {
        let heard = run_on(&server, &line("kill -s TERM $$")).await;
        assert_eq!(heard.end, Some(Happening::Signalled("TERM".into())));
    }
}

#[tokio::test]
async fn standard_input_is_written_and_ends() {
    for server in both() {
        let heard = run_on(
            &server,
            &Execution {
                stdin: b"new\nnew\n".to_vec(),
                ..line("passwd")
            },
        )
        .await;
        assert_eq!(heard.end, Some(Happening::Exited(0)));
        assert_eq!(server.witness("passwd").unwrap(), "new\nnew\n");
        let heard = run_on(&server, &line("cat; echo end")).await;
        assert_eq!(heard.stdout, "end\n");
    }
}

#[tokio::test]
async fn more_input_than_the_command_reads_does_no_harm() {
    for server in both() {
        let execution = Execution {
            stdin: vec![b'x'; 4 * 1024 * 1024],
            ..line("head -c 3; exit 4")
        };
        let heard = run_on(&server, &execution).await;
        assert_eq!(heard.stdout, "xxx");
        assert_eq!(heard.end, Some(Happening::Exited(4)));
        let execution = Execution {
            stdin: vec![b'x'; 1024 * 1024],
            ..line("wc -c")
        };
        let heard = run_on(&server, &execution).await;
        assert_eq!(heard.stdout.trim(), "1048576");
    }
}

#[tokio::test]
async fn a_terminal_is_there_when_asked_for_and_echoes_nothing() {
    for server in both() {
        let heard = run_on(&server, &line("test -t 0; echo $?")).await;
        assert_eq!(heard.stdout, "1\n");
        for stdin in ["one\ntwo\n", "one\ntwo"] {
            let execution = Execution {
                stdin: stdin.into(),
                tty: true,
                ..line("test -t 0; echo $?; cat")
            };
            let heard = run_on(&server, &execution).await;
            assert_eq!(
                heard.stdout,
                format!("0\r\n{}", stdin.replace('\n', "\r\n"))
            );
            assert_eq!(heard.end, Some(Happening::Exited(0)));
        }
    }
}

#[tokio::test]
async fn a_flood_waits_for_a_slow_reader_and_arrives_whole() {
    const SIZE: usize = 10 * 1024 * 1024;
    for server in both() {
        let command = line("head -c 10485760 /dev/zero; exit 5");
        let mut execute = log_in(&server).await.exec(&command).await.unwrap();
        let mut size = 0;
        let end = loop {
            match execute.next().await {
                Happening::Output { bytes, .. } => size += bytes.len(),
                end => break end,
            }
            if size.is_multiple_of(7) {
                tokio::task::yield_now().await;
            }
        };
        assert_eq!((size, end), (SIZE, Happening::Exited(5)));
    }
}

#[tokio::test]
async fn a_reader_that_stops_makes_the_device_wait() {
    for server in both() {
        let done = Account::of_the_tests()
            .home
            .join(uuid::Uuid::new_v4().to_string());
        let command = line(&format!(
            "head -c 20000000 /dev/zero; : >{}",
            done.display()
        ));
        let mut execute = log_in(&server).await.exec(&command).await.unwrap();
        let Happening::Output { bytes, .. } = execute.next().await else {
            panic!("it prints");
        };
        // Nobody reads for as long as another command takes from its log-in to its end.
        run_on(&server, &line("true")).await;
        assert!(!done.exists());
        let heard = hear(&mut execute).await;
        assert_eq!(bytes.len() + heard.stdout.len(), 20_000_000);
        assert_eq!(heard.end, Some(Happening::Exited(0)));
        assert!(done.exists());
    }
}

#[tokio::test]
async fn term_ends_a_command() {
    for server in both() {
        let mut execute = log_in(&server)
            .await
            .exec(&line("echo begun; exec sleep 60"))
            .await
            .unwrap();
        hear_of(&mut execute, "begun").await;
        execute.terminate().await;
        let end = hear(&mut execute).await.end;
        assert_eq!(end, Some(Happening::Signalled("TERM".into())));
    }
}

#[tokio::test]
async fn kill_ends_a_command_that_ignores_term() {
    for server in both() {
        let command = line("trap '' TERM; echo $$; while :; do sleep 1; done");
        let mut execute = log_in(&server).await.exec(&command).await.unwrap();
        let Happening::Output { bytes, .. } = execute.next().await else {
            panic!("it prints its process id");
        };
        let id: u32 = str::from_utf8(&bytes).unwrap().trim().parse().unwrap();
        execute.terminate().await;
        execute.kill().await;
        assert!(matches!(execute.next().await, Happening::Lost(_)));
        let gone = line(&format!("while kill -0 {id}; do sleep 0.1; done"));
        assert_eq!(run_on(&server, &gone).await.end, Some(Happening::Exited(0)));
    }
}

#[tokio::test]
async fn a_flood_can_be_killed_while_nobody_reads() {
    for server in both() {
        let command = line("echo begun; exec cat /dev/zero");
        let mut execute = log_in(&server).await.exec(&command).await.unwrap();
        hear_of(&mut execute, "begun").await;
        tokio::time::timeout(Duration::from_secs(20), execute.kill())
            .await
            .expect("it does not hang");
    }
}

#[tokio::test]
async fn a_lost_link_is_told() {
    for server in both() {
        let mut execute = log_in(&server)
            .await
            .exec(&line("echo begun; exec sleep 60"))
            .await
            .unwrap();
        hear_of(&mut execute, "begun").await;
        server.cut();
        let end = hear(&mut execute).await.end;
        assert_eq!(
            end,
            Some(Happening::Lost("the device closed the connection".into()))
        );
    }
}

#[tokio::test]
async fn a_reboot_loses_the_link() {
    for server in both() {
        let heard = run_on(&server, &line("reboot")).await;
        assert!(matches!(heard.end, Some(Happening::Lost(_))), "{heard:?}");
        assert!(server.witness("reboot").is_some());
    }
}

#[tokio::test]
async fn what_a_command_leaves_behind_does_not_keep_it_from_ending() {
    let server = OpenSsh::start(&Options::default());
    // The sleep holds the output open.
    let mut execute = log_in(&server)
        .await
        .exec(&line("sleep 30 & echo $!; exit 6"))
        .await
        .unwrap();
    let heard = hear(&mut execute).await;
    assert_eq!(heard.end, Some(Happening::Exited(6)));
    assert!(!heard.stdout.is_empty());
}

#[tokio::test]
async fn a_call_that_is_given_up_loses_nothing() {
    let server = OpenSsh::start(&Options::default());
    let command =
        line("for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.05; done; sleep 30 & exit 7");
    let mut execute = log_in(&server).await.exec(&command).await.unwrap();
    let mut text = String::new();
    let end = loop {
        let wait = tokio::time::timeout(Duration::from_millis(10), execute.next());
        match wait.await {
            Ok(Happening::Output { bytes, .. }) => text += &String::from_utf8_lossy(&bytes),
            Ok(end) => break end,
            Err(_) => {}
        }
    };
    assert_eq!(text, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    assert_eq!(end, Happening::Exited(7));
}
