//! What texts must be before they are stored, in the sentences of Django REST framework.

use std::net::IpAddr;

use super::FieldErrors;

const EMAIL: usize = 254;
const URL: usize = 200;

/// PostgreSQL cannot hold U+0000, so neither engine does.
const NULL: &str = "Null characters are not allowed.";

impl FieldErrors {
    /// A text that must be there, of at most `most` characters.
    pub(super) fn check_name(&mut self, field: &str, text: &str, most: usize) {
        if text.trim().is_empty() {
            self.add(field, "This field may not be blank.");
        }
        self.check_text(field, text, most);
    }

    /// A text that may be empty, of at most `most` characters.
    pub(super) fn check_text(&mut self, field: &str, text: &str, most: usize) {
        if text.contains('\0') {
            self.add(field, NULL);
        }
        if text.chars().count() > most {
            self.add(
                field,
                format!("Ensure this field has no more than {most} characters."),
            );
        }
    }

    /// A secret that must be there, of at most `most` characters; every character of it counts.
    pub(super) fn check_secret(&mut self, field: &str, secret: &str, most: usize) {
        if secret.is_empty() {
            self.add(field, "This field may not be blank.");
        }
        self.check_text(field, secret, most);
    }

    /// An e-mail address, or nothing.
    pub(super) fn check_email(&mut self, field: &str, text: &str) {
        self.check_text(field, text, EMAIL);
        if !text.is_empty() && !is_email(text) {
            self.add(field, "Enter a valid email address.");
        }
    }

    /// A URL of the web, or nothing.
    pub(super) fn check_url(&mut self, field: &str, text: &str) {
        self.check_text(field, text, URL);
        if !text.is_empty() && !is_url(text) {
            self.add(field, "Enter a valid URL.");
        }
    }

    /// Six bytes in hexadecimal, parted by colons or hyphens.
    pub(super) fn check_mac_address(&mut self, field: &str, text: &str) {
        let mut bytes = 0;
        let valid = text.split([':', '-']).all(|byte| {
            bytes += 1;
            byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        if !valid || bytes != 6 {
            self.add(field, "Must be a valid mac address.");
        }
    }

    /// An IP address of either version.
    pub(super) fn check_ip(&mut self, field: &str, text: &str) {
        if text.parse::<IpAddr>().is_err() {
            self.add(field, "Enter a valid IPv4 or IPv6 address.");
        }
    }
}

/// A name, an at sign and a host: what Django takes, without quoted names.
fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else {
        return false;
    };
    let is_word = |word: &str| {
        let is_allowed =
            |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(letter);
        !word.is_empty() && word.chars().all(is_allowed)
    };
    name.split('.').all(is_word) && (host == "localhost" || (host.contains('.') && is_host(host)))
}

/// What a browser may be sent to.
fn is_url(text: &str) -> bool {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let is_plain = text
        .chars()
        .all(|letter| !letter.is_whitespace() && !letter.is_control());
    is_plain
        && authority.is_some_and(|authority| {
            let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "1"));
            is_host(host) && port.parse::<u16>().is_ok()
        })
}

fn is_host(text: &str) -> bool {
    text.split('.').all(|label| {
        let is_allowed = |letter: char| letter.is_alphanumeric() || letter == '-';
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(is_allowed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_address_is_a_name_at_a_host() {
        for right in [
            "ada@example.org",
            "a.b+c@mail.example.org",
            "root@localhost",
            "a@é.fr",
        ] {
            assert!(is_email(right), "{right}");
        }
        for wrong in [
            "ada",
            "ü@example.org",
            "@example.org",
            "ada@",
            "a b@example.org",
            "ada@-a.org",
            "ada@org",
            "a..b@example.org",
            "ada@example..org",
            "<ada@example.org>",
        ] {
            assert!(!is_email(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_url_is_one_that_a_browser_may_be_sent_to() {
        for right in [
            "https://example.org",
            "http://a.b:8080/c?d#e",
            "http://localhost/",
        ] {
            assert!(is_url(right), "{right}");
        }
        for wrong in [
            "example.org",
            "javascript:alert(1)",
            "http://",
            "http://a b",
            "https://a:x",
            "https://user@example.org",
            "ftp://example.org",
        ] {
            assert!(!is_url(wrong), "{wrong}");
        }
    }
}
