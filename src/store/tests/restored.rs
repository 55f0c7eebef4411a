//! A database that a dump has brought to another PostgreSQL server, whose transactions have lower numbers.

use super::*;
use crate::access::Directory;
use crate::event::{CommandId, LocationId, NodeId};
use crate::store::{LocationChange, Position};

/// What no test's server comes near.
const FUTURE: i64 = 1 << 60;

/// A location and a command that was updated, as a dump would bring them.
struct Dump {
    location: LocationId,
    command: CommandId,
}

impl House {
    async fn restored() -> (Self, Dump) {
        let house = Self::postgres().await;
        let fleet = house.fleet(1).await;
        let bus = mobile(&fleet.organization, Some(point(1.0, 1.0)));
        let location = house.store.add_location(&bus).await.unwrap().id;
        house.queue(&fleet.devices[0]).await;
        let job = house.store.claim_command(NodeId::random(), 30).await;
        let command = job.unwrap().unwrap().command.id;
        let rights = "INSERT INTO rights_change DEFAULT VALUES";
        house.store.run_sql(rights).await;
        for table in ["location", "command", "rights_change"] {
            house
                .store
                .run_sql(&format!("UPDATE {table} SET change = {FUTURE}"))
                .await;
        }
        (house, Dump { location, command })
    }

    async fn numbers(&self, table: &str) -> Vec<i64> {
        let Db::Postgres { pool, .. } = self.store.db() else {
            unreachable!("this is PostgreSQL")
        };
        let sql = format!("SELECT change FROM {table} ORDER BY change");
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        query.fetch_all(pool).await.unwrap()
    }

    /// What the tail reads: locations and commands.
    async fn read(&self, position: &Position) -> (Vec<LocationId>, Vec<CommandId>) {
        let (changes, _) = self.store.changes_after(position).await.unwrap();
        let locations = changes.locations.iter().map(|change| change.id);
        let commands = changes.commands.iter().map(|change| change.id);
        (locations.collect(), commands.collect())
    }

    async fn moves(&self, location: LocationId) {
        let change = LocationChange {
            geometry: Some(Some(point(2.0, 2.0))),
            ..LocationChange::default()
        };
        self.store.change_location(location, &change).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dump_brought_is_no_change() {
    let (house, dump) = House::restored().await;
    let start = house.store.position().await.unwrap();
    let mark = house.store.rights_changed(None).await.unwrap().mark;
    assert_eq!(house.read(&start).await, (vec![], vec![]));
    house.moves(dump.location).await;
    assert_eq!(house.read(&start).await, (vec![dump.location], vec![]));
    let rights = house.store.rights_changed(mark).await.unwrap();
    assert!(rights.users.is_empty() && rights.resources.is_empty() && !rights.all);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dump_brought_is_renumbered_and_nothing_else() {
    let (house, dump) = House::restored().await;
    let start = house.store.position().await.unwrap();
    let organization = house.organization().await;
    let bus = mobile(&organization, Some(point(1.0, 1.0)));
    let own = house.store.add_location(&bus).await.unwrap().id;
    assert_eq!(house.store.renumber_restored().await.unwrap(), 3);
    assert_eq!(house.numbers("command").await, [1]);
    assert!(house.numbers("rights_change").await.is_empty());
    assert_eq!(house.read(&start).await, (vec![own], vec![]));
    assert_eq!(house.store.renumber_restored().await.unwrap(), 0);
    let since = house.store.updates_of(&[dump.command]).await.unwrap();
    assert_eq!(since[0].version, 2, "which is no update");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_updated_while_it_is_renumbered_keeps_its_number() {
    let (house, dump) = House::restored().await;
    // One round alone may miss the moment.
    for _ in 0..20 {
        house
            .store
            .run_sql(&format!("UPDATE location SET change = {FUTURE}"))
            .await;
        let start = house.store.position().await.unwrap();
        let renumbered = house.store.renumber_restored();
        let (renumbered, ()) = tokio::join!(renumbered, house.moves(dump.location));
        renumbered.unwrap();
        assert_eq!(house.read(&start).await.0, [dump.location]);
    }
    house.end().await;
}
