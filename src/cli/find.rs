//! What ORG, USER, DEVICE, CREDENTIAL and the like on the command line mean.

use anyhow::{anyhow, bail};

use super::pages::all_rows;
use crate::event::OrganizationId;
use crate::store::{
    Account, Connection, Credential, CredentialFilter, Device, Group, Location, Organization, Page,
    Scope, Session, Store, StoreError, Token,
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

pub(crate) async fn credential(store: &Store, text: &str) -> anyhow::Result<Credential> {
    let found = store.find_credential(text).await;
    found.map_err(|error| explain(error, "credential", text, "credential"))
}

/// A credential whose name may be that of another organization's as well.
pub(crate) async fn credential_of(
    store: &Store,
    organization: OrganizationId,
    text: &str,
) -> anyhow::Result<Credential> {
    let filter = CredentialFilter {
        organization: Some(organization),
        ..CredentialFilter::default()
    };
    let read = async |page| store.credentials(&Scope::All, &filter, page).await;
    let found = all_rows(read).await?.into_iter();
    if let Some(found) = found.into_iter().find(|found| found.name == text) {
        return Ok(found);
    }
    credential(store, text).await
}

/// A connection has no name, only an id; one that is its device's only one goes by the device.
pub(crate) async fn connection(store: &Store, text: &str) -> anyhow::Result<Connection> {
    let found = match store.find_connection(text).await {
        Err(StoreError::Lookup(_)) => store.find_device(text).await,
        found => return Ok(found?),
    };
    let device = found.map_err(|error| match error {
        StoreError::Lookup(reason) => anyhow!(
            "there is no connection with the id \"{text}\", and {reason}; `fleetwire connection list` \
             shows what is there"
        ),
        other => other.into(),
    })?;
    let page = Page { number: 1, size: 2 };
    let mut connections = store.connections(Some(device.id), page).await?;
    match (connections.count, connections.rows.pop()) {
        (1, Some(only)) => Ok(only),
        (count, _) => bail!(
            "the device \"{}\" has {count} connections: `fleetwire connection list --device {}` shows \
             their ids",
            device.name,
            device.id
        ),
    }
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
