//! Private keys in all their forms.

use pkcs8::EncryptedPrivateKeyInfo;
use pkcs8::der::Encode;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::{self, Kdf, Pbkdf2Params, Pbkdf2Prf, Salt, ScryptParams};

use super::super::{KeyError, LoginSecret, PublicKeyInfo, open_private_key};
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

    /// A file that only its owner reads: `ssh-keygen` takes no other.
    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(self.path(name), text).unwrap();
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path(name), owner_only).unwrap();
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

fn check_private_key(pem: &str, passphrase: Option<&str>) -> Result<PublicKeyInfo, KeyError> {
    open_private_key(pem, passphrase).map(|opened| opened.public)
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
        let opened = open_private_key(&text, Some("open sesame")).unwrap();
        assert_eq!(opened.public.fingerprint, keys.fingerprint(name));
        let LoginSecret::PrivateKey {
            pem,
            passphrase: None,
        } = opened.secret
        else {
            panic!("its passphrase is kept");
        };
        let kept = check_private_key(&pem, None).unwrap();
        assert_eq!(
            kept.fingerprint,
            keys.fingerprint(name),
            "opened once and for all"
        );
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
    let text = block("OPENSSH PRIVATE KEY", &bytes);
    assert_eq!(
        check_private_key(&text, Some("open sesame")),
        Err(KeyError::TooCostly)
    );
    // It is not hidden behind the first line of another one either.
    let (_, body) = text.split_once('\n').unwrap();
    for begin in ["ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY"] {
        let text = format!(
            "-----BEGIN {begin}-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{iv}\n\
             -----BEGIN OPENSSH PRIVATE KEY-----\n{body}",
            iv = "0".repeat(32)
        );
        let refused = check_private_key(&text, Some("open sesame"));
        assert!(matches!(refused, Err(KeyError::Damaged(_))), "{refused:?}");
    }
}

/// A key of PKCS#8 that claims to be encrypted with a key from `kdf`, AES-256-CBC, and is not.
fn encrypted(kdf: impl Into<Kdf>) -> String {
    let parameters = pbes2::Parameters {
        kdf: kdf.into(),
        encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] },
    };
    let key = EncryptedPrivateKeyInfo {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetStringRef::new(&[0; 16]).unwrap(),
    };
    block("ENCRYPTED PRIVATE KEY", &key.to_der().unwrap())
}

#[test]
fn what_a_passphrase_costs_is_read_before_it_is_paid() {
    let salt = Salt::new([0; 16]).unwrap();
    let scrypt = |cost_parameter, block_size, parallelization| {
        encrypted(ScryptParams {
            salt,
            cost_parameter,
            block_size,
            parallelization,
            key_length: None,
        })
    };
    let pbkdf2 = |iteration_count| {
        encrypted(Pbkdf2Params {
            salt,
            iteration_count,
            key_length: None,
            prf: Pbkdf2Prf::HmacWithSha256,
        })
    };
    for (text, error) in [
        (scrypt(1 << 30, 8, 1), KeyError::TooCostly),
        (scrypt(1 << 63, 8, 1), KeyError::TooCostly),
        (scrypt(1 << 18, 1, 1), KeyError::TooCostly),
        (scrypt(1 << 17, 8, 1), KeyError::TooCostly),
        (scrypt(1 << 10, u16::MAX, 1), KeyError::TooCostly),
        (scrypt(2, u16::MAX, u16::MAX), KeyError::TooCostly),
        (scrypt(1 << 14, 8, 64), KeyError::TooCostly),
        (scrypt(0, 8, 1), KeyError::Encryption),
        (scrypt(1000, 8, 1), KeyError::Encryption),
        (scrypt(u64::MAX, 8, 1), KeyError::Encryption),
        (scrypt(1 << 10, 0, 1), KeyError::Encryption),
        (scrypt(1 << 10, 8, 0), KeyError::Encryption),
        (scrypt(1 << 10, 8, 1), KeyError::WrongPassphrase),
        (scrypt(1, 8, 1), KeyError::WrongPassphrase),
        (pbkdf2(u32::MAX), KeyError::TooCostly),
        (pbkdf2(1_000_001), KeyError::TooCostly),
        (pbkdf2(2048), KeyError::WrongPassphrase),
        (pbkdf2(0), KeyError::WrongPassphrase),
        (
            block("ENCRYPTED PRIVATE KEY", b"\x30\x00"),
            KeyError::Damaged(String::new()),
        ),
    ] {
        assert_eq!(
            check_private_key(&text, None),
            Err(KeyError::PassphraseNeeded)
        );
        match (check_private_key(&text, Some("open sesame")), error) {
            (Err(KeyError::Damaged(_)), KeyError::Damaged(_)) => {}
            (outcome, error) => assert_eq!(outcome, Err(error), "{text}"),
        }
    }
}

