//! The shape of `updates.json`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[expect(dead_code, reason = "for readers of the table")]
    pub about: String,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub rule: String,
    pub given: Option<Given>,
    pub device: Option<DeviceIs>,
    pub change: Change,
    #[serde(default)]
    pub becomes: Value,
    pub ends: Option<Ends>,
    pub arrives: BTreeSet<Watcher>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    pub is_mobile: bool,
    pub point: Option<(f64, f64)>,
    #[serde(default)]
    pub organization: Organization,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
pub enum Organization {
    #[default]
    Own,
    Other,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum DeviceIs {
    /// At no location yet.
    Alone,
    /// At the location of the case.
    There,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Change {
    Request {
        method: String,
        path: String,
        #[serde(default)]
        body: Value,
        #[serde(default)]
        status: Status,
    },
    Command {
        cli: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Status {
    One(u16),
    Any(Vec<u16>),
}

impl Default for Status {
    fn default() -> Self {
        Self::One(200)
    }
}

#[derive(Deserialize, PartialEq)]
pub enum Ends {
    #[serde(rename = "its manager")]
    Manager,
    #[serde(rename = "everybody")]
    Everybody,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watcher {
    #[serde(rename = "location")]
    Location,
    #[serde(rename = "superuser's location")]
    SuperuserLocation,
    #[serde(rename = "own fleet")]
    Own,
    #[serde(rename = "other fleet")]
    Other,
    #[serde(rename = "all fleets")]
    All,
}
