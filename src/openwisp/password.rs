//! How Django keeps passwords (`django.contrib.auth.hashers`), in the form that we check them in.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// No more rounds than this are believed: checking one password would take a core for seconds.
const MOST_ROUNDS: u32 = 10_000_000;

/// The PHC string of a password that Django kept as `pbkdf2_sha256$<rounds>$<salt>$<hash>`, its
/// default and OpenWISP's. `None` for any other algorithm, and for what Django calls unusable (`!...`).
#[must_use]
pub fn phc_string(django: &str) -> Option<String> {
    let mut parts = django.split('$');
    let (algorithm, rounds, salt, hash) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if algorithm != "pbkdf2_sha256" || parts.next().is_some() || salt.is_empty() {
        return None;
    }
    let rounds: u32 = rounds.parse().ok()?;
    if !(1000..=MOST_ROUNDS).contains(&rounds) {
        return None;
    }
    let hash = STANDARD.decode(hash).ok()?;
    // Django's salt is the text itself, PHC's is bytes in base64.
    let (salt, length) = (STANDARD_NO_PAD.encode(salt), hash.len());
    let hash = STANDARD_NO_PAD.encode(hash);
    Some(format!(
        "$pbkdf2-sha256$i={rounds},l={length}${salt}${hash}"
    ))
}

#[cfg(test)]
mod tests {
    use super::phc_string;
    use crate::access::password::Passwords;

    #[tokio::test]
    async fn a_password_of_an_openwisp_keeps_working() {
        // Of the user `root` of an OpenWISP 1.3, made by Django 5.2.
        let django = "pbkdf2_sha256$1000000$NkpxutYdYxraR5cEgPH3vK$k2zZbcPasCt86gjfHTwO4ia+jYg2LIU218qWE+UcbDM=";
        let hash = phc_string(django);
        assert!(hash.is_some());
        let passwords = Passwords::default();
        let verify = |password: &str| passwords.verify(password.into(), hash.clone());
        assert!(verify("tester-root").await.unwrap());
        assert!(!verify("tester-roo").await.unwrap());
    }

    #[test]
    fn what_django_does_not_make_of_a_password_is_none() {
        for other in [
            "",
            "!unusable",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA",
            "pbkdf2_sha1$1000000$salt$aGFzaA==",
            "pbkdf2_sha256$999$salt$aGFzaA==",
            "pbkdf2_sha256$4000000000$salt$aGFzaA==",
            "pbkdf2_sha256$-1$salt$aGFzaA==",
            "pbkdf2_sha256$1000000$$aGFzaA==",
            "pbkdf2_sha256$1000000$salt$not base64",
            "pbkdf2_sha256$1000000$salt$aGFzaA==$more",
        ] {
            assert_eq!(phc_string(other), None, "{other}");
        }
    }
}
