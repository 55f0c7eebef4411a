//! A node whose own clock is wrong: what clients and operators are told of the time.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use crate::chaos::clock::Clock;
use crate::support::{
    Answer, Client, Engine, Seed, Server, Surroundings, eventually, free_address, value_of,
};

/// By how many seconds the `Date` of an answer is ahead of this machine's clock.
fn date_ahead_s(answer: &Answer) -> i64 {
    let date = answer.headers["date"].to_str().unwrap();
    let date = DateTimeParser::new().parse_timestamp(date).unwrap();
    date.as_second() - Timestamp::now().as_second()
}

#[tokio::test]
async fn answers_are_dated_by_the_databases_clock_however_wrong_a_nodes_own_is() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::make(directory.path()).unwrap();
    let metrics = free_address();
    let settings = [("METRICS__LISTEN", &*metrics.to_string())];
    let database = Server::prepare(Engine::Postgres, &settings).await;
    let mut node = database.beside_in(&Surroundings {
        environment: clock.environment(),
        ..Surroundings::default()
    });
    let root = Seed(&database).root();
    node.run().await;
    let (client, metrics) = (Client::new(&node, root), Client::of(metrics));
    for (by, ahead_s) in [("+1h", 3600), ("-1h", -3600), ("+0", 0)] {
        clock.turn(by);
        eventually("the node says how wrong its clock is", async || {
            let text = metrics.get("/metrics").await.text;
            let ahead = value_of(&text, "fleetwire_clock_ahead_seconds")?;
            let ahead: i64 = ahead.parse().unwrap();
            (ahead - ahead_s).abs().le(&2).then_some(())
        })
        .await;
        // By this a client asks for what has changed since it read the list.
        let list = client.get("/api/v1/controller/location/").await;
        assert_eq!(list.status, 200, "{}", list.text);
        assert!(date_ahead_s(&list).abs() <= 2, "{by}: {:?}", list.headers);
    }
}
