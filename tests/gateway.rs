//! Beside OpenWISP: a real one, its Daphne and `fleetwire gateway` next to each other, asked the same
//! and told the same. Where the two are not alike, docs/openwisp.md has a row that says so.

mod beside;
mod crowd;
mod faults;
mod handshake;
mod limits;
mod pages;
mod rights;
mod updates;

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::clients::in_repository;
use crate::support::Gateway;
use crate::support::openwisp::{Kind, Layout, OpenWisp, Options, id};

/// Who serves the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Daphne,
    Gateway,
}

/// An OpenWISP with all that serves its sockets.
struct Stage {
    openwisp: OpenWisp,
    gateway: Gateway,
}

impl Stage {
    async fn set(options: Options) -> Self {
        let openwisp = OpenWisp::start(options).await;
        let gateway = Gateway::start(&openwisp, &[]).await;
        Self { openwisp, gateway }
    }

    fn peers(&self) -> Vec<(Peer, SocketAddr)> {
        vec![
            (Peer::Daphne, self.openwisp.address()),
            (Peer::Gateway, self.gateway.address()),
        ]
    }
}

/// A table of `tests/gateway/`.
fn table<T: DeserializeOwned>(name: &str) -> T {
    let path = in_repository(&format!("tests/gateway/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `text` with the id of what is called so in place of each `{kind name}`.
fn filled(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, name)) = rest.split_once('{') {
        let (name, after) = name.split_once('}').unwrap();
        filled = filled + before + &id(name);
        rest = after;
    }
    filled + rest
}

/// Fails unless the guide tells of this difference between Daphne and us.
fn is_documented(difference: &str) {
    let page = std::fs::read_to_string(in_repository("docs/openwisp.md")).unwrap();
    let row = format!("\n| {difference} |");
    assert!(
        page.contains(&row),
        "docs/openwisp.md has no row {difference:?}"
    );
}

async fn is_alike_but_for_what_is_documented(options: Options) {
    let mut stage = Stage::set(options).await;
    handshake::compare(&mut stage).await;
    updates::compare(&mut stage).await;
}

#[tokio::test]
async fn daphne_and_we_are_alike_but_for_what_is_documented() {
    is_alike_but_for_what_is_documented(Options::default()).await;
}

/// The other ways in which an OpenWISP may be set up, one test each.
macro_rules! also_with {
    ($($how:ident: $($field:ident = $value:expr),+;)+) => {
        mod also_with {
            use super::*;

            $(#[tokio::test]
            #[ignore = "make test-full runs it"]
            async fn $how() {
                let options = Options { $($field: $value,)+ ..Options::default() };
                is_alike_but_for_what_is_documented(options).await;
            })+
        }
    };
}

also_with! {
    postgis_and_sessions_in_the_database: database = Kind::PostGis, sessions = "db";
    the_layout_of_ansible: layout = Layout::Ansible, redis_password = Some("p@ss:/word");
    sessions_in_both: sessions = "cached_db", layer = "pubsub";
    signed_cookies_and_encryption: sessions = "signed_cookies",
        encryption_keys = vec!["a key of the channel layer"];
    two_hosts: hosts = 2;
    two_hosts_of_pub_sub_and_encryption: hosts = 2, layer = "pubsub",
        encryption_keys = vec!["the newer key", "the older key"];
    sessions_as_json: cache_prefix = "wisp",
        cache_more = json!({"SERIALIZER": "django_redis.serializers.json.JSONSerializer"});
    sessions_that_are_compressed:
        cache_more = json!({"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"});
}

#[tokio::test]
async fn the_pages_of_openwisp_follow_what_happens() {
    let mut stage = Stage::set(Options::default()).await;
    for (_, address) in stage.peers() {
        pages::follow_what_happens(&mut stage, address).await;
    }
}
