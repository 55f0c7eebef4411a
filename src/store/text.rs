//! What texts must be before they are stored, in the sentences of Django REST framework.

use std::net::IpAddr;

use super::FieldErrors;

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
