//! GeoJSON (RFC 7946) as it comes in and goes out.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::python_type;
use crate::event::Point;

/// Reads a position. Whatever else GeoJSON knows is refused with a sentence that says what was
/// wrong: it is never stored as something near to it.
///
/// # Errors
/// The sentence.
pub fn point(value: &Value) -> Result<Point, String> {
    let Value::Object(geometry) = value else {
        let found = python_type(value);
        return Err(format!(
            "A geometry must be an object such as {{\"type\": \"Point\", \"coordinates\": [12.5, 41.9]}}, but got {found}."
        ));
    };
    match geometry.get("type") {
        Some(Value::String(kind)) if kind == "Point" => {}
        Some(kind) => {
            return Err(format!(
                "The type of a geometry must be \"Point\", but got {kind}."
            ));
        }
        None => return Err("The geometry has no type; it must be \"Point\".".into()),
    }
    match geometry.get("coordinates") {
        Some(Value::Array(numbers)) => position(numbers),
        Some(other) => Err(format!(
            "The coordinates of a Point must be a list [longitude, latitude], but got {}.",
            python_type(other)
        )),
        None => Err("The Point has no coordinates; it needs [longitude, latitude].".into()),
    }
}

fn position(numbers: &[Value]) -> Result<Point, String> {
    let [longitude, latitude] = numbers else {
        return Err(match numbers.len() {
            3 => {
                "Coordinates must be [longitude, latitude]: an altitude is not kept, leave it out."
                    .into()
            }
            count => format!(
                "Coordinates must be the two numbers [longitude, latitude], but got {count} values."
            ),
        });
    };
    // What is no number at all is told in the same words as one that is out of range.
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    Point::new(number(longitude), number(latitude)).map_err(|error| error.to_string())
}

/// A Feature, its members in OpenWISP's order.
#[derive(Serialize, ToSchema)]
#[schema(description = "A GeoJSON `Feature`.")]
pub struct Feature<I, P> {
    id: I,
    /// `Feature`.
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(required)]
    geometry: Option<Point>,
    properties: P,
}

impl<I, P> Feature<I, P> {
    /// A feature of these.
    pub fn new(id: I, geometry: Option<Point>, properties: P) -> Self {
        Self {
            id,
            kind: "Feature",
            geometry,
            properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Point, String> {
        point(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_point_in_the_world_is_read_to_the_last_digit() {
        for (text, longitude, latitude) in [
            (
                r#"{"type":"Point","coordinates":[12.512124,41.898903]}"#,
                12.512_124,
                41.898_903,
            ),
            (r#"{"type":"Point","coordinates":[-180,90]}"#, -180.0, 90.0),
            (
                r#"{"coordinates":[0.30000000000000004,-33.333333333333336],"type":"Point","bbox":[]}"#,
                0.1 + 0.2,
                -33.333_333_333_333_336,
            ),
            (r#"{"type":"Point","coordinates":[1e-7,1E1]}"#, 1e-7, 10.0),
            // Half-way cases that a reader in a hurry rounds wrongly.
            (
                r#"{"type":"Point","coordinates":[1.00000000000000011102230246251565404,2.2250738585072011e-308]}"#,
                1.0,
                2.225_073_858_507_201e-308,
            ),
        ] {
            let point = read(text).unwrap();
            assert_eq!(
                point.longitude().to_bits(),
                f64::to_bits(longitude),
                "{text}"
            );
            assert_eq!(point.latitude().to_bits(), f64::to_bits(latitude), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_in_the_world_is_refused_by_a_sentence_that_says_why() {
        for (text, why) in [
            ("[1,2]", "but got list"),
            ("\"POINT(1 2)\"", "but got str"),
            ("{}", "no type"),
            (r#"{"type":"Nope"}"#, "but got \"Nope\""),
            (
                r#"{"type":"point","coordinates":[1,2]}"#,
                "must be \"Point\"",
            ),
            (
                r#"{"type":["Point"],"coordinates":[1,2]}"#,
                "must be \"Point\"",
            ),
            (
                r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#,
                "but got \"LineString\"",
            ),
            (r#"{"type":"Point"}"#, "no coordinates"),
            (
                r#"{"type":"Point","coordinates":{"lon":1,"lat":2}}"#,
                "but got dict",
            ),
            (r#"{"type":"Point","coordinates":null}"#, "but got NoneType"),
            (r#"{"type":"Point","coordinates":[]}"#, "0 values"),
            (r#"{"type":"Point","coordinates":[1]}"#, "1 values"),
            (r#"{"type":"Point","coordinates":[1,2,3]}"#, "altitude"),
            (r#"{"type":"Point","coordinates":[1,2,3,4]}"#, "4 values"),
            (r#"{"type":"Point","coordinates":["a",1]}"#, "Longitude"),
            (r#"{"type":"Point","coordinates":[1,"1"]}"#, "Latitude"),
            (r#"{"type":"Point","coordinates":[1,null]}"#, "Latitude"),
            (r#"{"type":"Point","coordinates":[[1],2]}"#, "Longitude"),
            (
                r#"{"type":"Point","coordinates":[180.00000000000003,0]}"#,
                "-180 to 180",
            ),
            (r#"{"type":"Point","coordinates":[0,-90.5]}"#, "-90 to 90"),
            (r#"{"type":"Point","coordinates":[500,95]}"#, "Longitude"),
        ] {
            let reason = read(text).unwrap_err();
            assert!(reason.contains(why), "{text}: {reason}");
        }
    }

    #[test]
    fn a_number_beyond_all_doubles_is_no_json_for_us() {
        let text = r#"{"type":"Point","coordinates":[1e999,0]}"#;
        assert!(serde_json::from_str::<Value>(text).is_err());
    }
}
