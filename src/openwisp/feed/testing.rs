//! A feed beside a database that a real OpenWISP made and a Redis; nothing runs by itself.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::arrivals::Gap;
use super::{Feed, lock};
use crate::event::Topic;
use crate::hub::Hub;
use crate::hub::testing::{Listener, Listeners};
use crate::openwisp::layer::ChannelLayer;
use crate::openwisp::layer::testing::{RedisServer, settings};
use crate::openwisp::settings::LayerKind;
use crate::openwisp::tables::testing::House;

pub(super) struct Scene {
    pub house: House,
    pub feed: Arc<Feed>,
    listeners: Arc<Listeners>,
    _redis: RedisServer,
    layer: Option<JoinHandle<()>>,
}

impl Scene {
    pub async fn set() -> Self {
        let house = House::spatialite().await;
        let redis = RedisServer::start();
        let settings = settings(LayerKind::Core, &[&redis]);
        let layer = Arc::new(ChannelLayer::new(settings, Arc::default()));
        let hub = Arc::new(Hub::new(1));
        let tables = house.tables.clone();
        Self {
            feed: Feed::new(Arc::clone(&hub), layer, tables, Arc::default()),
            house,
            listeners: Listeners::of(&hub),
            _redis: redis,
            layer: None,
        }
    }

    /// Makes it an OpenWISP before 1.3.
    pub async fn is_old(&self) {
        let of_1_3 = "DELETE FROM django_migrations WHERE app = 'geo' AND name > '0004'";
        self.house.alter(of_1_3).await;
    }

    /// From now on it takes part in the channel layer.
    pub fn run_layer(&mut self) {
        let layer = Arc::clone(&self.feed.layer);
        self.layer = Some(tokio::spawn(async move { layer.run(|_| ()).await }));
    }

    /// Somebody who listens.
    pub fn listen(&self, topic: Topic) -> Listener {
        self.listeners.join(vec![topic])
    }

    /// The gap that is noted and not yet repaired, which it is then.
    pub fn take_gap(&self) -> Option<Gap> {
        lock(&self.feed.arrivals).take_gap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(layer) = &self.layer {
            layer.abort();
        }
    }
}

/// The messages that wait for a listener.
pub(super) fn heard(listener: &Listener) -> Vec<String> {
    let frames = listener.heard();
    let texts = frames.iter().map(|frame| {
        let bytes = frame.bytes();
        let start = bytes.iter().position(|byte| *byte == b'{').unwrap();
        String::from_utf8(bytes[start..].to_vec()).unwrap()
    });
    texts.collect()
}
