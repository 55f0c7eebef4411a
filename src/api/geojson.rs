//! The map: every location that has a place, as one GeoJSON `FeatureCollection`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use super::geometry::Feature;
use super::identity::Requester;
use super::location::filter_of;
use super::page::{FEATURES, Links, Listing, LocationQuery, OrganizationQuery, PageQuery};
use crate::access::{Action, Model};
use crate::app::App;
use crate::event::{LocationId, LocationType, OrganizationId, Timestamp};
use crate::store::{Location, LocationFilter};

#[derive(Serialize, ToSchema)]
#[schema(as = LocationCollection, description = "A GeoJSON `FeatureCollection` of locations.")]
struct Collection<'a> {
    /// `FeatureCollection`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Of all pages.
    count: i64,
    #[schema(required)]
    next: Option<String>,
    #[schema(required)]
    previous: Option<String>,
    features: Vec<Feature<LocationId, Properties<'a>>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LocationProperties)]
struct Properties<'a> {
    /// How many devices are there.
    device_count: i64,
    created: Timestamp,
    modified: Timestamp,
    name: &'a str,
    #[serde(rename = "type")]
    kind: LocationType,
    is_mobile: bool,
    address: &'a str,
    organization: OrganizationId,
    /// When the geometry was updated last, with the same coordinates too: a new name is no report.
    moved: Timestamp,
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
            moved: location.moved,
        };
        Self::new(location.id, location.geometry, properties)
    }
}

/// Lists locations as GeoJSON.
///
/// All that have a geometry, for a map. A page holds 1000.
#[utoipa::path(
    get,
    path = "/api/v1/controller/location/geojson/",
    tag = "Locations",
    params(PageQuery, OrganizationQuery, LocationQuery),
    responses((status = 200, body = Collection)),
    security(("user" = ["geo.view_location"]))
)]
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
