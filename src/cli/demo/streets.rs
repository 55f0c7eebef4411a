//! The streets of a made-up quarter: a lattice of intersections, shifted and turned so that it
//! looks grown, with gaps, avenues and side streets.

use std::collections::VecDeque;

use rand::{Rng, RngExt};

use crate::event::{Point, PointError};

/// Metres a degree of latitude (and of longitude at the equator), near enough for a quarter.
const METRES_A_DEGREE: f64 = 111_320.0;

/// Intersections west to east, and south to north.
const COLUMNS: usize = 14;
const ROWS: usize = 11;

/// Metres between two intersections before they are shifted, and how far they are at most.
const SPACING: f64 = 190.0;
const SHIFT: f64 = 45.0;

/// Share of the streets that are taken out again.
const GAPS: f64 = 0.15;

/// Metres east and north of the quarter's middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) east: f64,
    pub(super) north: f64,
}

impl Spot {
    pub(super) fn distance(self, other: Self) -> f64 {
        (self.east - other.east).hypot(self.north - other.north)
    }

    /// The spot that is `share` (0 to 1) of the way to `other`.
    pub(super) fn towards(self, other: Self, share: f64) -> Self {
        Self {
            east: self.east + (other.east - self.east) * share,
            north: self.north + (other.north - self.north) * share,
        }
    }
}

/// Two intersections and what is allowed between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Street {
    pub(super) ends: [usize; 2],
    /// Speed limit in km/h, 30 to 60.
    pub(super) limit_kmh: f64,
}

impl Street {
    /// The end that is not `intersection`.
    pub(super) fn other_end(&self, intersection: usize) -> usize {
        if self.ends[0] == intersection {
            self.ends[1]
        } else {
            self.ends[0]
        }
    }
}

/// A quarter. Every intersection can be reached from every other, and none is a dead end.
#[derive(Debug)]
pub(super) struct Streets {
    middle: Point,
    intersections: Vec<Spot>,
    all: Vec<Street>,
    /// The streets of each intersection.
    meeting: Vec<Vec<usize>>,
}

impl Streets {
    /// A quarter around `middle`, the whole lattice turned by `turn` radians.
    pub(super) fn grow(middle: Point, turn: f64, rng: &mut impl Rng) -> Self {
        let intersections = (0..ROWS * COLUMNS)
            .map(|index| shifted(index % COLUMNS, index / COLUMNS, turn, rng))
            .collect();
        let mut quarter = Self {
            middle,
            intersections,
            all: lattice(rng),
            meeting: Vec::new(),
        };
        quarter.join();
        quarter.leave_gaps(rng);
        quarter
    }

    /// All streets.
    pub(super) fn all(&self) -> &[Street] {
        &self.all
    }

    /// Where an intersection is.
    pub(super) fn intersection(&self, index: usize) -> Spot {
        self.intersections[index]
    }

    /// The streets that meet at an intersection.
    pub(super) fn meeting_at(&self, intersection: usize) -> &[usize] {
        &self.meeting[intersection]
    }

    /// The spot on the globe, to a tenth of a metre as a good receiver would tell it.
    pub(super) fn point(&self, spot: Spot) -> Result<Point, PointError> {
        let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
        let (longitude, latitude) = (self.middle.longitude(), self.middle.latitude());
        Point::new(
            round(longitude + spot.east / (METRES_A_DEGREE * latitude.to_radians().cos())),
            round(latitude + spot.north / METRES_A_DEGREE),
        )
    }

    /// Finds anew which streets meet where.
    fn join(&mut self) {
        self.meeting = vec![Vec::new(); self.intersections.len()];
        for (index, street) in self.all.iter().enumerate() {
            for end in street.ends {
                self.meeting[end].push(index);
            }
        }
    }

    /// Takes some streets out, none without which there would be a dead end or an island.
    fn leave_gaps(&mut self, rng: &mut impl Rng) {
        for index in (0..self.all.len()).rev() {
            let street = self.all[index];
            let is_spare = street.ends.iter().all(|end| self.meeting[*end].len() > 2);
            if !is_spare || !rng.random_bool(GAPS) {
                continue;
            }
            self.all.swap_remove(index);
            self.join();
            if !self.is_connected() {
                self.all.push(street);
                self.join();
            }
        }
    }

    fn is_connected(&self) -> bool {
        let mut reached = vec![false; self.intersections.len()];
        reached[0] = true;
        let mut queue = VecDeque::from([0]);
        while let Some(intersection) = queue.pop_front() {
            for street in &self.meeting[intersection] {
                let next = self.all[*street].other_end(intersection);
                if !reached[next] {
                    reached[next] = true;
                    queue.push_back(next);
                }
            }
        }
        reached.into_iter().all(|is_reached| is_reached)
    }
}

/// Where an intersection of the lattice comes to lie.
fn shifted(column: usize, row: usize, turn: f64, rng: &mut impl Rng) -> Spot {
    let place = |index: usize, count: usize| {
        // Fewer than 20 of them: exact as a float.
        let index = u8::try_from(index).map_or(0.0, f64::from);
        let last = u8::try_from(count - 1).map_or(0.0, f64::from);
        (index - last / 2.0) * SPACING
    };
    let east = place(column, COLUMNS) + rng.random_range(-SHIFT..SHIFT);
    let north = place(row, ROWS) + rng.random_range(-SHIFT..SHIFT);
    let (sin, cos) = turn.sin_cos();
    Spot {
        east: east * cos - north * sin,
        north: east * sin + north * cos,
    }
}

/// The streets of the whole lattice; every fourth line is an avenue.
fn lattice(rng: &mut impl Rng) -> Vec<Street> {
    let mut streets = Vec::new();
    let mut add = |from: usize, to: usize, is_avenue: bool| {
        let limit_kmh = if is_avenue {
            rng.random_range(50.0..60.0)
        } else {
            rng.random_range(30.0..45.0)
        };
        streets.push(Street {
            ends: [from, to],
            limit_kmh,
        });
    };
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let here = row * COLUMNS + column;
            if column + 1 < COLUMNS {
                add(here, here + 1, row % 4 == 1);
            }
            if row + 1 < ROWS {
                add(here, here + COLUMNS, column % 4 == 1);
            }
        }
    }
    streets
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn no_intersection_is_a_dead_end_or_out_of_reach() {
        for seed in 0..20 {
            let mut rng = StdRng::seed_from_u64(seed);
            let middle = Point::new(12.4964, 41.9028).unwrap();
            let quarter = Streets::grow(middle, 0.2, &mut rng);
            assert!(quarter.is_connected());
            assert!(quarter.meeting.iter().all(|streets| streets.len() >= 2));
            let whole = 2 * ROWS * COLUMNS - ROWS - COLUMNS;
            assert!(quarter.all().len() < whole, "it has gaps");
        }
    }
}
