//! `docs/metrics.md`: every metric with its labels.

use std::collections::{BTreeMap, BTreeSet};

use super::{arms, assert_same, below, quoted, rows, text_of};
use crate::support::{Credential, FLEET, Seed, Server, Socket, eventually, free_address};

const PAGE: &str = "metrics.md";

/// The metrics of the page, each with what stands in the column of its labels.
fn described(page: &str) -> BTreeMap<String, String> {
    let rows = rows(below(page, "All metrics")).into_iter();
    rows.map(|row| (row[0].replace('`', ""), row[2].to_owned()))
        .collect()
}

#[test]
fn every_registered_metric_is_described() {
    let source = text_of("src/telemetry/metrics.rs");
    let registered = source.split(".register(").skip(1).filter_map(|call| {
        let name = call.trim_start().strip_prefix('"')?.split('"').next()?;
        Some(format!("fleetwire_{name}"))
    });
    let page = text_of("docs/metrics.md");
    let said = described(&page).into_keys();
    let said = said.map(|name| name.trim_end_matches("_total").to_owned());
    assert_same(PAGE, &said.collect(), &registered.collect());
}

#[test]
fn every_reason_that_is_a_label_is_described() {
    let page = text_of("docs/metrics.md");
    let described = described(&page);
    let values = |metric: &str| -> BTreeSet<String> {
        let labels = quoted(&described[metric]).into_iter();
        labels.skip(1).map(str::to_owned).collect()
    };
    let refusals = arms(&text_of("src/socket/refusal.rs"), "label").into_values();
    assert_same(
        PAGE,
        &values("fleetwire_handshakes_refused_total"),
        &refusals.collect(),
    );
    let mut ended = arms(&text_of("src/socket/shard/ended.rs"), "label");
    ended.remove("Closed");
    let closed = arms(&text_of("src/hub/close.rs"), "label").into_values();
    assert_same(
        PAGE,
        &values("fleetwire_sockets_closed_total"),
        &closed.chain(ended.into_values()).collect(),
    );
}

#[test]
fn every_limit_is_described_and_is_a_key_of_the_settings() {
    let page = text_of("docs/metrics.md");
    let described = described(&page);
    let labels = quoted(&described["fleetwire_limits_hit_total"]).into_iter();
    let said: BTreeSet<String> = labels.skip(1).map(str::to_owned).collect();
    let labels = arms(&text_of("src/telemetry/limit.rs"), "label");
    let is: BTreeSet<String> = labels.into_values().collect();
    assert_same(PAGE, &said, &is);
    let settings = text_of("src/config/fleetwire.toml");
    for limit in is {
        // The two keys of attempts count together.
        let key = limit.replace("login_attempts", "attempts_per_user");
        assert!(
            settings.contains(&format!("\n{key} = ")),
            "no setting {key}"
        );
    }
}

/// A sample of what was scraped: its name, and its labels with their values.
fn sample(line: &str) -> (String, Vec<(String, String)>) {
    let (series, _) = line.rsplit_once(' ').unwrap();
    let Some((name, labels)) = series.split_once('{') else {
        return (series.to_owned(), Vec::new());
    };
    let labels = labels.trim_end_matches('}').split(',').map(|label| {
        let (key, value) = label.split_once('=').unwrap();
        (key.to_owned(), value.trim_matches('"').to_owned())
    });
    (name.to_owned(), labels.collect())
}

async fn scrape(address: &str) -> String {
    let answer = reqwest::get(format!("http://{address}/metrics")).await;
    answer.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn what_a_server_counts_is_as_described() {
    let address = free_address().to_string();
    let server = Server::start_with(&[("METRICS__LISTEN", &address)]).await;
    let seed = Seed(&server);
    let organization = seed.organization("Alpha");
    let bus = seed.location("bus", &organization, &["--mobile"]);
    let root = seed.root();
    // Families appear with their first label: a refusal, a move and a close.
    let refused = Socket::try_open(&server, FLEET, &Credential::Nobody).await;
    assert!(refused.is_err());
    let mut socket = Socket::open(&server, FLEET, &root).await;
    server.client(&root).move_location(&bus, 1.0, 2.0).await;
    socket.next().await;
    socket.close().await;
    let text = eventually("all is counted", async || {
        let text = scrape(&address).await;
        let families = ["sockets_closed_total{", "lease_checks_total{"];
        families.iter().all(|it| text.contains(it)).then_some(text)
    })
    .await;
    let page = text_of("docs/metrics.md");
    let described = described(&page);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = sample(line);
        let said = described.get(&name);
        let said = said.unwrap_or_else(|| panic!("docs/{PAGE} lacks {name}"));
        for (key, value) in labels {
            let is_said = quoted(said).contains(&&*key) && quoted(said).contains(&&*value);
            assert!(is_said, "docs/{PAGE} lacks {key} {value} of {name}");
        }
    }
}
