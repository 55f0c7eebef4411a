//! Private keys in all their forms.

use super::super::{KeyError, check_private_key};
use super::servers::{generate_key, run};

struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// A key in OpenSSH's form, as text.
    fn generate(&self, name: &str, kind: &str, passphrase: Option<&str>) -> String {
        generate_key(&self.0.path().join(name), kind, passphrase);
        self.text(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The same key in another form: `PEM` (PKCS#1 or SEC1) or `PKCS8`.
    fn convert(&self, name: &str, form: &str, new_passphrase: &str) -> String {
        let file = self.path(name);
        run(
            "ssh-keygen",
            &[
                "-q",
                "-p",
                "-P",
                "",
                "-N",
                new_passphrase,
                "-m",
                form,
                "-f",
                &file,
            ],
        );
        self.text(name)
    }

    fn fingerprint(&self, name: &str) -> String {
        let told = run(
            "ssh-keygen",
            &["-l", "-f", &self.path(&format!("{name}.pub"))],
        );
        told.split(' ').nth(1).unwrap().to_owned()
    }
}

#[test]
fn each_kind_in_each_form_is_read() {
    let keys = Keys::new();
    let cases = [
        ("ed25519", "ssh-ed25519", None),
        ("rsa", "ssh-rsa", Some(("PEM", "RSA PRIVATE KEY"))),
        (
            "ecdsa",
            "ecdsa-sha2-nistp256",
            Some(("PEM", "EC PRIVATE KEY")),
        ),
        ("rsa", "ssh-rsa", Some(("PKCS8", "PRIVATE KEY"))),
        (
            "ecdsa",
            "ecdsa-sha2-nistp256",
            Some(("PKCS8", "PRIVATE KEY")),
        ),
    ];
    for (at, (kind, algorithm, form)) in cases.into_iter().enumerate() {
        let name = format!("key{at}");
        let mut texts = vec![keys.generate(&name, kind, None)];
        if let Some((form, label)) = form {
            let text = keys.convert(&name, form, "");
            assert!(text.contains(&format!("-----BEGIN {label}-----")));
            texts.push(text);
        }
        for text in texts {
            let windows = text.replace('\n', "\r\n");
            let indented = format!("\n\n  {}", text.trim_end().replace('\n', "\n   "));
            for text in [text, windows, indented] {
                for passphrase in [None, Some(""), Some("needless")] {
                    let info = check_private_key(&text, passphrase).unwrap();
                    assert_eq!(info.algorithm, algorithm);
                    assert_eq!(info.fingerprint, keys.fingerprint(&name));
                }
            }
        }
    }
}

#[test]
fn a_passphrase_opens_an_encrypted_key() {
    let keys = Keys::new();
    let openssh = keys.generate("a", "ed25519", Some("open sesame"));
    keys.generate("b", "rsa", None);
    let pkcs8 = keys.convert("b", "PKCS8", "open sesame");
    keys.generate("c", "rsa", None);
    let pkcs1 = keys.convert("c", "PEM", "open sesame");
    for (text, name) in [(openssh, "a"), (pkcs8, "b"), (pkcs1, "c")] {
        let info = check_private_key(&text, Some("open sesame")).unwrap();
        assert_eq!(info.fingerprint, keys.fingerprint(name));
        assert_eq!(
            check_private_key(&text, None),
            Err(KeyError::PassphraseNeeded)
        );
        assert_eq!(
            check_private_key(&text, Some("wrong")),
            Err(KeyError::WrongPassphrase)
        );
    }
}

#[test]
fn what_is_no_usable_key_is_told_by_what_it_is() {
    let keys = Keys::new();
    let text = keys.generate("a", "ed25519", None);
    let damaged = text.replace("AAAA", "AAAB");
    assert!(matches!(
        check_private_key(&damaged, None),
        Err(KeyError::Damaged(_))
    ));
    assert_eq!(
        check_private_key(&keys.text("a.pub"), None),
        Err(KeyError::Public)
    );
    assert_eq!(check_private_key("", None), Err(KeyError::NoKey));
    assert_eq!(check_private_key("hunter2", None), Err(KeyError::NoKey));
    assert_eq!(
        check_private_key(&"x".repeat(1_000_000), None),
        Err(KeyError::TooLarge)
    );
    keys.generate("b", "ecdsa", None);
    let old = keys.convert("b", "PEM", "open sesame");
    assert_eq!(
        check_private_key(&old, Some("open sesame")),
        Err(KeyError::Encryption)
    );
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(check_private_key(certificate, None), Err(KeyError::NoKey));
    let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert_eq!(check_private_key(public, None), Err(KeyError::Public));
}

#[test]
fn a_key_of_dropbear_is_refused_with_the_way_out() {
    let keys = Keys::new();
    for kind in ["ed25519", "rsa", "ecdsa"] {
        run("dropbearkey", &["-t", kind, "-f", &keys.path(kind)]);
        let bytes = std::fs::read(keys.path(kind)).unwrap();
        let lossy = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(check_private_key(&lossy, None), Err(KeyError::Dropbear));
        let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &bytes);
        assert_eq!(check_private_key(&base64, None), Err(KeyError::Dropbear));
    }
}

#[test]
fn a_passphrase_that_would_take_for_ever_is_refused() {
    let keys = Keys::new();
    let text = keys.generate("a", "ed25519", Some("open sesame"));
    // The rounds of bcrypt stand big-endian behind the salt of 16 bytes.
    let body: String = text.lines().filter(|it| !it.starts_with('-')).collect();
    let mut bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, body).unwrap();
    let at = bytes.windows(6).position(|it| it == b"bcrypt").unwrap() + 6 + 4 + 4 + 16;
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    let body = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(70)
        .map(|it| std::str::from_utf8(it).unwrap())
        .collect();
    let text = format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
        lines.join("\n")
    );
    assert_eq!(
        check_private_key(&text, Some("open sesame")),
        Err(KeyError::Encryption)
    );
}
