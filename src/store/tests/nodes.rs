//! Nodes that say that they are there, and what is asked of all of them.

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::access::{Endpoint, OpenSocket, SocketFilter};
use crate::event::{InquiryId, NodeId, SocketId, Timestamp, UserId};
use crate::store::transaction::on_write;
use crate::store::{AuditFilter, Inquiry, NewAccount, NodeReport, Reply};

/// How long nodes keep sockets without the database.
const GRACE: Duration = Duration::from_mins(1);

fn report(name: &str) -> NodeReport {
    NodeReport {
        id: NodeId::random(),
        name: name.into(),
        version: "0.1.0",
        started: Timestamp::now(),
        sockets: 7,
        commands: 2,
    }
}

fn socket(user: UserId, opened_s: i64) -> OpenSocket {
    OpenSocket {
        id: SocketId::random(),
        user,
        endpoint: Endpoint::Locations,
        resource: None,
        address: IpAddr::from([10, 0, 0, 1]),
        opened: Timestamp(0).plus_seconds(opened_s),
        waiting_bytes: Some(3),
    }
}

impl House {
    /// Plays a node: replies to the first thing that it is asked.
    async fn play(&self, node: NodeId, reply: impl Fn(Option<Inquiry>) -> Reply) {
        loop {
            if let Some((id, inquiry)) = self.store.inquiries(node).await.unwrap().pop() {
                let reply = reply(inquiry);
                self.store.reply(node, id, Some(&reply)).await.unwrap();
                // Told a second time, as by a node that does not know whether it came through.
                self.store.reply(node, id, Some(&reply)).await.unwrap();
                assert!(self.store.inquiries(node).await.unwrap().is_empty());
                return;
            }
            // Several nodes in one process: it tells one of them.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// As if that had been an hour ago.
    async fn age(&self, sql: &'static str) {
        let mut write = self.store.write().await.unwrap();
        on_write!(write, connection => {
            sqlx::query(sql).execute(connection).await.map(|_| ()).unwrap();
        });
        write.commit().await.unwrap();
    }
}

over_both! {
    async fn a_node_is_alive_while_it_says_so_and_gone_when_it_takes_leave(house: House) {
        let (a, b) = (report("a:8000"), report("b:8000"));
        house.store.report_node(&b).await.unwrap();
        house.store.report_node(&a).await.unwrap();
        house.store.report_node(&NodeReport { sockets: 8, ..a.clone() }).await.unwrap();
        let nodes = house.store.nodes().await.unwrap();
        let seen: Vec<_> = nodes.iter().map(|it| (&*it.name, it.is_alive, it.sockets)).collect();
        assert_eq!(seen, [("a:8000", true, 8), ("b:8000", true, 7)]);
        house.age("UPDATE node SET seen = seen - 3600000000 WHERE name = 'b:8000'").await;
        house.store.remove_node(a.id).await.unwrap();
        let nodes = house.store.nodes().await.unwrap();
        let seen: Vec<_> = nodes.iter().map(|it| (it.id, it.is_alive)).collect();
        assert_eq!(seen, [(b.id, false)]);
    }

    async fn sockets_of_all_living_nodes_are_one_list(house: House) {
        let ada = NewAccount { username: "ada".into(), ..NewAccount::default() };
        let ada = house.store.add_user(&ada).await.unwrap().id;
        let (a, b, dead) = (report("a"), report("b"), report("dead"));
        for node in [&a, &b, &dead] {
            house.store.report_node(node).await.unwrap();
        }
        house.age("UPDATE node SET seen = seen - 3600000000 WHERE name = 'dead'").await;
        let filter = SocketFilter { user: Some(ada), ..SocketFilter::default() };
        let (old, middle, young) = (socket(ada, 1), socket(UserId::random(), 2), socket(ada, 3));
        let asked = Some(Inquiry::ListSockets(filter.clone(), 2));
        let (list, (), ()) = tokio::join!(
            house.store.open_sockets(&filter, 2, GRACE),
            house.play(a.id, |inquiry| {
                assert_eq!(inquiry, asked);
                Reply::Sockets(5, vec![old.clone(), young.clone()])
            }),
            house.play(b.id, |_| Reply::Sockets(1, vec![middle.clone()])),
        );
        let list = list.unwrap();
        assert_eq!(list.count, 6);
        let sockets: Vec<_> = list.sockets.iter()
            .map(|it| (it.socket.clone(), it.username.as_deref(), it.node)).collect();
        assert_eq!(sockets, [(old, Some("ada"), a.id), (middle, None, b.id)]);
        assert!(list.nodes.iter().all(|node| node.trouble.is_none()));
        assert_eq!(list.nodes.len(), 2, "nobody waits for the dead");
    }

    async fn a_close_is_in_the_audit_log_and_says_which_nodes_it_did_not_reach(house: House) {
        let (a, broken, silent) = (report("a"), report("broken"), report("silent"));
        let (cut_off, dead) = (report("cut off"), report("dead"));
        for node in [&a, &broken, &silent, &cut_off, &dead] {
            house.store.report_node(node).await.unwrap();
        }
        house.age("UPDATE node SET seen = seen - 40000000 WHERE name = 'cut off'").await;
        house.age("UPDATE node SET seen = seen - 90000000 WHERE name = 'dead'").await;
        let one = SocketId::random();
        let filter = SocketFilter { id: Some(one), ..SocketFilter::default() };
        let (closed, (), ()) = tokio::join!(
            house.store.close_sockets(&filter, GRACE),
            house.play(a.id, |_| Reply::Closing(1)),
            house.play(broken.id, |_| Reply::Failed("it is broken".into())),
        );
        let closed = closed.unwrap();
        assert_eq!(closed.count, 1);
        let troubles: Vec<_> = closed.nodes.iter().map(|it| it.trouble.as_deref()).collect();
        let [None, Some("it is broken"), Some(cut_off), Some("it did not answer")] = troubles[..] else {
            panic!("{troubles:?}");
        };
        assert!(cut_off.contains("lease.grace_s"), "it may hold sockets still: {cut_off}");
        let filter = AuditFilter { most: 1, ..AuditFilter::default() };
        let entry = house.store.audit(&filter).await.unwrap().remove(0);
        assert_eq!((&*entry.action, &*entry.model, entry.object), ("close", "Socket", one.0));
        assert_eq!(entry.name, format!("sockets of id {one}"));
        // Nobody is asked any more, and a reply that comes too late does no harm.
        assert!(house.store.inquiries(silent.id).await.unwrap().is_empty());
        let late = InquiryId::random();
        house.store.reply(silent.id, late, Some(&Reply::Closing(1))).await.unwrap();
    }

    async fn a_second_process_with_the_same_identity_is_told(house: House) {
        let first = report("a:8000");
        assert_eq!(house.store.report_node(&first).await.unwrap(), None);
        assert_eq!(house.store.report_node(&first).await.unwrap(), None);
        let later = first.started.plus_seconds(1);
        let second = NodeReport { name: "b:8000".into(), started: later, ..first.clone() };
        assert_eq!(house.store.report_node(&second).await.unwrap().as_deref(), Some("a:8000"));
        assert_eq!(house.store.report_node(&first).await.unwrap().as_deref(), Some("b:8000"));
        assert_eq!(house.store.report_node(&first).await.unwrap(), None);
    }

    async fn a_filter_that_is_not_understood_as_a_whole_is_none(house: House) {
        let node = NodeId::random();
        house.store.report_node(&NodeReport { id: node, ..report("a") }).await.unwrap();
        // About fewer sockets, in a word that this version does not know.
        house.age("INSERT INTO inquiry (id, inquiry, asked)
            SELECT id, '{\"close_sockets\":{\"endpoint\":\"locations\",\"colour\":1}}', 9000000000000000
            FROM node").await;
        let asked = house.store.inquiries(node).await.unwrap();
        assert!(matches!(asked[..], [(_, None)]), "{asked:?}");
    }

    async fn what_a_node_of_another_version_asks_is_refused_and_not_ignored(house: House) {
        let node = NodeId::random();
        house.store.report_node(&NodeReport { id: node, ..report("a") }).await.unwrap();
        house.age("INSERT INTO inquiry (id, inquiry, asked)
            SELECT id, '{\"sing\":1}', 9000000000000000 FROM node").await;
        let asked = house.store.inquiries(node).await.unwrap();
        let [(id, None)] = asked[..] else { panic!("{asked:?}") };
        house.store.reply(node, id, None).await.unwrap();
        let replies = house.store.replies(id).await.unwrap();
        assert!(matches!(&replies[&node], Reply::Failed(_)), "{replies:?}");
    }
}
