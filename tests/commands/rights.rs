//! Who may ask for commands, read them, call them off and watch them.

use serde_json::json;

use super::stage::{Stage, custom};
use crate::support::{Seed, Socket, command_path};

#[tokio::test]
async fn each_right_allows_what_it_says_in_the_own_organization_only() {
    let stage = Stage::set_up().await;
    let router = stage.router_at("router", &[]).await;
    let seed = Seed(&stage.server);
    let beta = seed.organization("Beta");
    let permissions = [
        "config.add_device",
        "config.change_device",
        "config.delete_device",
        "connection.add_command",
        "connection.view_command",
        "connection.change_command",
        "connection.delete_command",
    ];
    let device = &permissions[..3];
    // List, one, ask, call off (an ended one, so that it is refused only afterwards), watch.
    let nothing = [403, 403, 403, 403];
    let foreign = [404, 404, 404, 404];
    let all = [200, 200, 201, 409];
    let commands = &permissions[3..];
    for (name, managed, granted, rest, may_watch) in [
        ("none", &stage.organization, &[][..], nothing, false),
        ("watcher", &stage.organization, device, nothing, true),
        (
            "adder",
            &stage.organization,
            &commands[..1],
            [403, 403, 201, 409],
            false,
        ),
        (
            "viewer",
            &stage.organization,
            &commands[1..2],
            [200, 200, 403, 403],
            false,
        ),
        (
            "changer",
            &stage.organization,
            &commands[2..3],
            [200, 200, 403, 403],
            false,
        ),
        (
            "remover",
            &stage.organization,
            &commands[3..],
            nothing,
            false,
        ),
        ("almost", &stage.organization, &permissions[1..], all, false),
        ("everything", &stage.organization, &permissions, all, true),
        ("stranger", &beta, &permissions, foreign, false),
    ] {
        let mut flags = vec!["--staff", "--manages", managed];
        flags.extend(granted.iter().flat_map(|it| ["--permission", *it]));
        let token = seed.user_with_token(name, &flags);
        let client = stage.server.client(&token);
        let ended = stage.run(&router, "uptime").await;
        let one = router.command(ended["id"].as_str().unwrap());
        let answers = [
            client.get(&router.commands()).await,
            client.get(&one).await,
            client.post(&router.commands(), &custom("uptime")).await,
            client.post(&format!("{one}cancel/"), &json!({})).await,
        ];
        assert_eq!(answers.map(|answer| answer.status), rest, "{name}");
        let path = command_path(&router.id);
        let socket = Socket::try_open(&stage.server, &path, &token).await;
        let refused = socket.err();
        assert_eq!(refused, (!may_watch).then_some(403), "{name}");
    }
}
