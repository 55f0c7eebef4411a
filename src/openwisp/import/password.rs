//! Django's password hashes: `algorithm$…`, or `!…` for a user who has no password.

/// Django's other algorithms.
const ALGORITHMS: [&str; 7] = [
    "argon2",
    "bcrypt",
    "bcrypt_sha256",
    "md5",
    "pbkdf2_sha1",
    "pbkdf2_sha256",
    "scrypt",
];

/// What can be taken of a user's password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Password<'a> {
    /// A hash that is checked here at the next log-in.
    Hash(&'a str),
    /// There is none.
    None,
    /// A hash of an algorithm that is not known here.
    Other(&'static str),
}

impl<'a> Password<'a> {
    pub fn of(hash: &'a str) -> Self {
        if hash.is_empty() || hash.starts_with('!') {
            return Self::None;
        }
        let mut parts = hash.split('$');
        let algorithm = parts.next().unwrap_or_default();
        let is_known = algorithm == "pbkdf2_sha256"
            && parts
                .next()
                .is_some_and(|rounds| rounds.parse::<u32>().is_ok())
            && parts.count() == 2;
        if is_known {
            return Self::Hash(hash);
        }
        // Only names that we know are told: what is no hash may be anything.
        let known = ALGORITHMS.iter().find(|name| **name == algorithm);
        Self::Other(known.unwrap_or(&"something unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_checked_is_taken() {
        let hash = "pbkdf2_sha256$1000000$salt$aGFzaA==";
        assert_eq!(Password::of(hash), Password::Hash(hash));
        for none in ["", "!", "!Yz8xJ2"] {
            assert_eq!(Password::of(none), Password::None);
        }
        for (hash, algorithm) in [
            ("pbkdf2_sha1$1000$salt$aGFzaA==", "pbkdf2_sha1"),
            ("argon2$argon2id$v=19$m=1$x$y", "argon2"),
            ("pbkdf2_sha256$many$salt$aGFzaA==", "pbkdf2_sha256"),
            ("pbkdf2_sha256$1$salt", "pbkdf2_sha256"),
            ("a-plain-password", "something unknown"),
            ("a-plain$password", "something unknown"),
        ] {
            assert_eq!(Password::of(hash), Password::Other(algorithm));
        }
    }
}
