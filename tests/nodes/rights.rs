//! Rights that end at one node end everywhere.

use serde_json::json;

use super::cluster::Cluster;
use crate::support::{FLEET, Socket, location_path};

#[tokio::test]
async fn a_right_that_is_taken_away_at_one_node_closes_the_sockets_of_all() {
    let cluster = Cluster::with_redis(&[]).await;
    for (name, body) in [
        ("ada", json!({"is_active": false})),
        ("bert", json!({"organization_users": []})),
        ("cleo", json!({"user_permissions": []})),
    ] {
        let token = cluster.manager(name, &[&cluster.organization]);
        let path = location_path(&cluster.location);
        let mut sockets = Vec::new();
        for node in &cluster.nodes {
            sockets.push(Socket::open(node, &path, &token).await);
        }
        let client = cluster.nodes[0].client(&cluster.token);
        let users = client.get("/api/v1/users/user/").await.expect(200);
        let users = users["results"].as_array().unwrap();
        let user = users.iter().find(|user| user["username"] == name).unwrap();
        let user = format!("/api/v1/users/user/{}/", user["id"].as_str().unwrap());
        client.patch(&user, &body).await.expect(200);
        for socket in &mut sockets {
            assert_eq!(socket.closed().await, Some(1008), "{name}");
        }
        // At both, from now on.
        for node in &cluster.nodes {
            let again = Socket::try_open(node, &path, &token).await;
            assert_eq!(again.err(), Some(403), "{name}");
        }
    }
    // Whoever has the right still is not bothered.
    let mut fleet = Socket::open(&cluster.nodes[1], FLEET, &cluster.token).await;
    cluster.step(0, 1).await;
    fleet.next().await;
}
