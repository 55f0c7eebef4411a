//! Passwords: Argon2id, off the async threads, so few at once that memory stays bounded. Hashes that
//! came from elsewhere may be PBKDF2's; they are checked, and replaced at the next log-in.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{PasswordHasher, PasswordVerifier};
use pbkdf2::Pbkdf2;
use tokio::sync::Semaphore;

use super::argon::Argon;

/// Hashes computed at once. One takes 19 MiB, which are kept, and a core for some ten milliseconds.
const AT_ONCE: usize = 2;

/// Requests that may wait for their turn; further ones are turned away at once.
const WAITING: usize = 64;

/// A hash of nothing, with the parameters of [`Argon2::default`]: verified when there is no real one,
/// so that an unknown user takes as long as a wrong password. Not as long as one whose hash is still
/// PBKDF2's, which has its own number of rounds.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCB1c2VyLi4$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password was neither hashed nor checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many wait already.
    #[error("too many log-ins at once")]
    Busy,
    /// Argon2, the system's random numbers, or the thread it ran on failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// Whether a hash is not the one that we would make of its password.
#[must_use]
pub fn is_foreign(hash: &str) -> bool {
    !hash.starts_with("$argon2id$")
}

fn is_right(argon: &Argon, password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    let verifiers: [&dyn PasswordVerifier<PasswordHash>; 2] = [argon, &Pbkdf2::default()];
    let verify = |verifier: &&dyn PasswordVerifier<PasswordHash>| {
        verifier.verify_password(password.as_bytes(), &hash).is_ok()
    };
    verifiers.iter().any(verify)
}

/// Turns a password into its PHC string, which takes a while: for a command line, which has nothing
/// else to do meanwhile.
///
/// # Errors
/// When the system gives no random numbers.
pub fn hash_blocking(password: &str) -> Result<String, PasswordError> {
    hash(&Argon::default(), password)
}

fn hash(argon: &Argon, password: &str) -> Result<String, PasswordError> {
    argon
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Hash(error.to_string()))
}

/// Where passwords are checked while others are served.
#[derive(Clone)]
pub struct Passwords {
    queue: Arc<Semaphore>,
    working: Arc<Semaphore>,
    argon: Arc<Argon>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            queue: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            working: Arc::new(Semaphore::new(AT_ONCE)),
            argon: Arc::default(),
        }
    }
}

impl Passwords {
    /// Turns a password into its PHC string.
    ///
    /// # Errors
    /// When too many wait already, or the system gives no random numbers.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.off_the_async_threads(move |argon| hash(argon, &password))
            .await?
    }

    /// Whether `password` is the one behind the PHC string `hash`. `None` and an empty one take as long
    /// as a hash of our own and are never right; nor is an unreadable one.
    ///
    /// # Errors
    /// When too many wait already.
    pub async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, PasswordError> {
        self.off_the_async_threads(move |argon| {
            let (hash, is_real) = match &hash {
                Some(hash) if !hash.is_empty() => (hash.as_str(), true),
                _ => (DUMMY_HASH, false),
            };
            is_right(argon, &password, hash) && is_real
        })
        .await
    }

    async fn off_the_async_threads<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon) -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = self
            .queue
            .clone()
            .try_acquire_owned()
            .map_err(|_| PasswordError::Busy)?;
        let turn = self
            .working
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| PasswordError::Busy)?;
        let argon = Arc::clone(&self.argon);
        tokio::task::spawn_blocking(move || {
            // Held by the work itself: a client that hangs up does not make room for one more.
            let _held = (place, turn);
            work(&argon)
        })
        .await
        .map_err(|error| PasswordError::Hash(error.to_string()))
    }
}

/// Characters of a new password, at least and at most.
const SHORTEST: usize = 8;
const LONGEST: usize = 128;

/// What is wrong with a password that a user of this name is to have, in Django's sentences; nothing
/// of the password is in them.
#[must_use]
pub fn weaknesses(password: &str, username: &str) -> Vec<String> {
    let length = password.chars().count();
    let mut found = Vec::new();
    if length < SHORTEST {
        found.push(format!(
            "This password is too short. It must contain at least {SHORTEST} characters."
        ));
    }
    if length > LONGEST {
        found.push(format!(
            "Ensure this field has no more than {LONGEST} characters."
        ));
    }
    if password.chars().all(char::is_numeric) {
        found.push("This password is entirely numeric.".to_owned());
    }
    if password.trim().is_empty() {
        found.push("This field may not be blank.".to_owned());
    }
    if password.to_lowercase() == username.to_lowercase() {
        found.push("The password is too similar to the username.".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use argon2::Argon2;
    use argon2::password_hash::Error;

    use super::*;

    /// Python: `hashlib.pbkdf2_hmac("sha256", b"correct horse", b"saltsaltsalt", 2000)`.
    const FOREIGN_HASH: &str =
        "$pbkdf2-sha256$i=2000,l=32$c2FsdHNhbHRzYWx0$6NjFgJ/1q4gZMhWQ+24NPTh6CMFFzAZazVn5goAdPBw";

    #[test]
    fn only_argon2id_is_our_own() {
        assert!(is_foreign(FOREIGN_HASH));
        assert!(!is_foreign(DUMMY_HASH));
        assert!(!is_foreign(&hash_blocking("x").unwrap()));
    }

    #[tokio::test]
    async fn only_the_password_behind_the_hash_is_right() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        for (password, hash, is_right) in [
            ("correct horse", Some(hash.clone()), true),
            ("correct horse ", Some(hash), false),
            ("correct horse", Some(String::new()), false),
            ("correct horse", Some("nonsense".into()), false),
            ("correct horse", Some(FOREIGN_HASH.into()), true),
            ("incorrect horse", Some(FOREIGN_HASH.into()), false),
            ("", None, false),
        ] {
            let verified = passwords.verify(password.into(), hash).await.unwrap();
            assert_eq!(verified, is_right, "{password:?}");
        }
    }

    /// Otherwise checking an unknown user's password would be quicker, and tell.
    #[test]
    fn the_dummy_takes_the_same_work_as_a_real_hash() {
        let parameters = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(
            parameters(DUMMY_HASH),
            parameters(&hash_blocking("x").unwrap())
        );
        let verified = Argon2::default().verify_password(b"x", DUMMY_HASH);
        assert_eq!(
            verified,
            Err(Error::PasswordInvalid),
            "computed and compared, not refused unread"
        );
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_instead_of_piling_up() {
        let passwords = Passwords::default();
        let all = passwords.queue.clone().try_acquire_many_owned(66).unwrap();
        let refused = passwords.verify("x".into(), None).await;
        assert!(matches!(refused, Err(PasswordError::Busy)));
        drop(all);
        assert!(!passwords.verify("x".into(), None).await.unwrap());
    }

    #[test]
    fn a_weak_password_is_told_why() {
        let long = "x".repeat(129);
        for (password, count) in [
            ("correct horse", 0),
            ("ada.lovelace!", 0),
            ("1234567", 2),
            ("12345678", 1),
            ("short", 1),
            ("Ada Lovelace", 1),
            ("          ", 1),
            (&long, 1),
            (&long[1..], 0),
        ] {
            let found = weaknesses(password, "ada lovelace");
            assert_eq!(found.len(), count, "{password}: {found:?}");
        }
    }
}
