//! Which form of a file a client gets.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::GzDecoder;

use super::File;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Browsers take it over https (and from this machine).
    Brotli,
    /// Everybody takes it.
    Gzip,
}

impl Encoding {
    /// As `Accept-Encoding` and `Content-Encoding` have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }
}

/// The smallest form of the file at `path` that is `accepted`; unpacked for who takes none.
pub fn choose(
    find: impl Fn(&str) -> Option<File>,
    path: &str,
    accepted: &str,
) -> Option<(Option<Encoding>, File)> {
    for encoding in [Encoding::Brotli, Encoding::Gzip] {
        if accepts(accepted, encoding.name())
            && let Some(file) = find(&format!("{path}.{}", encoding.ending()))
        {
            return Some((Some(encoding), file));
        }
    }
    // Small files are not packed.
    if let Some(file) = find(path) {
        return Some((None, file));
    }
    let packed = find(&format!("{path}.gz"))?;
    let mut plain = Vec::new();
    GzDecoder::new(&*packed).read_to_end(&mut plain).ok()?;
    Some((None, Cow::Owned(plain)))
}

/// Whether a value of `Accept-Encoding` names `wanted`, and not to refuse it.
fn accepts(header: &str, wanted: &str) -> bool {
    header.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").map(str::parse::<f32>);
            matches!(weight, Some(Ok(weight)) if weight <= 0.0)
        });
        name.eq_ignore_ascii_case(wanted) && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_encoding_is_not_taken() {
        for (header, expected) in [
            ("br", true),
            ("gzip, deflate, br;q=0.5", true),
            ("BR", true),
            ("gzip", false),
            ("gzip, br;q=0", false),
            ("br; q=0.000", false),
            ("", false),
        ] {
            assert_eq!(accepts(header, "br"), expected, "{header}");
        }
    }
}
