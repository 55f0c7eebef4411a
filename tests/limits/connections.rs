//! Of connections that are no sockets: how many there may be, and whose they are behind a balancer of TCP.

use std::net::SocketAddr;

use serde_json::json;
use tempfile::TempDir;

use super::{Stage, retry_after_of};
use crate::support::{FLEET, Haproxy, Nginx, Raw, Socket};

const HEALTH: [&str; 2] = ["GET /healthz HTTP/1.1", "Host: x"];

/// Asks whether the server is there, on a connection that stays open.
async fn ask(raw: &mut Raw) -> u16 {
    raw.ask(&HEALTH.map(str::to_owned)).await.status
}

/// Begins a request and does not end it.
async fn begin(stage: &Stage) -> Raw {
    let mut raw = Raw::connect(&stage.server).await;
    raw.send(b"GET / HTTP/1.1\r\nHost:").await;
    raw
}

#[tokio::test]
async fn connections_beyond_the_limit_get_a_503_and_what_is_a_socket_is_none_of_them() {
    let stage = Stage::set_up(&[
        ("LIMITS__CONNECTIONS", "3"),
        ("SERVER__HEADER_TIMEOUT_S", "3600"),
    ])
    .await;
    stage.has_connections(0).await;
    let mut open = Socket::open(&stage.server, FLEET, &stage.root).await;
    stage.has_connections(0).await;
    let mut begun = Vec::new();
    for _ in 0..3 {
        begun.push(begin(&stage).await);
    }
    stage.has_connections(3).await;
    let mut refused = Raw::connect(&stage.server).await;
    let head = refused.head().await;
    assert_eq!(head.status, 503, "{}", head.text);
    retry_after_of(&head);
    let length = head.header("content-length").parse().unwrap();
    let body: serde_json::Value = serde_json::from_slice(&refused.body(length).await).unwrap();
    assert_eq!(body, json!({"detail": "Try again later."}));
    assert!(refused.ended().await);
    stage.has_hit("connections", 1).await;
    let log = stage.server.log();
    assert!(log.contains("limits.connections"), "{log}");
    open.ping().await;
    begun.pop();
    stage.has_connections(2).await;
    assert_eq!(ask(&mut Raw::connect(&stage.server).await).await, 200);
}

#[tokio::test]
async fn heads_that_are_not_sent_to_their_end_leave_room_when_their_time_is_over() {
    let stage = Stage::set_up(&[
        ("LIMITS__CONNECTIONS", "2"),
        ("SERVER__HEADER_TIMEOUT_S", "1"),
    ])
    .await;
    stage.has_connections(0).await;
    let mut begun = [begin(&stage).await, begin(&stage).await];
    for raw in &mut begun {
        raw.drain().await;
    }
    stage.has_hit("header_timeout_s", 2).await;
    stage.has_connections(0).await;
    assert_eq!(ask(&mut Raw::connect(&stage.server).await).await, 200);
}

#[tokio::test]
async fn an_address_has_no_more_connections_than_one_may_and_a_proxy_as_many_as_it_needs() {
    let stage = Stage::set_up(&[
        ("LIMITS__CONNECTIONS_PER_ADDRESS", "1"),
        ("SERVER__TRUSTED_PROXIES", "127.0.0.3"),
    ])
    .await;
    let from = async |source| Raw::connect_from(source, stage.server.address()).await;
    let mut first = from("127.0.0.2").await;
    assert_eq!(ask(&mut first).await, 200);
    let head = from("127.0.0.2").await.head().await;
    assert_eq!(head.status, 429, "{}", head.text);
    retry_after_of(&head);
    stage.has_hit("connections_per_address", 1).await;
    let mut others = Vec::new();
    for source in ["127.0.0.4", "127.0.0.3", "127.0.0.3"] {
        let mut other = from(source).await;
        assert_eq!(ask(&mut other).await, 200, "{source}");
        others.push(other);
    }
    assert_eq!(ask(&mut first).await, 200, "what is open stays");
}

/// What is said on the way of `balancer` comes from the client's own address.
async fn each_client_has_its_own_address(stage: &Stage, balancer: SocketAddr) {
    let handshake = Raw::handshake_at(balancer, FLEET, &stage.root);
    let mut sockets = Vec::new();
    for (source, status) in [("127.0.0.2", 101), ("127.0.0.3", 101), ("127.0.0.2", 429)] {
        let mut raw = Raw::connect_from(source, balancer).await;
        let head = raw.ask(&handshake).await;
        assert_eq!(head.status, status, "{source}: {}", head.text);
        sockets.push(raw);
    }
    let listed = stage.server.cli(&["sockets", "list"]);
    let listed = listed.as_array().unwrap().iter();
    let mut addresses: Vec<_> = listed.map(|it| it["address"].clone()).collect();
    addresses.sort_by_key(ToString::to_string);
    assert_eq!(addresses, [json!("127.0.0.2"), json!("127.0.0.3")]);
}

/// A server whose balancer is at 127.0.0.1, and each of whose clients may have one socket.
async fn behind_a_balancer() -> Stage {
    Stage::set_up(&[
        ("LIMITS__SOCKETS_PER_ADDRESS", "1"),
        ("SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("SERVER__PROXY_PROTOCOL", "true"),
    ])
    .await
}

#[tokio::test]
async fn behind_nginx_that_balances_tcp_each_client_keeps_its_address() {
    let (stage, directory) = (behind_a_balancer().await, TempDir::new().unwrap());
    let server = [stage.server.address()];
    let nginx = Nginx::balance_with(directory.path(), &server, "proxy_protocol on;").await;
    each_client_has_its_own_address(&stage, nginx.address()).await;
}

#[tokio::test]
async fn behind_haproxy_that_balances_tcp_each_client_keeps_its_address() {
    for options in ["send-proxy check", "send-proxy-v2 check"] {
        let (stage, directory) = (behind_a_balancer().await, TempDir::new().unwrap());
        let server = stage.server.address();
        let haproxy = Haproxy::balance(directory.path(), server, options).await;
        each_client_has_its_own_address(&stage, haproxy.address()).await;
    }
}

#[tokio::test]
async fn a_trusted_proxy_has_to_say_whose_a_connection_is_and_nobody_else_may() {
    let stage = behind_a_balancer().await;
    let mut silent = Raw::connect(&stage.server).await;
    silent
        .send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert!(silent.ended().await);
    let log = stage.server.log();
    assert!(log.contains("server.proxy_protocol"), "{log}");
    let mut direct = Raw::connect_from("127.0.0.2", stage.server.address()).await;
    assert_eq!(ask(&mut direct).await, 200);
    let mut liar = Raw::connect_from("127.0.0.2", stage.server.address()).await;
    let line = b"PROXY TCP4 10.0.0.1 10.0.0.2 4711 80\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    liar.send(line).await;
    assert_eq!(liar.head().await.status, 400);
}
