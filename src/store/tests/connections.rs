//! Requests, and what the node itself does, do not wait for each other's connections.

use super::*;
use crate::access::{Credential, Directory};
use crate::event::{NodeId, Timestamp};
use crate::store::{NodeReport, Page, Scope, StoreError};

over_both! {
    async fn what_the_node_itself_does_waits_for_no_request(house: House) {
        let fleet = house.fleet(1).await;
        let queued = house.queue(&fleet.devices[0]).await;
        let (node, own) = (NodeId::random(), house.store.for_node());
        let _requests = house.store.use_up().await;
        let position = own.position().await.unwrap();
        own.changes_after(&position).await.unwrap();
        own.rights_changed(None).await.unwrap();
        let job = own.claim_command(node, 30).await.unwrap().unwrap();
        assert_eq!(job.command.id, queued.id);
        let kept = own.renew_claims(node, &[queued.id], 30).await.unwrap();
        assert_eq!(kept, [queued.id].into());
        let report = NodeReport {
            id: node,
            name: "here".into(),
            version: "0.1.0",
            started: Timestamp::now(),
            sockets: 0,
            commands: 1,
        };
        own.report_node(&report).await.unwrap();
        // Who somebody is, is asked for all that wait in one question.
        let nobody = Credential::Session("nobody".into());
        assert!(house.store.identify(&nobody).await.unwrap().is_none());
    }

    async fn lists_leave_connections_to_other_requests(house: House) {
        let organization = house.organization().await;
        let page = Page { number: 1, size: 1 };
        let pages = &house.store.inner.pools;
        let mut turns = vec![pages.page_turn().await.unwrap()];
        while pages.has_page_turn() {
            turns.push(pages.page_turn().await.unwrap());
        }
        assert!(turns.len() < house.store.use_up().await.len());
        let refused = house.store.organization_page(&Scope::All, page).await.unwrap_err();
        assert!(matches!(refused, StoreError::Database(sqlx::Error::PoolTimedOut)));
        house.store.organization(organization.id).await.unwrap();
        drop(turns);
        house.store.organization_page(&Scope::All, page).await.unwrap();
    }
}
