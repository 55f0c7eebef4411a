//! Whether the channel layer answers, and who listens to it now.

use std::collections::BTreeSet;

use super::{Report, literally};
use crate::openwisp::redis_server::{RedisServer, RedisServerError};
use crate::openwisp::settings::{LayerKind, LayerSettings};

/// How many groups are looked at.
const GROUPS: usize = 200;

/// How many looks of a thousand keys each are taken for them.
const ROUNDS: usize = 200;

pub(super) async fn check(settings: &LayerSettings, report: &mut Report) {
    let several = settings.hosts.len() > 1;
    for (number, url) in settings.hosts.iter().enumerate() {
        let name = if several {
            format!("the channel layer's host {}", number + 1)
        } else {
            "the channel layer".to_owned()
        };
        let keys = if several {
            "gateway.channel_hosts"
        } else {
            "gateway.channel_redis_url (CHANNEL_REDIS_URL), or gateway.redis_host (REDIS_HOST) with those \
             beside it"
        };
        let server = RedisServer::new(url.clone());
        if let Err(error) = server.ping().await {
            report.wrong(format!("{name} does not answer: {error}; see {keys}"));
            continue;
        }
        match listeners(settings, &server).await {
            Ok(Listeners { groups: 0, .. }) => report.good(format!(
                "{name} answers; nobody listens to it under the prefix \"{}\" now",
                settings.prefix
            )),
            Ok(Listeners { groups, servers }) => {
                let many = if groups == 1 {
                    "1 group is".to_owned()
                } else {
                    format!("{groups} groups are")
                };
                let by = match (settings.kind, servers) {
                    (LayerKind::PubSub, _) => String::new(),
                    (LayerKind::Core, 1) => " by 1 process".to_owned(),
                    (LayerKind::Core, servers) => format!(" by {servers} processes"),
                };
                report.good(format!(
                    "{name} answers; {many} listened to{by}: a Daphne or a gateway that runs, \
                     or one that has ended without leaving its groups"
                ));
            }
            Err(error) => report.wrong(format!(
                "{name} answers, but cannot be looked at: {error}; see {keys}"
            )),
        }
    }
}

/// Who is there.
struct Listeners {
    groups: usize,
    servers: usize,
}

async fn listeners(
    settings: &LayerSettings,
    server: &RedisServer,
) -> Result<Listeners, RedisServerError> {
    match settings.kind {
        LayerKind::PubSub => {
            let pattern = format!("{}__group__*", literally(&settings.prefix));
            let mut question = redis::pipe();
            question.cmd("PUBSUB").arg("CHANNELS").arg(pattern);
            let answers: Vec<Vec<Vec<u8>>> = server.ask(&question).await?;
            Ok(Listeners {
                groups: answers.iter().map(Vec::len).sum(),
                servers: 0,
            })
        }
        LayerKind::Core => {
            let pattern = format!("{}:group:*", literally(&settings.prefix));
            let groups = server.some_keys(&pattern, GROUPS, ROUNDS).await?;
            if groups.is_empty() {
                return Ok(Listeners {
                    groups: 0,
                    servers: 0,
                });
            }
            let mut question = redis::pipe();
            for group in groups.iter().take(GROUPS) {
                question.cmd("ZRANGE").arg(group).arg(0).arg(-1);
            }
            let members: Vec<Vec<Vec<u8>>> = server.ask(&question).await?;
            // A channel is the process' own name, `!`, and one of the connection's.
            let servers: BTreeSet<&[u8]> = members
                .iter()
                .flatten()
                .filter_map(|channel| channel.split(|byte| *byte == b'!').next())
                .collect();
            Ok(Listeners {
                groups: groups.len(),
                servers: servers.len(),
            })
        }
    }
}
