//! Geometries: a point, or what else there is.

use crate::event::Point;
use crate::openwisp::geometry::{Position, Shape};

/// What a location's geometry is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Geometry {
    Point(Point),
    /// A point that lies nowhere on Earth.
    OffTheEarth,
    /// Some other shape.
    Shape,
    /// Nothing that could be read.
    Unreadable,
}

impl Geometry {
    fn at(longitude: f64, latitude: f64) -> Self {
        Point::new(longitude, latitude).map_or(Self::OffTheEarth, Self::Point)
    }

    /// Reads PostGIS' answer: the two numbers of a point, or the name of another shape.
    pub fn of_words(text: &str) -> Self {
        let Some((longitude, latitude)) = text.split_once(' ') else {
            return Self::Shape;
        };
        match (longitude.parse(), latitude.parse()) {
            (Ok(longitude), Ok(latitude)) => Self::at(longitude, latitude),
            _ => Self::Unreadable,
        }
    }

    /// Reads SpatiaLite's blob, written in hexadecimal.
    pub fn of_hex(text: &str) -> Self {
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        match bytes.and_then(|bytes| Shape::of_blob(&bytes)) {
            None => Self::Unreadable,
            Some(Shape::Point(Some(Position {
                longitude,
                latitude,
                height: None,
            }))) => Self::at(longitude, latitude),
            Some(_) => Self::Shape,
        }
    }
}

fn byte(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    (digits.len() == 2).then(|| u8::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As SpatiaLite 5.0 wrote it for OpenWISP: 12.512124, 41.898903.
    const ROME: &str = "0001E610000050FEEE1D350629405DA3E5400FF3444050FEEE1D350629405DA3E5400FF344407C0100000050FEEE1D350629405DA3E5400FF34440FE";

    /// A polygon of three places.
    const POLYGON: &str = "0001E610000000000000000028400000000000804440000000000000\
        2A4000000000000045407C0300000001000000030000000000000000002840000000000080444000000000\
        00002A40000000000080444000000000000028400000000000804440FE";

    fn point(longitude: f64, latitude: f64) -> Geometry {
        Geometry::Point(Point::new(longitude, latitude).unwrap())
    }

    fn blob(longitude: f64, latitude: f64, little: bool) -> String {
        let (one, other) = if little {
            (longitude.to_le_bytes(), latitude.to_le_bytes())
        } else {
            (longitude.to_be_bytes(), latitude.to_be_bytes())
        };
        let number = |value: u32| {
            if little {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        let mut bytes = vec![0, u8::from(little)];
        bytes.extend(number(4326));
        bytes.extend([one, other, one, other].concat());
        bytes.push(0x7c);
        bytes.extend(number(1));
        bytes.extend([one, other].concat());
        bytes.push(0xfe);
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        digits.concat()
    }

    #[test]
    fn a_real_point_comes_back_as_the_very_doubles() {
        assert_eq!(Geometry::of_hex(ROME), point(12.512_124, 41.898_903));
        assert_eq!(
            Geometry::of_hex(&blob(12.512_124, 41.898_903, true)),
            point(12.512_124, 41.898_903)
        );
        assert_eq!(
            Geometry::of_hex(&blob(-3.7, -40.4, false)),
            point(-3.7, -40.4)
        );
    }

    #[test]
    fn other_shapes_are_told_from_points() {
        assert_eq!(Geometry::of_hex(POLYGON), Geometry::Shape);
        assert_eq!(Geometry::of_words("POLYGON"), Geometry::Shape);
    }

    #[test]
    fn postgis_tells_a_point_in_two_numbers() {
        assert_eq!(
            Geometry::of_words("12.512124 41.898903"),
            point(12.512_124, 41.898_903)
        );
        assert_eq!(Geometry::of_words("-3.7 1e-05"), point(-3.7, 1e-5));
        assert_eq!(Geometry::of_words("x y"), Geometry::Unreadable);
    }

    #[test]
    fn a_point_off_the_earth_is_told() {
        for (longitude, latitude) in [
            (500.0, 0.0),
            (0.0, 95.0),
            (f64::NAN, 0.0),
            (0.0, f64::INFINITY),
        ] {
            let found = Geometry::of_hex(&blob(longitude, latitude, true));
            assert_eq!(found, Geometry::OffTheEarth);
        }
        assert_eq!(Geometry::of_words("500 0"), Geometry::OffTheEarth);
    }

    #[test]
    fn every_cut_and_every_wrong_byte_is_survived() {
        for end in 0..ROME.len() {
            assert_eq!(
                Geometry::of_hex(&ROME[..end]),
                Geometry::Unreadable,
                "{end}"
            );
        }
        for at in 0..ROME.len() {
            for digit in ["0", "7", "F", "x", "é"] {
                let mut text = ROME.to_owned();
                text.replace_range(at..=at, digit);
                // Whatever it is taken for, it is no panic.
                let _ = Geometry::of_hex(&text);
            }
        }
        for text in [
            "",
            "00",
            "zz",
            &"00".repeat(60),
            &"FF".repeat(100_000),
            &format!("{ROME}00"),
        ] {
            assert_eq!(
                Geometry::of_hex(text),
                Geometry::Unreadable,
                "{}",
                text.len()
            );
        }
    }
}
