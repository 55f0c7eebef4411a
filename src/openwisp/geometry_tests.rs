//! Against what SpatiaLite 5.0 wrote, and what Django with GDAL 3.6 said of the same.

use super::*;

const ROME: &str = "0001E610000050FEEE1D350629405DA3E5400FF3444050FEEE1D350629405DA3E5400FF344407C0100000050FEEE1D350629405DA3E5400FF34440FE";

/// Hexadecimal blobs, and the `GeoJSON` of `instance.geometry.geojson`.
const KNOWN: [(&str, &str); 9] = [
    (
        ROME,
        r#"{ "type": "Point", "coordinates": [ 12.512124, 41.898903 ] }"#,
    ),
    (
        "0001E6100000000000000000F83F0000000000000240000000000000F83F00000000000002407CE9030000000000000000F83F00000000000002400000000000003E40FE",
        r#"{ "type": "Point", "coordinates": [ 1.5, 2.25, 30.0 ] }"#,
    ),
    (
        "0001E6100000000000000000284000000000008044400000000000002A4000000000004045407C0200000002000000000000000000284000000000008044400000000000002A400000000000404540FE",
        r#"{ "type": "LineString", "coordinates": [ [ 12.0, 41.0 ], [ 13.0, 42.5 ] ] }"#,
    ),
    (
        "0001E610000000000000000000000000000000000000000000000000104000000000000010407C0300000002000000040000000000000000000000000000000000000000000000000010400000000000000000000000000000104000000000000010400000000000000000000000000000000004000000000000000000F03F000000000000F03F0000000000000040000000000000F03F00000000000000400000000000000040000000000000F03F000000000000F03FFE",
        r#"{ "type": "Polygon", "coordinates": [ [ [ 0.0, 0.0 ], [ 4.0, 0.0 ], [ 4.0, 4.0 ], [ 0.0, 0.0 ] ], [ [ 1.0, 1.0 ], [ 2.0, 1.0 ], [ 2.0, 2.0 ], [ 1.0, 1.0 ] ] ] }"#,
    ),
    (
        "0001E6100000000000000000F03F0000000000000040000000000000084000000000000010407C04000000020000006901000000000000000000F03F0000000000000040690100000000000000000008400000000000001040FE",
        r#"{ "type": "MultiPoint", "coordinates": [ [ 1.0, 2.0 ], [ 3.0, 4.0 ] ] }"#,
    ),
    (
        "0001E6100000000000000000F03F00000000000000400000000000001C4000000000000020407C0500000002000000690200000002000000000000000000F03F000000000000004000000000000008400000000000001040690200000002000000000000000000144000000000000018400000000000001C400000000000002040FE",
        r#"{ "type": "MultiLineString", "coordinates": [ [ [ 1.0, 2.0 ], [ 3.0, 4.0 ] ], [ [ 5.0, 6.0 ], [ 7.0, 8.0 ] ] ] }"#,
    ),
    (
        "0001E6100000000000000000000000000000000000000000000000002C400000000000002C407C0600000002000000690300000001000000040000000000000000000000000000000000000000000000000010400000000000000000000000000000104000000000000010400000000000000000000000000000000069030000000100000004000000000000000000244000000000000024400000000000002C4000000000000024400000000000002C400000000000002C4000000000000024400000000000002440FE",
        r#"{ "type": "MultiPolygon", "coordinates": [ [ [ [ 0.0, 0.0 ], [ 4.0, 0.0 ], [ 4.0, 4.0 ], [ 0.0, 0.0 ] ] ], [ [ [ 10.0, 10.0 ], [ 14.0, 10.0 ], [ 14.0, 14.0 ], [ 10.0, 10.0 ] ] ] ] }"#,
    ),
    (
        "0001E6100000000000000000F03F0000000000000040000000000000084000000000000010407C07000000020000006901000000000000000000F03F0000000000000040690200000002000000000000000000F03F000000000000004000000000000008400000000000001040FE",
        r#"{ "type": "GeometryCollection", "geometries": [ { "type": "Point", "coordinates": [ 1.0, 2.0 ] }, { "type": "LineString", "coordinates": [ [ 1.0, 2.0 ], [ 3.0, 4.0 ] ] } ] }"#,
    ),
    (
        "0001E6100000000000000000F03F0000000000000040000000000000F03F00000000000000407CEF0300000100000069E9030000000000000000F03F00000000000000400000000000000840FE",
        r#"{ "type": "GeometryCollection", "geometries": [ { "type": "Point", "coordinates": [ 1.0, 2.0, 3.0 ] } ] }"#,
    ),
];

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// Well-known binary of some big-endian words.
fn wkb(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn two(one: f64, other: f64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&one.to_be_bytes());
    bytes[8..].copy_from_slice(&other.to_be_bytes());
    bytes
}

