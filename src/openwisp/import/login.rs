//! The parameters of OpenWISP's SSH connector.

use serde_json::{Map, Value};

use crate::store::LoginSecret;

/// What logs in, and where.
#[derive(Debug)]
pub(super) struct Login {
    pub username: String,
    pub port: i64,
    pub secret: LoginSecret,
}

/// The name of the only connector that is known here.
pub(super) const SSH: &str = "openwisp_controller.connection.connectors.ssh.Ssh";

const PORT: i64 = 22;

/// An object in JSON, as the databases keep it; older releases wrote it as a text within one.
pub(super) fn object(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text).ok()? {
        Value::Object(object) => Some(object),
        Value::String(text) => serde_json::from_str(&text).ok(),
        _ => None,
    }
}

/// Reads the parameters of a credential, or says what is wrong with them. Nothing of them is repeated.
pub(super) fn login(params: &str) -> Result<Login, &'static str> {
    let params = object(params).ok_or("its parameters are not what the SSH connector takes")?;
    let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::to_owned);
    let username = text("username").ok_or("its parameters name no user")?;
    let port = match params.get("port") {
        None | Some(Value::Null) => PORT,
        Some(port) => whole(port).ok_or("its port is no number")?,
    };
    let secret = match (text("password"), text("key")) {
        (None, Some(pem)) => LoginSecret::PrivateKey {
            pem,
            passphrase: None,
        },
        (Some(password), None) => LoginSecret::Password(password),
        (Some(_), Some(_)) => return Err("it has a password and a key"),
        (None, None) => return Err("it has neither a password nor a key"),
    };
    Ok(Login {
        username,
        port,
        secret,
    })
}

/// A number without a fraction, however it is written.
fn whole(number: &Value) -> Option<i64> {
    let exact = number.as_i64();
    let written = number.as_f64().filter(|it| it.fract() == 0.0);
    exact.or_else(|| format!("{:.0}", written?).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_or_a_key_logs_in() {
        let found = login(r#"{"username": "root", "password": "s3cret", "port": 2222}"#).unwrap();
        assert_eq!((found.username.as_str(), found.port), ("root", 2222));
        assert_eq!(found.secret, LoginSecret::Password("s3cret".into()));
        let found = login(r#"{"username": "root", "key": "pem", "port": 22.0}"#).unwrap();
        assert_eq!(found.port, 22);
        assert!(matches!(found.secret, LoginSecret::PrivateKey { pem, .. } if pem == "pem"));
        let within = Value::from(r#"{"username": "root", "password": "s3cret"}"#).to_string();
        assert_eq!(login(&within).unwrap().port, 22);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for params in [
            "",
            "s3cret",
            "[]",
            r#""s3cret""#,
            r#"{"password": "s3cret"}"#,
            r#"{"username": "root"}"#,
            r#"{"username": 1, "password": "s3cret"}"#,
            r#"{"username": "root", "password": "s3cret", "key": "s3cret"}"#,
            r#"{"username": "root", "password": "s3cret", "port": "s3cret"}"#,
            r#"{"username": "root", "password": "s3cret", "port": 22.5}"#,
        ] {
            let reason = login(params).unwrap_err();
            assert!(!reason.contains("s3cret"), "{params}");
        }
    }
}
