//! What ORG, USER, GROUP, DEVICE, LOCATION, TOKEN and SESSION on the command line mean.

use anyhow::anyhow;

use crate::event::OrganizationId;
use crate::store::{
    Account, Device, Group, Location, Organization, Session, Store, StoreError, Token,
};

/// Says what was not found and how to see what is there; other failures stay as they are.
fn explain(error: StoreError, kind: &str, text: &str, noun: &str) -> anyhow::Error {
    let hint = format!("`fleetwire {noun} list` shows what is there");
    match error {
        StoreError::NotFound(_) => anyhow!("there is no {kind} \"{text}\"; {hint}"),
        StoreError::Lookup(reason) => anyhow!("{reason}; {hint}"),
        other => other.into(),
    }
}

pub(crate) async fn organization(store: &Store, text: &str) -> anyhow::Result<Organization> {
    let found = store.find_organization(text).await;
    found.map_err(|error| explain(error, "organization", text, "org"))
}

/// The ids of several organizations.
pub(crate) async fn organizations(
    store: &Store,
    texts: &[String],
) -> anyhow::Result<Vec<OrganizationId>> {
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        ids.push(organization(store, text).await?.id);
    }
    Ok(ids)
}

pub(crate) async fn user(store: &Store, text: &str) -> anyhow::Result<Account> {
    let found = store.find_user(text).await;
    found.map_err(|error| explain(error, "user", text, "user"))
}

pub(crate) async fn group(store: &Store, text: &str) -> anyhow::Result<Group> {
    let found = store.find_group(text).await;
    found.map_err(|error| explain(error, "group", text, "group"))
}

pub(crate) async fn device(store: &Store, text: &str) -> anyhow::Result<Device> {
    let found = store.find_device(text).await;
    found.map_err(|error| explain(error, "device", text, "device"))
}

pub(crate) async fn location(store: &Store, text: &str) -> anyhow::Result<Location> {
    let found = store.find_location(text).await;
    found.map_err(|error| explain(error, "location", text, "location"))
}

/// A token has no name, only an id.
pub(crate) async fn token(store: &Store, text: &str) -> anyhow::Result<Token> {
    let found = match text.parse() {
        Ok(id) => store.token(id).await,
        Err(_) => Err(StoreError::NotFound("Token")),
    };
    found.map_err(|error| explain(error, "token with the id", text, "token"))
}

/// A session has no name, only an id.
pub(crate) async fn session(store: &Store, text: &str) -> anyhow::Result<Session> {
    let found = match text.parse() {
        Ok(id) => store.session(id).await,
        Err(_) => Err(StoreError::NotFound("Session")),
    };
    found.map_err(|error| explain(error, "session with the id", text, "session"))
}
