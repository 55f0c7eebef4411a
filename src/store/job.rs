//! A job: a claimed command with where and as whom to run it.

use uuid::Uuid;

use super::StoreError;
use super::command::{Command, SecretInput};
use super::credential::LoginSecret;
use super::transaction::{Write, on_write};
use crate::event::{ConnectionId, DeviceId, OrganizationId, Timestamp};

/// A claimed command, with all that is needed to run it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The command as it stands now.
    pub command: Command,
    /// Whose turn it takes.
    pub organization: Option<OrganizationId>,
    /// Among those of the organization 0 goes before 1.
    pub rank: i32,
    /// Its whole input, secrets in the clear.
    pub input: SecretInput,
    /// Where the device may be reached, in the order to try.
    pub addresses: Vec<String>,
    /// The logins to try, in order.
    pub logins: Vec<Login>,
    /// When it is too late to begin.
    pub expires: Timestamp,
}

/// A connection as the runner uses it.
#[derive(Clone, Debug)]
pub struct Login {
    /// Which.
    pub connection: ConnectionId,
    /// Who logs in.
    pub username: String,
    /// Where, unless an address says otherwise.
    pub port: u16,
    /// With what, or why it cannot be decrypted any more.
    pub secret: Result<LoginSecret, String>,
    /// Whether algorithms are allowed that only old servers need.
    pub old_algorithms: bool,
    /// The host key that the device must show: the connection's own, or else that of another one of
    /// the device that leads to the same port.
    pub host_key: Option<String>,
    /// Whether it is the connection's own.
    pub is_own_key: bool,
}

#[derive(sqlx::FromRow)]
struct LoginRow {
    id: ConnectionId,
    credential_id: Uuid,
    username: String,
    port: i32,
    secret: Vec<u8>,
    old_algorithms: bool,
    host_key: Option<String>,
    is_own_key: bool,
}

impl Write {
    /// `management_ip`, then `addresses`, then `last_ip`, each once.
    pub(super) async fn addresses(&mut self, device: DeviceId) -> Result<Vec<String>, StoreError> {
        let (management_ip, addresses, last_ip): (Option<String>, String, Option<String>) = on_write!(
            self, connection => {
            sqlx::query_as("SELECT management_ip, addresses, last_ip FROM device WHERE id = $1")
                .bind(device)
                .fetch_one(connection)
                .await?
        });
        // Written by us alone, always a list of texts.
        let listed: Vec<String> = serde_json::from_str(&addresses).unwrap_or_default();
        let mut all = Vec::new();
        for address in management_ip.into_iter().chain(listed).chain(last_ip) {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        Ok(all)
    }

    /// The logins of a command: the one that was asked for, if it is still there, or all that the
    /// device has.
    pub(super) async fn logins(&mut self, command: &Command) -> Result<Vec<Login>, StoreError> {
        let rows: Vec<LoginRow> = on_write!(self, connection => {
            sqlx::query_as(
                "SELECT connection.id, credential_id, username, port, secret, old_algorithms,
                     host_key IS NOT NULL AS is_own_key, COALESCE(host_key, (
                         SELECT other.host_key FROM connection AS other
                         JOIN credential AS its ON its.id = other.credential_id
                         WHERE other.device_id = connection.device_id
                             AND its.port = credential.port AND other.host_key IS NOT NULL
                         ORDER BY other.created, other.id LIMIT 1)) AS host_key
                 FROM connection JOIN credential ON credential.id = connection.credential_id
                 WHERE device_id = $1 AND is_enabled AND connection.id IN (
                     SELECT CASE WHEN connection_asked THEN connection_id ELSE connection.id END
                     FROM command WHERE command.id = $2)
                 ORDER BY connection.created, connection.id",
            )
            .bind(command.device)
            .bind(command.id)
            .fetch_all(connection)
            .await?
        });
        let store = self.store().clone();
        let login = |row: LoginRow| {
            let secret = store
                .unseal(&row.secret, row.credential_id)
                .map_err(|error| error.to_string())
                .and_then(|plain| {
                    serde_json::from_slice(&plain).map_err(|_| "it is damaged".to_owned())
                });
            Login {
                connection: row.id,
                username: row.username,
                // Checked when it was written.
                port: u16::try_from(row.port).unwrap_or(22),
                secret,
                old_algorithms: row.old_algorithms,
                host_key: row.host_key,
                is_own_key: row.is_own_key,
            }
        };
        Ok(rows.into_iter().map(login).collect())
    }
}
