//! A location's move: the snapshot that sections 3 and 4 of the WebSocket API send.

use std::fmt;
use std::str::FromStr;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::{LocationId, OrganizationId, SubjectId, Topic};

/// A position in WGS 84 degrees (EPSG:4326), written as a GeoJSON Point (RFC 7946, section 3.1.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    longitude: f64,
    latitude: f64,
}

/// Why two numbers are no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// Beyond 180 degrees to either side, or not a number.
    #[error("Longitude must be a number from -180 to 180.")]
    Longitude,
    /// Beyond a pole, or not a number.
    #[error("Latitude must be a number from -90 to 90.")]
    Latitude,
}

impl Point {
    /// A position of `longitude` and `latitude`, both in degrees.
    ///
    /// # Errors
    /// When one is out of range, infinite or not a number.
    pub fn new(longitude: f64, latitude: f64) -> Result<Self, PointError> {
        // `contains` is false for NaN, so the two checks also refuse what is no number.
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(PointError::Longitude);
        }
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(PointError::Latitude);
        }
        // Adding zero turns -0 into 0, the same place: SQLite does not keep the sign.
        Ok(Self {
            longitude: longitude + 0.0,
            latitude: latitude + 0.0,
        })
    }

    /// Degrees east of Greenwich, -180 to 180.
    #[must_use]
    pub fn longitude(self) -> f64 {
        self.longitude
    }

    /// Degrees north of the equator, -90 to 90.
    #[must_use]
    pub fn latitude(self) -> f64 {
        self.latitude
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", "Point")?;
        map.serialize_entry("coordinates", &[self.longitude, self.latitude])?;
        map.end()
    }
}

/// Whether a location lies in the open or in a building.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
pub enum LocationType {
    /// In the open.
    #[default]
    Outdoor,
    /// In a building.
    Indoor,
}

/// A word that names no location type.
#[derive(Debug, thiserror::Error)]
#[error("must be \"outdoor\" or \"indoor\"")]
pub struct UnknownLocationType;

impl FromStr for LocationType {
    type Err = UnknownLocationType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "outdoor" => Ok(Self::Outdoor),
            "indoor" => Ok(Self::Indoor),
            _ => Err(UnknownLocationType),
        }
    }
}

impl fmt::Display for LocationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outdoor => "outdoor",
            Self::Indoor => "indoor",
        })
    }
}

/// A location right after an update of its geometry: the whole snapshot, and the versions that
/// order it among the others of the same location.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationMoved {
    /// The location.
    pub id: LocationId,
    /// The tenant it belongs to after the update.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// Its street address, or nothing.
    pub address: String,
    /// Outdoor or indoor.
    pub kind: LocationType,
    /// Whether it is mobile after the update.
    pub is_mobile: bool,
    /// Where it is now.
    pub geometry: Point,
    /// The row's version at its last geometry update.
    pub moved_version: i64,
    /// The row's version at the last geometry update before or after which it was mobile, 0 if
    /// there was none: what counts for the organization-wide feeds. Equal to `moved_version` when
    /// this very move counts.
    pub fleet_version: i64,
}

/// The message of the contract, its keys in the contract's order.
#[derive(Serialize)]
struct Message<'a> {
    id: LocationId,
    name: &'a str,
    address: &'a str,
    #[serde(rename = "type")]
    kind: LocationType,
    is_mobile: bool,
    geometry: Point,
}

impl LocationMoved {
    /// What a newer snapshot of this event replaces.
    #[must_use]
    pub fn subject(&self) -> SubjectId {
        self.id.into()
    }

    /// The topic of those who watch this one location.
    #[must_use]
    pub fn location_topic(&self) -> Topic {
        Topic::Location(self.id)
    }

    /// The topics of those who watch a whole fleet.
    #[must_use]
    pub fn fleet_topics(&self) -> [Topic; 2] {
        [Topic::OrgLocations(self.organization), Topic::AllLocations]
    }

    /// The JSON text of the message (section 3 of the WebSocket API).
    ///
    /// # Panics
    /// Never: texts, booleans and finite numbers always become JSON.
    #[must_use]
    pub fn message(&self) -> String {
        let message = Message {
            id: self.id,
            name: &self.name,
            address: &self.address,
            kind: self.kind,
            is_mobile: self.is_mobile,
            geometry: self.geometry,
        };
        // Strings, booleans and finite numbers only: nothing here can fail to become JSON.
        serde_json::to_string(&message).expect("a location's message is plain JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(longitude: f64, latitude: f64) -> LocationMoved {
        LocationMoved {
            id: "93b9b41c-26b1-4807-91f7-699786c9a2d9".parse().unwrap(),
            organization: OrganizationId::random(),
            name: "Bus 1".into(),
            address: "Vía Ñandú 1".into(),
            kind: LocationType::Outdoor,
            is_mobile: true,
            geometry: Point::new(longitude, latitude).unwrap(),
            moved_version: 1,
            fleet_version: 1,
        }
    }

    #[test]
    fn message_has_the_contracts_keys_in_the_contracts_order_and_utf8_text() {
        assert_eq!(
            moved(12.512_124, 41.898_903).message(),
            r#"{"id":"93b9b41c-26b1-4807-91f7-699786c9a2d9","name":"Bus 1","address":"Vía Ñandú 1","type":"outdoor","is_mobile":true,"geometry":{"type":"Point","coordinates":[12.512124,41.898903]}}"#
        );
    }

    #[test]
    fn numbers_are_the_shortest_that_give_back_the_same_double() {
        for (longitude, written) in [
            (0.1 + 0.2, "0.30000000000000004"),
            (-33.333_333_333_333_336, "-33.333333333333336"),
            (1e-7, "1e-7"),
        ] {
            let text = moved(longitude, 0.0).message();
            assert!(text.contains(&format!("[{written},0.0]")), "{text}");
        }
    }

    #[test]
    fn positions_outside_the_world_are_refused() {
        for (longitude, latitude, error) in [
            (180.000_000_1, 0.0, PointError::Longitude),
            (f64::NAN, 0.0, PointError::Longitude),
            (0.0, -90.5, PointError::Latitude),
            (0.0, f64::INFINITY, PointError::Latitude),
        ] {
            assert_eq!(Point::new(longitude, latitude), Err(error));
        }
        assert!(Point::new(-180.0, 90.0).is_ok());
        let zero = Point::new(-0.0, -0.0).unwrap();
        assert!(zero.longitude().is_sign_positive() && zero.latitude().is_sign_positive());
    }
}
