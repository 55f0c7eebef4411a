//! The limits of sockets hold beside an OpenWISP as well; none is met by what one usually does.

use crate::support::openwisp::{OpenWisp, Options};
use crate::support::{FLEET, Gateway, Socket, eventually};

#[tokio::test]
async fn a_user_of_openwisp_has_as_many_sockets_as_one_may() {
    let mut openwisp = OpenWisp::prepare(Options::default()).await;
    let cookies = openwisp.django.cookies().await;
    let settings = [("LIMITS__SOCKETS_PER_USER", "2")];
    let gateway = Gateway::start(&openwisp, &settings).await;
    let open =
        async |user: &str| Socket::try_open_at(gateway.address(), FLEET, &cookies[user]).await;
    eventually("the gateway is ready", async || {
        let answer = gateway.client().get("/readyz").await;
        (answer.status == 200 && answer.json["channel_layer"] == "ok").then_some(())
    })
    .await;
    let mut first = open("root").await.unwrap();
    let second = open("root").await.unwrap();
    assert_eq!(open("root").await.err(), Some(429));
    open("dispatcher").await.unwrap().ping().await;
    first.ping().await;
    second.close().await;
    eventually("there is room again", async || open("root").await.ok()).await;
}
