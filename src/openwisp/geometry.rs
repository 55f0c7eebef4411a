//! Geometries as the two databases keep them: SpatiaLite's blob and the well-known binary of PostGIS.
//!
//! The blob is described at <https://www.gaia-gis.it/gaia-sins/BLOB-Geometry.html>: a start byte, the
//! order of bytes, the reference system, a bounding box of four doubles, a mark, the geometry's type,
//! its coordinates, and an end byte. What is inside of another begins with a mark of its own and the
//! type. Well-known binary (OGC 06-103r4) says the order and the type before each part. PostGIS'
//! `ST_AsBinary` writes a third dimension as ISO does, 1000 added to the type; `ST_AsEWKB` as a high
//! bit: both are read.

use serde_json::{Value, json};

const START: u8 = 0x00;
const MARK: u8 = 0x7c;
const INNER_MARK: u8 = 0x69;
const END: u8 = 0xfe;
const WGS_84: u32 = 4326;

/// Where the mark of a blob is: behind the bounding box.
const MARKED_AT: usize = 38;

/// Larger than a message that any client gets from OpenWISP's own server.
const MOST_BYTES: usize = 4 << 20;

/// Collections in collections; GDAL reads no more either.
const MOST_DEPTH: u32 = 32;

/// The high bits of PostGIS' extended form.
const HAS_Z: u32 = 0x8000_0000;
const HAS_M: u32 = 0x4000_0000;
const HAS_SRID: u32 = 0x2000_0000;

/// One place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Position {
    pub longitude: f64,
    pub latitude: f64,
    pub height: Option<f64>,
}

/// Any geometry that OpenWISP can keep. What measures it has are left out, as in `GeoJSON`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// `None` is an empty one.
    Point(Option<Position>),
    Line(Vec<Position>),
    Polygon(Vec<Vec<Position>>),
    Points(Vec<Shape>),
    Lines(Vec<Shape>),
    Polygons(Vec<Shape>),
    Collection(Vec<Shape>),
}

impl Shape {
    /// Reads SpatiaLite's blob; `None` for what is none.
    pub fn of_blob(bytes: &[u8]) -> Option<Self> {
        let is_little = match (bytes.first()?, bytes.get(1)?) {
            (&START, 1) => true,
            (&START, 0) => false,
            _ => return None,
        };
        if bytes.len() > MOST_BYTES || bytes.get(MARKED_AT) != Some(&MARK) {
            return None;
        }
        let mut reader = Reader {
            bytes: bytes.get(2..)?,
            is_little,
            form: Form::Blob,
        };
        if reader.number()? != WGS_84 {
            return None;
        }
        reader.bytes = bytes.get(MARKED_AT + 1..)?;
        let kind = reader.number()?;
        let shape = reader.shape(kind, 0)?;
        (reader.bytes == [END]).then_some(shape)
    }

    /// Reads well-known binary; `None` for what is none.
    pub fn of_wkb(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MOST_BYTES {
            return None;
        }
        let mut reader = Reader {
            bytes,
            is_little: true,
            form: Form::WellKnown,
        };
        let shape = reader.inner(0)?;
        reader.bytes.is_empty().then_some(shape)
    }

    /// It as `GeoJSON`; `None` for one without any place, of which OpenWISP tells nobody, and for one with
    /// a number that JSON does not have.
    ///
    /// The doubles are those of the database. In OpenWISP's own messages GDAL has written them: it ends
    /// after 15 decimals and takes a run of nines or zeros before that for an error of rounding
    /// (0.30000000000000004 becomes 0.3).
    pub fn geojson(&self) -> Option<Value> {
        (!self.is_empty() && self.is_finite()).then(|| self.value())
    }

    fn is_finite(&self) -> bool {
        let finite = |positions: &Vec<Position>| positions.iter().all(Position::is_finite);
        match self {
            Self::Point(position) => position.is_none_or(|it| it.is_finite()),
            Self::Line(positions) => finite(positions),
            Self::Polygon(rings) => rings.iter().all(finite),
            Self::Points(parts)
            | Self::Lines(parts)
            | Self::Polygons(parts)
            | Self::Collection(parts) => parts.iter().all(Self::is_finite),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Point(position) => position.is_none(),
            Self::Line(positions) => positions.is_empty(),
            Self::Polygon(rings) => rings.iter().all(Vec::is_empty),
            Self::Points(parts)
            | Self::Lines(parts)
            | Self::Polygons(parts)
            | Self::Collection(parts) => parts.iter().all(Self::is_empty),
        }
    }

    fn value(&self) -> Value {
        let kind = match self {
            Self::Point(_) => "Point",
            Self::Line(_) => "LineString",
            Self::Polygon(_) => "Polygon",
            Self::Points(_) => "MultiPoint",
            Self::Lines(_) => "MultiLineString",
            Self::Polygons(_) => "MultiPolygon",
            Self::Collection(parts) => {
                let parts: Vec<Value> = parts.iter().map(Self::value).collect();
                return json!({ "type": "GeometryCollection", "geometries": parts });
            }
        };
        json!({ "type": kind, "coordinates": self.coordinates() })
    }

