//! What goes away beside us, and comes back: nobody's last state is lost by it.

use std::time::Duration;

use super::crowd::{Crowd, all_become, make_things};
use crate::support::openwisp::{Kind, OpenWisp, Options};
use crate::support::{Gateway, eventually};

/// Enough to see that it is not luck.
const SOME: usize = 50;

/// An OpenWISP whose Daphne is not needed, a gateway, and a crowd that has heard all there is.
struct Scene {
    openwisp: OpenWisp,
    gateway: Gateway,
    crowd: Crowd,
}

impl Scene {
    async fn set(options: Options, count: usize, comes_back: bool) -> Self {
        let mut openwisp = OpenWisp::prepare(options).await;
        let gateway = Gateway::start(&openwisp, &[]).await;
        let django = &mut openwisp.django;
        make_things(django).await;
        let cookies = django.cookies().await;
        let mut crowd = Crowd::gather(gateway.address(), &cookies, count, comes_back).await;
        all_become(django, "at first").await;
        crowd.know("at first").await;
        Self {
            openwisp,
            gateway,
            crowd,
        }
    }

    async fn all_become(&mut self, text: &str) {
        all_become(&mut self.openwisp.django, text).await;
    }

    /// The same where nobody is told: what Django would send is refused.
    async fn all_become_untold(&mut self, text: &str) {
        let code = format!(
            "with mock.patch.object(type(get_channel_layer()), 'group_send', side_effect=OSError):\n    all_become({text:?})"
        );
        self.openwisp.django.run(&code).await;
    }

    /// What happens from now on is told as ever.
    async fn goes_on(&mut self) {
        self.all_become("at last").await;
        self.crowd.know("at last").await;
        assert_eq!(self.crowd.closed(), 0);
    }

    async fn is_ready(&self, ready: bool) {
        let client = self.gateway.client();
        let expected = if ready { 200 } else { 503 };
        eventually("the gateway knows how it is", async || {
            let answer = client.get("/readyz").await;
            (answer.status == expected).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_restart_of_redis_loses_nothing() {
    let mut scene = Scene::set(Options::default(), SOME, false).await;
    scene.openwisp.redis[0].terminate().await;
    scene.is_ready(false).await;
    scene.all_become("while redis was away").await;
    scene.openwisp.redis[0].run().await;
    scene.crowd.know("while redis was away").await;
    scene.goes_on().await;
}

#[tokio::test]
async fn thirty_seconds_without_redis_lose_nothing() {
    const OUTAGE: Duration = Duration::from_secs(30);
    let mut scene = Scene::set(Options::default(), SOME, false).await;
    scene.openwisp.redis[0].kill().await;
    let end = tokio::time::Instant::now() + OUTAGE;
    let mut text = String::new();
    for number in 0.. {
        text = format!("state {number} that nobody told");
        scene.all_become(&text).await;
        if tokio::time::Instant::now() > end {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    scene.openwisp.redis[0].run().await;
    scene.crowd.know(&text).await;
    scene.goes_on().await;
}

#[tokio::test]
async fn a_redis_that_hangs_loses_nothing() {
    let mut scene = Scene::set(Options::default(), SOME, false).await;
    scene.openwisp.redis[0].pause();
    scene.is_ready(false).await;
    scene.all_become_untold("while redis hung").await;
    scene.openwisp.redis[0].resume();
    scene.crowd.know("while redis hung").await;
    scene.is_ready(true).await;
    scene.goes_on().await;
}

#[tokio::test]
async fn a_flush_of_redis_loses_nothing() {
    // Sessions elsewhere: those in a cache that is flushed are over.
    let options = Options {
        sessions: "db",
        ..Options::default()
    };
    let mut scene = Scene::set(options, SOME, false).await;
    scene.openwisp.redis[0].flush().await;
    scene.all_become("told to nobody").await;
    scene.crowd.know("told to nobody").await;
    scene.goes_on().await;
}

#[tokio::test]
async fn a_flush_of_the_sessions_ends_their_sockets() {
    let mut scene = Scene::set(Options::default(), SOME, false).await;
    scene.openwisp.redis[0].flush().await;
    scene.crowd.are_closed(1008).await;
}

#[tokio::test]
async fn a_restart_of_postgres_loses_nothing() {
    let options = Options {
        database: Kind::PostGis,
        own_postgres: true,
        ..Options::default()
    };
    let mut scene = Scene::set(options, SOME, false).await;
    let postgres = scene.openwisp.postgres.as_ref().unwrap();
    postgres.stop();
    scene.is_ready(false).await;
    scene.openwisp.postgres.as_ref().unwrap().run();
    scene.all_become("when postgres was back").await;
    scene.crowd.know("when postgres was back").await;
    scene.goes_on().await;
}

#[tokio::test]
async fn a_restart_of_openwisp_loses_nothing() {
    let mut scene = Scene::set(Options::default(), SOME, false).await;
    scene.openwisp.run().await;
    scene.openwisp.terminate().await;
    // What it saves as its last, and what it saves as its first.
    scene.all_become("while the pages are away").await;
    scene.openwisp.renew_django();
    scene.crowd.know("while the pages are away").await;
    scene.openwisp.run().await;
    scene.all_become("when the pages are back").await;
    scene.crowd.know("when the pages are back").await;
    scene.goes_on().await;
}

#[tokio::test]
async fn a_thousand_sockets_that_come_back_to_a_killed_gateway_miss_nothing() {
    let mut scene = Scene::set(Options::default(), 1000, true).await;
    scene.gateway.kill().await;
    scene.all_become("while we were away").await;
    scene.gateway.run().await;
    scene.crowd.know("while we were away").await;
    assert!(scene.crowd.closed() >= 1000);
    scene.all_become("at last").await;
    scene.crowd.know("at last").await;
}

#[tokio::test]
async fn sockets_that_come_back_after_an_orderly_end_miss_nothing() {
    let mut scene = Scene::set(Options::default(), SOME, true).await;
    let status = scene.gateway.terminate().await;
    assert!(status.success(), "{status}");
    scene.all_become("while we were away").await;
    scene.gateway.run().await;
    scene.crowd.know("while we were away").await;
}