#[test]
fn every_kind_of_blob_is_told_as_django_tells_it() {
    for (blob, geojson) in KNOWN {
        let shape = Shape::of_blob(&bytes(blob)).unwrap();
        let expected: Value = serde_json::from_str(geojson).unwrap();
        assert_eq!(shape.geojson(), Some(expected));
    }
}

#[test]
fn well_known_binary_is_read_in_both_ways_to_write_a_height() {
    let iso = wkb(&[
        &[0],
        &1001_u32.to_be_bytes(),
        &two(1.5, 2.25),
        &30_f64.to_be_bytes(),
    ]);
    let kind = (1 | HAS_Z | HAS_SRID).to_be_bytes();
    let extended = wkb(&[
        &[0],
        &kind,
        &4326_u32.to_be_bytes(),
        &two(1.5, 2.25),
        &30_f64.to_be_bytes(),
    ]);
    for point in [iso, extended] {
        let geojson = Shape::of_wkb(&point).unwrap().geojson();
        assert_eq!(
            geojson,
            Some(json!({"type": "Point", "coordinates": [1.5, 2.25, 30.0]}))
        );
    }
    let measured = wkb(&[
        &[0],
        &2001_u32.to_be_bytes(),
        &two(1.5, 2.25),
        &7_f64.to_be_bytes(),
    ]);
    let geojson = Shape::of_wkb(&measured).unwrap().geojson();
    assert_eq!(
        geojson,
        Some(json!({"type": "Point", "coordinates": [1.5, 2.25]}))
    );
}

#[test]
fn each_part_of_well_known_binary_has_its_own_order_of_bytes() {
    let little = [
        &[1_u8][..],
        &1_u32.to_le_bytes(),
        &3_f64.to_le_bytes(),
        &4_f64.to_le_bytes(),
    ]
    .concat();
    let big = wkb(&[&[0], &1_u32.to_be_bytes(), &two(1.0, 2.0)]);
    let head = wkb(&[&[0], &4_u32.to_be_bytes(), &2_u32.to_be_bytes()]);
    let shape = Shape::of_wkb(&[head, little, big].concat()).unwrap();
    let expected = json!({"type": "MultiPoint", "coordinates": [[3.0, 4.0], [1.0, 2.0]]});
    assert_eq!(shape.geojson(), Some(expected));
}

#[test]
fn what_has_no_place_is_no_geometry() {
    let point = wkb(&[&[0], &1_u32.to_be_bytes(), &two(f64::NAN, f64::NAN)]);
    assert_eq!(Shape::of_wkb(&point).unwrap().geojson(), None);
    for kind in 2..=7_u32 {
        let empty = wkb(&[&[0], &kind.to_be_bytes(), &0_u32.to_be_bytes()]);
        assert_eq!(Shape::of_wkb(&empty).unwrap().geojson(), None, "{kind}");
    }
}

#[test]
fn what_is_cut_altered_or_endless_is_refused_without_a_panic() {
    for (blob, _) in KNOWN {
        let whole = bytes(blob);
        for end in 0..whole.len() {
            assert_eq!(Shape::of_blob(&whole[..end]), None, "{blob} {end}");
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 7, 0x69, 0x7f, 0xff] {
                let mut altered = whole.clone();
                altered[at] = byte;
                // Whatever it is taken for, it is no panic.
                let _ = Shape::of_blob(&altered);
                let _ = Shape::of_wkb(&altered[MARKED_AT..]);
            }
        }
        let longer = [&whole[..], &[END]].concat();
        assert_eq!(Shape::of_blob(&longer), None);
    }
    let infinite = wkb(&[&[0], &1_u32.to_be_bytes(), &two(f64::INFINITY, 0.0)]);
    assert_eq!(Shape::of_wkb(&infinite).unwrap().geojson(), None);
    let curve = wkb(&[&[0], &8_u32.to_be_bytes(), &0_u32.to_be_bytes()]);
    assert_eq!(Shape::of_wkb(&curve), None);
    let one = wkb(&[&[0], &7_u32.to_be_bytes(), &1_u32.to_be_bytes()]);
    assert_eq!(Shape::of_wkb(&one.repeat(100_000)), None);
    assert_eq!(Shape::of_wkb(&vec![0; MOST_BYTES + 1]), None);
}

#[test]
fn a_part_of_another_kind_is_refused() {
    let line = wkb(&[&[0], &2_u32.to_be_bytes(), &0_u32.to_be_bytes()]);
    let points = wkb(&[&[0], &4_u32.to_be_bytes(), &1_u32.to_be_bytes(), &line]);
    assert_eq!(Shape::of_wkb(&points), None);
}
