//! Claims of commands and the queue's ends: by whom, by which clock, and whose lock is in the way.

use super::commands::{LEASE_S, piece};
use super::*;
use crate::event::{CommandId, CommandStatus, NodeId};
use crate::store::{Ending, NewBatch, Scope, Selection};

over_both! {
    async fn a_lease_lasts_by_the_clock_as_it_was_read(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        house.queue(&device).await;
        let job = house.store.claim_command(node, -1).await.unwrap().unwrap();
        let now = house.store.clock().await.unwrap();
        assert!((now.0 - house.store.instant().0).abs() < 60_000_000);
        // Since then the clock was set ahead, or so it looks: a minute later the lease is over.
        let before = now.plus_seconds(-60);
        assert_eq!(house.store.end_left_behind(before).await.unwrap(), 0);
        assert_eq!(house.store.end_left_behind(now).await.unwrap(), 1);
        assert_eq!(house.now(&job.command).await.status, CommandStatus::Failed);
    }

    async fn a_lease_that_is_not_renewed_ends(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        house.queue(&device).await;
        let job = house.store.claim_command(node, LEASE_S).await.unwrap().unwrap();
        let (id, connection) = (job.command.id, job.logins[0].connection);
        let kept = house.store.renew_claims(node, &[id], LEASE_S).await.unwrap();
        assert_eq!(kept, [id].into());
        assert_eq!(house.end_left_behind().await, 0);
        house.store.renew_claims(node, &[id], -1).await.unwrap();
        let sent = house.store.mark_sent(node, id, connection).await.unwrap();
        assert!(sent.is_none(), "others may be about to end the command");
        assert_eq!(house.end_left_behind().await, 1);
        assert!(house.now(&job.command).await.output.contains("was not run"));
        let kept = house.store.renew_claims(node, &[id], LEASE_S).await.unwrap();
        assert_eq!(kept, [].into(), "it is this node's no more");
        assert_eq!(house.now(&job.command).await.status, CommandStatus::Failed);
    }

    async fn a_node_that_comes_back_from_an_outage_keeps_what_nobody_ended(house: House) {
        let device = house.router().await;
        let node = NodeId::random();
        house.queue(&device).await;
        let job = house.store.claim_command(node, LEASE_S).await.unwrap().unwrap();
        let (id, connection) = (job.command.id, job.logins[0].connection);
        house.store.mark_sent(node, id, connection).await.unwrap().unwrap();
        house.store.renew_claims(node, &[id], -1).await.unwrap();
        house.store.renew_claims(node, &[id], LEASE_S).await.unwrap();
        assert_eq!(house.end_left_behind().await, 0);
        let ending = Ending { status: CommandStatus::Success, exit_code: Some(0) };
        let snapshot = job.command.clone().into();
        let ended = house.store.end_command(node, &snapshot, piece(1, "all"), ending).await.unwrap();
        assert!(ended.is_some());
        assert_eq!(house.now(&job.command).await.output, "all");
    }

    async fn all_that_waits_too_long_is_ended_in_one_sweep(house: House) {
        let fleet = house.fleet(1).await;
        house.trams(&fleet, 1200).await;
        let trams = Selection { search: Some("tram".into()), ..Selection::default() };
        let new = NewBatch { most: 1200, queue_s: 0, ..house.new_batch(trams).await };
        let batch = house.store.add_batch(&new, &Scope::All).await.unwrap();
        assert_eq!(house.store.end_late().await.unwrap(), 1200);
        assert_eq!(house.store.open_commands().await.unwrap(), (0, 0));
        let progress = house.store.batch(batch.id, &Scope::All).await.unwrap().progress;
        assert_eq!((progress.queued, progress.failed), (0, 1200));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_holds_keeps_no_other_claim_from_being_renewed() {
    let house = House::postgres().await;
    let node = NodeId::random();
    let (mut held, mut free) = (None, None);
    for claimed in [&mut held, &mut free] {
        house.queue(&house.router().await).await;
        *claimed = house.claim(node).await.map(|command| command.id);
    }
    let (held, free) = (held.unwrap(), free.unwrap());
    house
        .store
        .renew_claims(node, &[held, free], -1)
        .await
        .unwrap();
    let mut write = house.store.write().await.unwrap();
    write.lock_command(held).await.unwrap().unwrap();
    // Gives up waiting for the one, and has renewed the other.
    let refused = house.store.renew_claims(node, &[held, free], 60).await;
    refused.unwrap_err();
    drop(write);
    assert_eq!(house.end_left_behind().await, 1);
    let kept = house
        .store
        .renew_claims(node, &[held, free], 60)
        .await
        .unwrap();
    assert_eq!(kept, [free].into());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_of_thousands_locks_a_part_of_them_at_a_time() {
    let house = House::postgres().await;
    let fleet = house.fleet(1).await;
    house.trams(&fleet, 600).await;
    let trams = Selection {
        search: Some("tram".into()),
        ..Selection::default()
    };
    let new = NewBatch {
        most: 600,
        ..house.new_batch(trams).await
    };
    let batch = house.store.add_batch(&new, &Scope::All).await.unwrap().id;
    let mut write = house.store.write().await.unwrap();
    let last = "SELECT id FROM command ORDER BY id DESC LIMIT 1";
    let last: CommandId = on_write!(write, connection => {
        sqlx::query_scalar(last).fetch_one(connection).await.unwrap()
    });
    write.lock_command(last).await.unwrap().unwrap();
    let store = house.store.clone();
    let cancel = tokio::spawn(async move { store.cancel_batch(batch, &Scope::All).await });
    let mut asked = 0;
    // It would give up waiting for the one, having done nothing.
    while asked == 0 && !cancel.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        asked = house.asked_to_end().await;
    }
    assert_eq!(asked, 500);
    drop(write);
    assert!(cancel.await.unwrap().unwrap());
    assert_eq!(house.store.open_commands().await.unwrap(), (0, 0));
    house.end().await;
}

impl House {
    /// How many commands somebody has asked to end.
    async fn asked_to_end(&self) -> i64 {
        let mut write = self.store.write().await.unwrap();
        on_write!(write, connection => {
            sqlx::query_scalar("SELECT count(*) FROM command WHERE cancelled_by IS NOT NULL")
                .fetch_one(connection)
                .await
                .unwrap()
        })
    }
}
