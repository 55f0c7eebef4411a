//! What `Debug` shows of rows that hold a secret in the clear: what they are, and not that.

use std::fmt;

use super::{
    AccountChange, Device, DeviceChange, ImportedDevice, ImportedUser, NewAccount, NewDevice,
    PasswordRecord,
};

/// `Debug` of these fields alone.
macro_rules! shown {
    ($($type:ident: $($field:ident),*;)+) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($field), &self.$field))*
                    .finish_non_exhaustive()
            }
        }
    )+};
}

shown! {
    Device: id, name, organization, is_active;
    NewDevice: name, organization, is_active;
    DeviceChange: name, organization, is_active;
    ImportedDevice: id, name, organization, is_active;
    ImportedUser: id, username, is_active, is_staff, is_superuser;
    NewAccount: username, is_active, is_staff, is_superuser;
    AccountChange: username, is_active, is_staff, is_superuser;
    PasswordRecord: proves;
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::event::{DeviceId, OrganizationId, Timestamp, UserId};
    use crate::store::{CredentialChange, Key, LoginSecret, NewCredential, Proved, SecretInput};

    const SECRET: &str = "s3cret-in-the-clear";

    fn device() -> Device {
        Device {
            id: DeviceId(Uuid::nil()),
            name: "bus".into(),
            organization: OrganizationId(Uuid::nil()),
            mac_address: None,
            key: SECRET.into(),
            last_ip: None,
            management_ip: None,
            notes: String::new(),
            addresses: Vec::new(),
            is_active: true,
            created: Timestamp(0),
            modified: Timestamp(0),
        }
    }

    #[test]
    fn no_secret_of_a_row_is_shown() {
        let text = || Some(SECRET.to_owned());
        let by_key = LoginSecret::PrivateKey {
            pem: SECRET.into(),
            passphrase: text(),
        };
        let proves = Proved {
            user: UserId(Uuid::nil()),
            password_version: 1,
        };
        let key: Key = "5ec2e7".repeat(11)[..64].parse().unwrap();
        let shown = [
            format!("{:?}", device()),
            format!(
                "{:?}",
                NewDevice {
                    key: text(),
                    ..NewDevice::default()
                }
            ),
            format!(
                "{:?}",
                DeviceChange {
                    key: text(),
                    ..DeviceChange::default()
                }
            ),
            format!(
                "{:?}",
                NewAccount {
                    password_hash: text(),
                    ..NewAccount::default()
                }
            ),
            format!(
                "{:?}",
                AccountChange {
                    password_hash: text(),
                    ..AccountChange::default()
                }
            ),
            format!(
                "{:?}",
                PasswordRecord {
                    proves,
                    password_hash: SECRET.into()
                }
            ),
            format!("{:?}", LoginSecret::Password(SECRET.into())),
            format!("{by_key:?}"),
            format!(
                "{:?}",
                NewCredential {
                    secret: Some(by_key.clone()),
                    ..NewCredential::default()
                }
            ),
            format!(
                "{:?}",
                CredentialChange {
                    secret: Some(by_key),
                    ..CredentialChange::default()
                }
            ),
            format!("{:?}", SecretInput(json!({"password": SECRET}))),
            format!("{key:?}"),
        ];
        for shown in shown {
            assert!(
                !shown.contains(SECRET) && !shown.contains("5ec2e7"),
                "{shown}"
            );
        }
        // It still says which one it is.
        assert!(format!("{:?}", device()).contains("bus"));
    }
}
