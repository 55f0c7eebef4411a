//! The map: every location that has a place, as one GeoJSON `FeatureCollection`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;

use super::error::ApiError;
use super::geometry::Feature;
use super::identity::Requester;
use super::location::filter_of;
use super::page::{FEATURES, Links, Listing};
use crate::access::{Action, Model};
use crate::app::App;
use crate::event::{LocationId, LocationType, OrganizationId, Timestamp};
use crate::store::{Location, LocationFilter};

#[derive(Serialize)]
struct Collection<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    count: i64,
    next: Option<String>,
    previous: Option<String>,
    features: Vec<Feature<LocationId, Properties<'a>>>,
}

#[derive(Serialize)]
struct Properties<'a> {
    device_count: i64,
    created: Timestamp,
    modified: Timestamp,
    name: &'a str,
    #[serde(rename = "type")]
    kind: LocationType,
    is_mobile: bool,
    address: &'a str,
    organization: OrganizationId,
}

impl<'a> From<&'a Location> for Feature<LocationId, Properties<'a>> {
    fn from(location: &'a Location) -> Self {
        let properties = Properties {
            device_count: location.device_count,
            created: location.created,
            modified: location.modified,
            name: &location.name,
            kind: location.kind,
            is_mobile: location.is_mobile,
            address: &location.address,
            organization: location.organization,
        };
        Self::new(Some(location.id), location.geometry, properties)
    }
}

/// `GET location/geojson/`.
pub async fn list_locations_as_geojson(
    State(app): State<Arc<App>>,
    requester: Requester,
    mut listing: Listing,
) -> Result<impl IntoResponse, ApiError> {
    requester.require(Action::View, Model::Location)?;
    let filter = LocationFilter {
        with_geometry: true,
        ..filter_of(&mut listing)
    };
    let page = listing.page(FEATURES)?;
    let locations = app
        .store
        .locations(&requester.scope(), &filter, page)
        .await?;
    let Links { next, previous } = listing.links(page, locations.count)?;
    Ok(Json(Collection {
        kind: "FeatureCollection",
        count: locations.count,
        next,
        previous,
        features: locations.rows.iter().map(Feature::from).collect(),
    })
    .into_response())
}
