//! `[login]`: sessions, and how often a password may be guessed.

use serde::{Deserialize, Serialize};

use super::check::{Problems, between};

/// Logging in.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginConfig {
    /// Name of the session cookie.
    pub cookie_name: String,
    /// Hours after which a session ends by itself.
    pub session_hours: u32,
    /// Failed attempts for one user name before further ones are refused for a while.
    pub attempts_per_user: u32,
    /// Failed attempts from one address before further ones are refused for a while.
    pub attempts_per_address: u32,
    /// Seconds over which failed attempts are counted.
    pub attempts_window_s: u64,
}

impl Default for LoginConfig {
    fn default() -> Self {
        Self {
            cookie_name: "sessionid".into(),
            session_hours: 336,
            attempts_per_user: 10,
            attempts_per_address: 50,
            attempts_window_s: 300,
        }
    }
}

impl LoginConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !is_token(&self.cookie_name) {
            problems.add(
                "login",
                "cookie_name",
                "must be letters, digits and -_. without spaces, such as sessionid",
            );
        }
        let ten_years = 87_600;
        between(
            problems,
            "login",
            "session_hours",
            self.session_hours.into(),
            1,
            ten_years,
        );
        let most = u64::from(u32::MAX);
        between(
            problems,
            "login",
            "attempts_per_user",
            self.attempts_per_user.into(),
            1,
            most,
        );
        between(
            problems,
            "login",
            "attempts_per_address",
            self.attempts_per_address.into(),
            1,
            most,
        );
        between(
            problems,
            "login",
            "attempts_window_s",
            self.attempts_window_s,
            1,
            86_400,
        );
    }
}

/// Whether a text is a `token` (RFC 9110, section 5.6.2), as a cookie's name has to be.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
