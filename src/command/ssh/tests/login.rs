//! Who is let in, and where.

use super::servers::{both_for_key, generate_key, run};
use super::*;

/// Key exchange and authentication of one address, for its error.
async fn refusal(server: &Server, login: &Login, remembered: Option<&str>) -> SshError {
    let address = address_of(server.address());
    connect(&address, login, remembered, PATIENCE)
        .await
        .expect_err("nobody is let in")
}

#[tokio::test]
async fn the_password_lets_in_and_the_host_key_is_told() {
    for server in both() {
        let session = log_in(&server).await;
        assert_eq!(session.host_key(), server.host_keys()[0]);
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_without_being_shown() {
    for server in both() {
        let login = Login {
            secret: LoginSecret::Password("s3cret-wrong".into()),
            ..by_password()
        };
        let error = refusal(&server, &login, None).await;
        assert!(
            matches!(error, SshError::AuthenticationRefused { .. }),
            "{error}"
        );
        assert!(error.next_address_may_help());
        let shown = format!("{error} {error:?} {login:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains(&server.address().to_string()), "{shown}");
    }
}

#[tokio::test]
async fn each_kind_of_key_lets_in() {
    let kinds = [
        ("ed25519", "ssh-ed25519"),
        ("rsa", "ssh-rsa"),
        ("ecdsa", "ecdsa-sha2-nistp256"),
    ];
    for (kind, name) in kinds {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let public = generate_key(&file, kind, None);
        assert!(public.starts_with(name));
        let login = Login {
            secret: LoginSecret::PrivateKey {
                pem: std::fs::read_to_string(&file).unwrap(),
                passphrase: None,
            },
            ..by_password()
        };
        for server in both_for_key(&public) {
            let address = address_of(server.address());
            if let Err(error) = connect(&address, &login, None, PATIENCE).await {
                panic!("{kind}: {error}\n{}", server.log());
            }
        }
        let stranger = OpenSsh::start(&Options::default());
        let error = refusal(&stranger, &login, None).await;
        assert!(
            matches!(error, SshError::AuthenticationRefused { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_that_only_asks_questions_takes_the_password() {
    // Without PAM its sshd has no questions to ask, so this one is ours.
    let server = super::strange::Questions::start().await;
    let login = Login {
        username: "root".into(),
        secret: LoginSecret::Password("right".into()),
        old_algorithms: false,
    };
    connect(&server, &login, None, PATIENCE).await.unwrap();
    let login = Login {
        secret: LoginSecret::Password("wrong".into()),
        ..login
    };
    let error = connect(&server, &login, None, PATIENCE).await.unwrap_err();
    assert!(
        matches!(error, SshError::AuthenticationRefused { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_device_does_not_offer_is_said() {
    let server = OpenSsh::start(&Options {
        configuration: &["PasswordAuthentication no"],
        ..Options::default()
    });
    let error = refusal(&server, &by_password(), None).await.to_string();
    assert!(
        error.ends_with("the device does not take a password, only publickey"),
        "{error}"
    );
}

#[tokio::test]
async fn a_remembered_host_key_is_known_again_among_several() {
    let server = OpenSsh::start(&Options {
        host_keys: &["ed25519", "ecdsa", "rsa"],
        ..Options::default()
    });
    let address = address_of(server.address());
    for key in server.host_keys() {
        let session = connect(&address, &by_password(), Some(key), PATIENCE).await;
        assert_eq!(session.unwrap().host_key(), key);
    }
}

#[tokio::test]
async fn a_changed_host_key_is_refused_before_anything_is_shown() {
    let [openssh, dropbear] = both();
    // A Dropbear without an RSA key offers one all the same, and fails when it is taken up on that.
    for (kind, servers) in [
        ("ed25519", &[&openssh, &dropbear][..]),
        ("rsa", &[&openssh]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let other = generate_key(&directory.path().join("key"), kind, None);
        for server in servers {
            let error = refusal(server, &by_password(), Some(&other)).await;
            let SshError::HostKeyChanged {
                remembered_fingerprint,
                shown,
                ..
            } = &error
            else {
                panic!("{error}");
            };
            assert_eq!(shown, &server.host_keys()[0]);
            let file = directory.path().join("key.pub").display().to_string();
            let known = run("ssh-keygen", &["-l", "-f", &file]);
            assert!(known.contains(remembered_fingerprint), "{known} {error}");
            assert!(!server.log().contains("Failed password"));
        }
    }
}

#[tokio::test]
async fn old_algorithms_are_spoken_only_where_allowed() {
    let sets: [&[&str]; 4] = [
        &["KexAlgorithms diffie-hellman-group14-sha1"],
        &["HostKeyAlgorithms ssh-rsa"],
        &["MACs hmac-sha1", "Ciphers aes128-cbc"],
        &[
            "KexAlgorithms diffie-hellman-group1-sha1",
            "HostKeyAlgorithms ssh-rsa",
            "Ciphers 3des-cbc",
            "MACs hmac-sha1",
        ],
    ];
    for configuration in sets {
        let server = OpenSsh::start(&Options {
            host_keys: &["rsa"],
            configuration,
            ..Options::default()
        });
        let error = refusal(&server, &by_password(), None).await;
        assert!(matches!(error, SshError::Negotiation { .. }), "{error}");
        assert!(error.to_string().contains("in common"), "{error}");
        let login = Login {
            old_algorithms: true,
            ..by_password()
        };
        let address = address_of(server.address());
        match connect(&address, &login, None, PATIENCE).await {
            Ok(session) => {
                let mut execute = session.exec(&line("echo old")).await.unwrap();
                assert_eq!(hear(&mut execute).await.stdout, "old\n");
            }
            Err(error) => panic!("{configuration:?}: {error}\n{}", server.log()),
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_said_without_a_connection() {
    let login = Login {
        secret: LoginSecret::PrivateKey {
            pem: "nonsense".into(),
            passphrase: None,
        },
        ..by_password()
    };
    let address = Address::parse("192.0.2.1", 22).unwrap();
    let error = connect(&address, &login, None, PATIENCE).await.unwrap_err();
    assert!(matches!(error, SshError::BadKey(_)), "{error}");
    assert!(!error.next_address_may_help());
}