    fn coordinates(&self) -> Value {
        let line = |positions: &Vec<Position>| positions.iter().map(Position::value).collect();
        match self {
            Self::Point(position) => position.as_ref().map_or_else(|| json!([]), Position::value),
            Self::Line(positions) => line(positions),
            Self::Polygon(rings) => rings.iter().map(line).collect::<Vec<Value>>().into(),
            Self::Points(parts)
            | Self::Lines(parts)
            | Self::Polygons(parts)
            | Self::Collection(parts) => parts
                .iter()
                .map(Self::coordinates)
                .collect::<Vec<Value>>()
                .into(),
        }
    }
}

impl Position {
    fn is_finite(&self) -> bool {
        let numbers = [
            self.longitude,
            self.latitude,
            self.height.unwrap_or_default(),
        ];
        numbers.iter().all(|it| it.is_finite())
    }

    fn value(&self) -> Value {
        match self.height {
            Some(height) => json!([self.longitude, self.latitude, height]),
            None => json!([self.longitude, self.latitude]),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Blob,
    WellKnown,
}

/// Which numbers a position has, beside its two.
#[derive(Clone, Copy)]
struct Dimensions {
    has_height: bool,
    has_measure: bool,
}

struct Reader<'a> {
    bytes: &'a [u8],
    is_little: bool,
    form: Form,
}

impl Reader<'_> {
    /// A part that says itself what it is.
    fn inner(&mut self, depth: u32) -> Option<Shape> {
        let first = self.byte()?;
        match (self.form, first) {
            (Form::Blob, INNER_MARK) => {}
            (Form::WellKnown, 0 | 1) => self.is_little = first == 1,
            _ => return None,
        }
        let kind = self.number()?;
        self.shape(kind, depth)
    }

    fn shape(&mut self, kind: u32, depth: u32) -> Option<Shape> {
        let (kind, dimensions) = self.dimensions(kind)?;
        Some(match kind {
            1 => {
                let position = self.position(dimensions)?;
                // In well-known binary an empty point has no numbers (NaN).
                let is_empty = self.form == Form::WellKnown
                    && position.longitude.is_nan()
                    && position.latitude.is_nan();
                Shape::Point((!is_empty).then_some(position))
            }
            2 => Shape::Line(self.line(dimensions)?),
            3 => {
                let count = self.count(size_of::<u32>())?;
                let rings = (0..count).map(|_| self.line(dimensions));
                Shape::Polygon(rings.collect::<Option<_>>()?)
            }
            4 => Shape::Points(self.parts(depth, |it| matches!(it, Shape::Point(_)))?),
            5 => Shape::Lines(self.parts(depth, |it| matches!(it, Shape::Line(_)))?),
            6 => Shape::Polygons(self.parts(depth, |it| matches!(it, Shape::Polygon(_)))?),
            7 => Shape::Collection(self.parts(depth, |_| true)?),
            _ => return None,
        })
    }

    /// What a type says: plain, with a height (1000), a measure (2000), or both (3000).
    fn dimensions(&mut self, kind: u32) -> Option<(u32, Dimensions)> {
        let flags = match self.form {
            Form::Blob => 0,
            Form::WellKnown => kind & (HAS_Z | HAS_M | HAS_SRID),
        };
        if flags & HAS_SRID != 0 {
            self.number()?;
        }
        let kind = kind & !flags;
        let thousands = kind / 1000;
        let dimensions = Dimensions {
            has_height: flags & HAS_Z != 0 || matches!(thousands, 1 | 3),
            has_measure: flags & HAS_M != 0 || matches!(thousands, 2 | 3),
        };
        (thousands <= 3).then_some((kind % 1000, dimensions))
    }

    fn parts(&mut self, depth: u32, fits: fn(&Shape) -> bool) -> Option<Vec<Shape>> {
        if depth == MOST_DEPTH {
            return None;
        }
        // What is least of any part: its order or mark, and its type.
        let count = self.count(1 + size_of::<u32>())?;
        let parts = (0..count).map(|_| self.inner(depth + 1).filter(fits));
        parts.collect()
    }

    fn line(&mut self, dimensions: Dimensions) -> Option<Vec<Position>> {
        let count = self.count(2 * size_of::<f64>())?;
        (0..count).map(|_| self.position(dimensions)).collect()
    }

    fn position(&mut self, dimensions: Dimensions) -> Option<Position> {
        let (longitude, latitude) = (self.double()?, self.double()?);
        let height = if dimensions.has_height {
            Some(self.double()?)
        } else {
            None
        };
        if dimensions.has_measure {
            self.double()?;
        }
        Some(Position {
            longitude,
            latitude,
            height,
        })
    }

    /// How many of something follow, each of `size` bytes at least: no more than there can be.
    fn count(&mut self, size: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.bytes.len() / size).then_some(count)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u32> {
        let bytes = self.take()?;
        Some(if self.is_little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    fn double(&mut self) -> Option<f64> {
        let bytes = self.take()?;
        Some(if self.is_little {
            f64::from_le_bytes(bytes)
        } else {
            f64::from_be_bytes(bytes)
        })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }
}

#[cfg(test)]
#[path = "geometry_tests.rs"]
mod tests;
