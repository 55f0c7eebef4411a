use super::*;
use crate::store::db::Db;

/// SQLite has rolled the transaction back by itself: the connection that it was on must not be used as if it
/// were open still.
#[tokio::test]
async fn writing_goes_on_after_the_disk_was_full() {
    let house = House::sqlite().await;
    let Db::Sqlite { write, .. } = house.store.db() else {
        panic!("a house on SQLite")
    };
    let add = async |number: u32| {
        let name = format!("Organization {number}");
        house.store.add_organization(&name).await
    };
    // Not a page more than there is, as on a full disk. It holds for this connection alone.
    sqlx::query("PRAGMA max_page_count = 1")
        .execute(write)
        .await
        .unwrap();
    let mut number = 0;
    while add(number).await.is_ok() {
        number += 1;
        assert!(number < 10_000, "it is never full");
    }
    sqlx::query("PRAGMA max_page_count = 1000000")
        .execute(write)
        .await
        .unwrap();
    add(number).await.unwrap();
}
