//! Who may open which socket: the same questions to Daphne and to us.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::Deserialize;

use super::{Peer, Stage, filled, is_documented, table};
use crate::support::openwisp::{Django, OpenWisp};
use crate::support::{Credential, FLEET, Raw, Socket};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[expect(dead_code, reason = "for readers of the table")]
    about: String,
    given: Vec<String>,
    targets: BTreeMap<String, String>,
    users: BTreeMap<String, User>,
    paths: Vec<Asked>,
    origins: Vec<Asked>,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    shows: Shows,
    connects: BTreeSet<String>,
    #[serde(default)]
    unlike: BTreeMap<String, Unlike>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shows {
    cookie: Option<String>,
    token: Option<String>,
    #[serde(rename = "as it is")]
    as_it_is: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unlike {
    #[serde(default)]
    also: BTreeSet<String>,
    #[serde(default)]
    not: BTreeSet<String>,
}

/// What one request differs in, and the status that comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    rule: String,
    path: Option<String>,
    origin: Option<Vec<String>>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    without: Vec<String>,
    gateway: u16,
    daphne: u16,
    difference: Option<String>,
}

impl Table {
    /// Sees that each difference is one of those that are promised, and that there is one wherever the
    /// two are not the same.
    fn check(&self) {
        for (name, user) in &self.users {
            let unlike = user.unlike.values();
            let mut named = user
                .connects
                .iter()
                .chain(unlike.clone().flat_map(|it| &it.also));
            let unknown = named.find(|it| !self.targets.contains_key(*it));
            assert_eq!(unknown, None, "{name}");
            let mut not = unlike.flat_map(|it| &it.not);
            assert!(not.all(|it| user.connects.contains(it)), "{name}");
            user.unlike.keys().for_each(|name| is_documented(name));
        }
        for asked in self.paths.iter().chain(&self.origins).chain(&self.requests) {
            let differs = asked.gateway != asked.daphne;
            assert_eq!(differs, asked.difference.is_some(), "{}", asked.rule);
            asked.difference.iter().for_each(|name| is_documented(name));
        }
    }
}

impl User {
    fn may(&self, peer: Peer, target: &str) -> bool {
        let ours = self.connects.contains(target);
        match peer {
            Peer::Gateway => ours,
            Peer::Daphne => {
                let mut unlike = self.unlike.values();
                (ours && !unlike.clone().any(|it| it.not.contains(target)))
                    || unlike.any(|it| it.also.contains(target))
            }
        }
    }
}

impl Shows {
    async fn headers(&self, django: &mut Django) -> Vec<(&'static str, String)> {
        let mut headers = vec![OpenWisp::origin()];
        if let Some(code) = &self.cookie {
            headers.extend(django.cookie(code).await.header());
        }
        if let Some(code) = &self.token {
            let token = django.run(code).await;
            headers.push((
                "authorization",
                format!("Bearer {}", token.as_str().unwrap()),
            ));
        }
        headers.extend(
            self.as_it_is
                .clone()
                .and_then(|it| Credential::Cookie(it).header()),
        );
        headers
    }
}

/// Asks all of the table of both.
pub async fn compare(stage: &mut Stage) {
    let table: Table = table("handshake");
    table.check();
    stage.openwisp.django.run(&table.given.join("\n")).await;
    let mut wrong = Vec::new();
    for (name, user) in &table.users {
        for (peer, address) in stage.peers() {
            // Of its own each time: Daphne throws away some of the sessions that it refuses.
            let headers = user.shows.headers(&mut stage.openwisp.django).await;
            for (target, path) in &table.targets {
                let expected = if user.may(peer, target) { 101 } else { 403 };
                let status = knock(address, &filled(path), &headers).await;
                if status != expected {
                    wrong.push(format!(
                        "{peer:?}, {name}, {target}: {status}, not {expected}"
                    ));
                }
            }
        }
    }
    let all = table
        .paths
        .iter()
        .chain(&table.origins)
        .chain(&table.requests);
    let root = stage.openwisp.django.cookie("session('root')").await;
    for asked in all {
        for (peer, address) in stage.peers() {
            let status = asked.status(address, &root).await;
            let expected = match peer {
                Peer::Daphne => asked.daphne,
                Peer::Gateway => asked.gateway,
            };
            if status != expected {
                let Asked {
                    rule, path, origin, ..
                } = asked;
                wrong.push(format!(
                    "{peer:?}, {rule} {path:?} {origin:?}: {status}, not {expected}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The status that a handshake is answered with.
async fn knock(address: SocketAddr, path: &str, headers: &[(&'static str, String)]) -> u16 {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    match Socket::try_open_at_with(address, path, &Credential::Nobody, &headers).await {
        Ok(_) => 101,
        Err(status) => status,
    }
}

impl Asked {
    async fn status(&self, address: SocketAddr, root: &Credential) -> u16 {
        let Credential::Cookie(cookie) = root else {
            unreachable!("a cookie")
        };
        let path = self.path.as_deref().unwrap_or(FLEET);
        let mut lines = Raw::handshake_at(address, &filled(path), root);
        let (_, origin) = OpenWisp::origin();
        let origins = self.origin.clone().unwrap_or_else(|| vec![origin]);
        lines.extend(origins.iter().map(|origin| format!("Origin: {origin}")));
        let names = self.set.keys().chain(&self.without);
        for name in names {
            let prefix = format!("{}:", name.to_lowercase());
            lines.retain(|line| !line.to_lowercase().starts_with(&prefix));
        }
        for (name, value) in &self.set {
            lines.push(format!("{name}: {}", value.replace("{cookie}", cookie)));
        }
        let mut raw = Raw::connect_to(address).await;
        raw.ask(&lines).await.status
    }
}