/// An ECDSA key whose private number has 31 bytes, made for this test and used nowhere else; the same with
/// the passphrase `open sesame`.
const SHORT: [&str; 2] = [
    "\
-----BEGIN OPENSSH PRIVATE KEY-----\n\
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS\n\
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQQ3I/byb2TyWKBqHyXpy7LeFYw6axIr\n\
N8qJfT/I+EB/vdjLabTd0uybFa44j+Naf6y/Y8JJTflIzBzWyPxSaSYnAAAAqFM4DsdTOA\n\
7HAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDcj9vJvZPJYoGof\n\
JenLst4VjDprEis3yol9P8j4QH+92MtptN3S7JsVrjiP41p/rL9jwklN+UjMHNbI/FJpJi\n\
cAAAAfQqWNSmS++dWuSqyyKBXIJvbC0vH9Jz38+2Pin/2rTgAAAAxzaG9ydCBzY2FsYXIB\n\
AgMEBQ==\n\
-----END OPENSSH PRIVATE KEY-----\n\
",
    "\
-----BEGIN OPENSSH PRIVATE KEY-----\n\
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAHRo7rP0\n\
bGEM+A42G2gFLaAAAAEAAAAAEAAABoAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlz\n\
dHAyNTYAAABBBDcj9vJvZPJYoGofJenLst4VjDprEis3yol9P8j4QH+92MtptN3S7JsVrj\n\
iP41p/rL9jwklN+UjMHNbI/FJpJicAAACwOwZqQjOf0gAq4N+rtUqE5OgYNrEPOxZQ6ihD\n\
24JvECZ30ygMHbwuwX6BCfsqHci9jkaFc3hR9TZBE6X88zxM8r+p2AqZCrp0x6Un+frsnR\n\
zQxUGuH4/86a3WvGNFZdL97EEONmj8TMc+0LYX+gVZiy42PJGdRF+Jscsvc/07PK1rpVsY\n\
2sj3Y/9XooGzwtWeJ5cSUuq91IOx19ErsU7t1p4XAnCbYbkpuNAFk5M/X1Y=\n\
-----END OPENSSH PRIVATE KEY-----\n\
",
];

#[test]
fn an_ecdsa_key_whose_number_is_short_is_read_or_told_how_to_be() {
    let [plain, encrypted] = SHORT;
    let info = check_private_key(plain, None).unwrap();
    assert_eq!(info.algorithm, "ecdsa-sha2-nistp256");
    let fingerprint = "SHA256:T+1+U+JEKFYJ17IGUWVnuLeLPmqe52ZS93Gs4moOiHY";
    assert_eq!(info.fingerprint, fingerprint);
    let refused = check_private_key(encrypted, Some("open sesame"));
    assert_eq!(refused, Err(KeyError::ShortScalar));
    let wrong = check_private_key(encrypted, Some("wrong"));
    assert_eq!(wrong, Err(KeyError::WrongPassphrase));
    // As the error advises.
    let keys = Keys::new();
    keys.write("a", encrypted);
    let passphrase = "open sesame";
    let file = keys.path("a");
    run(
        "ssh-keygen",
        &[
            "-q", "-p", "-P", passphrase, "-N", passphrase, "-m", "PKCS8", "-f", &file,
        ],
    );
    let info = check_private_key(&keys.text("a"), Some(passphrase)).unwrap();
    assert_eq!(info.fingerprint, fingerprint);
    // Cut off anywhere, it is damaged, and nothing worse.
    let end = plain.find("\n-----END").unwrap();
    for length in 0..end {
        assert!(check_private_key(&plain[..length], None).is_err());
    }
}

/// Bytes between lines of dashes.
fn block(label: &str, bytes: &[u8]) -> String {
    let body = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(70)
        .map(|it| std::str::from_utf8(it).unwrap())
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
