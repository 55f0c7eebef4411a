//! What we speak to a device.

use std::borrow::Cow;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, compression, kex, mac};

/// What is offered in the key exchange. `remembered` is the name of the kind of the host key that
/// the device showed before: it comes first, so that a device with several is known again.
pub(super) fn preferred(old_algorithms: bool, remembered: Option<&str>) -> Preferred {
    let mut offered = Preferred::DEFAULT;
    // The list also names extensions of the protocol, which stand behind the methods.
    let (extensions, mut methods): (Vec<_>, Vec<_>) =
        offered.kex.iter().copied().partition(is_extension);
    methods.extend([
        kex::ECDH_SHA2_NISTP256,
        kex::ECDH_SHA2_NISTP384,
        kex::ECDH_SHA2_NISTP521,
    ]);
    let mut ciphers = offered.cipher.to_vec();
    ciphers.push(cipher::AES_128_GCM);
    let mut macs = offered.mac.to_vec();
    if old_algorithms {
        methods.extend([kex::DH_GEX_SHA1, kex::DH_G14_SHA1, kex::DH_G1_SHA1]);
        ciphers.extend([
            cipher::AES_256_CBC,
            cipher::AES_192_CBC,
            cipher::AES_128_CBC,
            cipher::TRIPLE_DES_CBC,
        ]);
        macs.extend([mac::HMAC_SHA1_ETM, mac::HMAC_SHA1]);
    }
    offered.kex = methods.into_iter().chain(extensions).collect();
    offered.cipher = Cow::Owned(ciphers);
    offered.mac = Cow::Owned(macs);
    offered.key = Cow::Owned(host_keys(old_algorithms, remembered));
    offered.compression = Cow::Borrowed(&[compression::NONE]);
    offered
}

fn host_keys(old_algorithms: bool, remembered: Option<&str>) -> Vec<Algorithm> {
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    let rsa = |hash| Algorithm::Rsa { hash };
    let mut keys = vec![
        Algorithm::Ed25519,
        ecdsa(EcdsaCurve::NistP256),
        ecdsa(EcdsaCurve::NistP384),
        ecdsa(EcdsaCurve::NistP521),
        rsa(Some(HashAlg::Sha512)),
        rsa(Some(HashAlg::Sha256)),
    ];
    if old_algorithms {
        keys.push(rsa(None));
    }
    if let Some(remembered) = remembered {
        // The same RSA key signs with any hash. The sort is stable.
        let is_remembered = |key: &Algorithm| {
            key.as_str() == remembered
                || (remembered == "ssh-rsa" && matches!(key, Algorithm::Rsa { .. }))
        };
        keys.sort_by_key(|key| !is_remembered(key));
    }
    keys
}

fn is_extension(name: &kex::Name) -> bool {
    [
        kex::EXTENSION_SUPPORT_AS_CLIENT,
        kex::EXTENSION_SUPPORT_AS_SERVER,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
    ]
    .contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: &[Algorithm]) -> Vec<&str> {
        keys.iter().map(Algorithm::as_str).collect()
    }

    #[test]
    fn the_kind_of_the_remembered_key_is_asked_for_first() {
        assert_eq!(names(&preferred(false, None).key)[0], "ssh-ed25519");
        let key = preferred(false, Some("ecdsa-sha2-nistp384")).key;
        assert_eq!(names(&key)[0], "ecdsa-sha2-nistp384");
        let key = preferred(true, Some("ssh-rsa")).key;
        assert_eq!(
            names(&key)[..3],
            ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]
        );
        assert_eq!(key.len(), 7);
    }

    #[test]
    fn sha1_is_spoken_only_where_old_algorithms_are_allowed() {
        let has_sha1 = |offered: &Preferred| {
            let kex = offered.kex.iter().map(|it| it.as_ref().to_owned());
            let mac = offered.mac.iter().map(|it| it.as_ref().to_owned());
            let key = offered.key.iter().map(|it| it.as_str().to_owned());
            kex.chain(mac)
                .chain(key)
                .any(|name| name.contains("sha1") || name == "ssh-rsa")
        };
        assert!(!has_sha1(&preferred(false, None)));
        assert!(has_sha1(&preferred(true, None)));
    }
}
