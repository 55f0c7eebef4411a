//! A vehicle that drives along streets: slower into sharp turns, faster on avenues, never back the
//! way it came.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::streets::{Spot, Streets};
use crate::event::{Point, PointError};

/// The slowest and the fastest that any vehicle drives, in km/h.
const SLOWEST_KMH: f64 = 20.0;
const FASTEST_KMH: f64 = 60.0;

/// Change of speed in km/h a second.
const THRUST: f64 = 6.0;

/// Metres before a turn from which a vehicle slows down.
const BRAKING: f64 = 40.0;

/// The longest stretch that is driven at one speed, in seconds.
const STEP_S: f64 = 0.25;

/// One vehicle on its way.
#[derive(Debug)]
pub(super) struct Vehicle {
    streets: Arc<Streets>,
    rng: StdRng,
    /// The street it is on, and the intersection that it left.
    street: usize,
    from: usize,
    /// The street that it will turn into.
    next: usize,
    /// Metres since `from`.
    driven: f64,
    speed_kmh: f64,
    /// What its driver makes of a speed limit: 0.8 to 1.
    temper: f64,
}

impl Vehicle {
    /// A vehicle somewhere in the quarter; the same `seed` gives the same way.
    pub(super) fn new(streets: Arc<Streets>, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let street = rng.random_range(0..streets.all().len());
        let from = streets.all()[street].ends[rng.random_range(0..2)];
        let temper = rng.random_range(0.8..1.0);
        let mut vehicle = Self {
            streets,
            rng,
            street,
            from,
            next: street,
            driven: 0.0,
            speed_kmh: SLOWEST_KMH,
            temper,
        };
        vehicle.next = vehicle.choose_next();
        vehicle.driven = vehicle.rng.random_range(0.0..1.0) * vehicle.length();
        vehicle
    }

    /// Drives on for `seconds`.
    pub(super) fn drive(&mut self, seconds: f64) {
        let mut left = seconds;
        while left > 0.0 {
            let step = left.min(STEP_S);
            self.step(step);
            left -= step;
        }
    }

    /// Where it is.
    pub(super) fn point(&self) -> Result<Point, PointError> {
        self.streets.point(self.spot())
    }

    fn spot(&self) -> Spot {
        let (from, to) = (self.streets.intersection(self.from), self.ahead());
        from.towards(to, self.driven / self.length())
    }

    /// The intersection that it drives to.
    fn to(&self) -> usize {
        self.streets.all()[self.street].other_end(self.from)
    }

    fn ahead(&self) -> Spot {
        self.streets.intersection(self.to())
    }

    /// Metres of its street.
    fn length(&self) -> f64 {
        self.streets.intersection(self.from).distance(self.ahead())
    }

    fn step(&mut self, seconds: f64) {
        let wanted = self.wanted_kmh();
        let change = (wanted - self.speed_kmh).clamp(-THRUST * seconds * 2.0, THRUST * seconds);
        self.speed_kmh = (self.speed_kmh + change).clamp(SLOWEST_KMH, FASTEST_KMH);
        self.driven += self.speed_kmh / 3.6 * seconds;
        // Streets are longer than a step: at most one turn, but a loop costs nothing.
        while self.driven >= self.length() {
            self.driven -= self.length();
            self.from = self.to();
            self.street = self.next;
            self.next = self.choose_next();
        }
    }

    fn wanted_kmh(&self) -> f64 {
        let limit = self.streets.all()[self.street].limit_kmh * self.temper;
        if self.length() - self.driven < BRAKING {
            // Straight on costs no speed, a right angle all that can be spared.
            let straightness = self.straightness(self.next).max(0.0);
            limit.min(SLOWEST_KMH + (FASTEST_KMH - SLOWEST_KMH) * straightness)
        } else {
            limit
        }
    }

    /// Any street of the intersection ahead but the present one, straight on more often than not.
    fn choose_next(&mut self) -> usize {
        let meeting = self.streets.meeting_at(self.to()).iter().copied();
        let others: Vec<(usize, f64)> = meeting
            .filter(|street| *street != self.street)
            .map(|street| (street, 1.0 + 3.0 * self.straightness(street).max(0.0)))
            .collect();
        let chosen = others.choose_weighted(&mut self.rng, |(_, weight)| *weight);
        // No intersection is a dead end and no weight is zero: there always is one to choose.
        chosen.map_or(self.street, |(street, _)| *street)
    }

    /// The cosine of the turn into `next`: 1 is straight on, 0 a right angle.
    fn straightness(&self, next: usize) -> f64 {
        let (from, at) = (self.streets.intersection(self.from), self.ahead());
        let after = self.streets.all()[next].other_end(self.to());
        let after = self.streets.intersection(after);
        let dot = (at.east - from.east) * (after.east - at.east)
            + (at.north - from.north) * (after.north - at.north);
        dot / (from.distance(at) * at.distance(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quarter() -> Arc<Streets> {
        let middle = Point::new(9.9937, 53.5511).unwrap();
        Arc::new(Streets::grow(middle, -0.3, &mut StdRng::seed_from_u64(7)))
    }

    /// Metres from `spot` to the nearest point of any street.
    fn off_street(streets: &Streets, spot: Spot) -> f64 {
        let distances = streets.all().iter().map(|street| {
            let [a, b] = street.ends.map(|end| streets.intersection(end));
            let along = (spot.east - a.east) * (b.east - a.east)
                + (spot.north - a.north) * (b.north - a.north);
            let share = (along / a.distance(b).powi(2)).clamp(0.0, 1.0);
            a.towards(b, share).distance(spot)
        });
        distances.fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn a_fleet_stays_on_its_streets_at_20_to_60_km_an_hour() {
        let streets = quarter();
        for seed in 0..20 {
            let mut vehicle = Vehicle::new(Arc::clone(&streets), seed);
            for _ in 0..600 {
                let before = vehicle.spot();
                vehicle.drive(1.5);
                let after = vehicle.spot();
                assert!(off_street(&streets, after) < 1e-6, "seed {seed}");
                // As the crow flies: turns make it less, nothing makes it more.
                assert!(before.distance(after) <= FASTEST_KMH / 3.6 * 1.5 + 1e-6);
                assert!((SLOWEST_KMH..=FASTEST_KMH).contains(&vehicle.speed_kmh));
            }
        }
    }

    #[test]
    fn a_vehicle_gets_around() {
        let streets = quarter();
        let mut vehicle = Vehicle::new(Arc::clone(&streets), 1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1200 {
            vehicle.drive(1.5);
            seen.insert(vehicle.street);
        }
        assert!(seen.len() > 30, "{} streets in half an hour", seen.len());
    }

    #[test]
    fn what_is_reported_is_where_it_is_to_a_tenth_of_a_metre() {
        let streets = quarter();
        let vehicle = Vehicle::new(Arc::clone(&streets), 3);
        let point = vehicle.point().unwrap();
        let middle = streets
            .point(Spot {
                east: 0.0,
                north: 0.0,
            })
            .unwrap();
        let north = (point.latitude() - middle.latitude()) * 111_320.0;
        assert!((north - vehicle.spot().north).abs() < 0.2);
    }
}
