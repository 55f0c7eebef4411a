//! Values of options: points, dates, permissions.

use ipnet::IpNet;

use crate::access::{Permission, request};
use crate::event::{Point, Timestamp};

/// `LON,LAT` in degrees.
pub(crate) fn point(text: &str) -> Result<Point, String> {
    const FORM: &str = "write longitude and latitude in degrees with a comma, such as -3.7,40.4";
    let (longitude, latitude) = text.split_once(',').ok_or(FORM)?;
    let number = |text: &str| text.trim().parse::<f64>().map_err(|_| FORM.to_owned());
    Point::new(number(longitude)?, number(latitude)?).map_err(|error| error.to_string())
}

/// An instant: ISO 8601 with an offset, or a date, which means its first moment in UTC.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let first_moment = format!("{text}T00:00:00Z");
    first_moment.parse().map_err(|_| {
        "write a date such as 2026-12-31 (its first moment, UTC) or an ISO 8601 date and time with \
         an offset, such as 2026-12-31T18:00:00Z"
            .to_owned()
    })
}

/// A network, or a single address.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let form = || "write an address, or a network such as 10.0.0.0/8".to_owned();
    request::network(text).ok_or_else(form)
}

/// When an account ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It does not.
    Never,
    /// At this instant.
    At(Timestamp),
}

impl Expiry {
    /// As the store writes it.
    pub(crate) fn instant(self) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At(instant) => Some(instant),
        }
    }
}

/// `never`, or an [`instant`].
pub(crate) fn expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" {
        return Ok(Expiry::Never);
    }
    instant(text)
        .map(Expiry::At)
        .map_err(|reason| format!("{reason}, or never"))
}

/// What a pair of opposite flags asks for; neither leaves things as they are.
pub(crate) fn switch(on: bool, off: bool) -> Option<bool> {
    (on || off).then_some(on)
}

/// The name of a permission; for what is none, those that look like it are told.
pub(crate) fn permission(text: &str) -> Result<Permission, String> {
    text.parse().map_err(|_| {
        let mut names: Vec<_> = Permission::all().map(|known| known.to_string()).collect();
        names.sort_by_key(|name| distance(text, name));
        format!(
            "there is no such permission; near it are {}",
            names[..5].join(", ")
        )
    })
}

/// A text as a shell takes it: in single quotes where it needs them.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-:,=@%+".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// How many letters to insert, drop or exchange to make one text of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_may_lie_west_and_south() {
        assert_eq!(point("-3.7,40.4"), Ok(Point::new(-3.7, 40.4).unwrap()));
        assert_eq!(point("151.2, -33.9"), Ok(Point::new(151.2, -33.9).unwrap()));
        for bad in ["", "1", "1,2,3", "a,b", "nan,1", "inf,1", "181,0", "0,90.5"] {
            assert!(point(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_date_means_its_first_moment_in_utc() {
        let midnight = "2026-12-31T00:00:00Z".parse().unwrap();
        assert_eq!(expiry("2026-12-31"), Ok(Expiry::At(midnight)));
        assert_eq!(
            expiry("2026-12-31T01:00:00+01:00"),
            Ok(Expiry::At(midnight))
        );
        assert_eq!(expiry("never"), Ok(Expiry::Never));
        for bad in ["", "tomorrow", "2026-13-01", "2026-12-31T18:00:00"] {
            assert!(expiry(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted("/usr/bin/fleetwire"), "/usr/bin/fleetwire");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn an_unknown_permission_is_answered_with_those_near_it() {
        let reason = permission("geo.veiw_location").unwrap_err();
        assert!(reason.contains("near it are geo.view_location"), "{reason}");
        let reason = permission("change_device").unwrap_err();
        assert!(reason.contains("config.change_device"), "{reason}");
    }
}
