//! Devices, the login data of their SSH servers, and which device uses which.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::database::{Database, Row};
use super::login::{Login, SSH, login, object};
use super::{ReadError, in_part, left_out, made_of};
use crate::event::{ConnectionId, CredentialId, DeviceId, OrganizationId};
use crate::store::{Import, ImportKind, ImportedConnection, ImportedCredential, ImportedDevice};

const DEVICE: &str = "config_device";
const CREDENTIALS: &str = "connection_credentials";

pub(super) async fn read(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    read_devices(database, import).await?;
    // The application of connections may not be installed.
    if database.has(CREDENTIALS).await? {
        read_logins(database, import).await?;
    }
    Ok(())
}

async fn read_devices(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    let mut columns = vec![
        "id",
        "organization_id",
        "name",
        "mac_address",
        "key",
        "last_ip",
        "management_ip",
        "notes",
        "created",
    ];
    // Since 1.2.
    let can_be_inactive = database.has_column(DEVICE, "_is_deactivated").await?;
    if can_be_inactive {
        columns.push("_is_deactivated");
    }
    let given = |row: &Row, column| {
        let text = row
            .optional(column)
            .map(str::trim)
            .filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    // PostgreSQL writes an address with the length of its network.
    let address = |row: &Row, column| {
        let text = given(row, column)?;
        text.split('/').next().map(str::to_owned)
    };
    for row in database.rows(DEVICE, &columns).await? {
        import.devices.push(ImportedDevice {
            id: DeviceId(row.uuid("id")?),
            organization: OrganizationId(row.uuid("organization_id")?),
            name: row.text("name").to_owned(),
            mac_address: given(&row, "mac_address"),
            key: row.text("key").to_owned(),
            last_ip: address(&row, "last_ip"),
            management_ip: address(&row, "management_ip"),
            notes: row.text("notes").to_owned(),
            is_active: !can_be_inactive || !row.flag("_is_deactivated")?,
            created: row.instant("created")?,
        });
    }
    Ok(())
}

/// A device's use of login data, before it is known whether that can be taken.
struct Use {
    row: Row,
    device: DeviceId,
    name: String,
    organization: OrganizationId,
    credentials: Uuid,
}

async fn read_logins(database: &mut Database, import: &mut Import) -> Result<(), ReadError> {
    let mut uses = Vec::new();
    let devices: BTreeMap<DeviceId, (String, OrganizationId)> = import
        .devices
        .iter()
        .map(|device| (device.id, (device.name.clone(), device.organization)))
        .collect();
    let columns = [
        "id",
        "device_id",
        "credentials_id",
        "enabled",
        "params",
        "created",
    ];
    for row in database
        .rows("connection_deviceconnection", &columns)
        .await?
    {
        let device = DeviceId(row.uuid("device_id")?);
        let (name, organization) = devices
            .get(&device)
            .cloned()
            .ok_or_else(|| row.wrong("device_id"))?;
        uses.push(Use {
            device,
            name,
            organization,
            credentials: row.uuid("credentials_id")?,
            row,
        });
    }
    let columns = [
        "id",
        "organization_id",
        "name",
        "connector",
        "params",
        "created",
    ];
    for row in database.rows(CREDENTIALS, &columns).await? {
        take_credentials(&row, &uses, import)?;
    }
    for used in &uses {
        take_connection(used, import)?;
    }
    Ok(())
}

/// The id here of login data that all organizations share there, for one of them.
fn copy_for(credentials: Uuid, organization: OrganizationId) -> CredentialId {
    let words = [
        "credentials",
        &credentials.to_string(),
        &organization.to_string(),
    ];
    CredentialId(made_of(&words))
}

/// Takes login data: as it is, or, where all organizations share it, a copy for each that uses it.
fn take_credentials(row: &Row, uses: &[Use], import: &mut Import) -> Result<(), ReadError> {
    let (id, name) = (row.uuid("id")?, row.text("name"));
    let owner = row.optional_uuid("organization_id")?.map(OrganizationId);
    let copies: BTreeMap<CredentialId, OrganizationId> = match owner {
        Some(owner) => BTreeMap::from([(CredentialId(id), owner)]),
        None => users_of(id, uses)
            .into_iter()
            .map(|it| (copy_for(id, it), it))
            .collect(),
    };
    let read = if row.text("connector") != SSH {
        Err(format!(
            "its connector is {}, and only SSH is known here",
            row.text("connector")
        ))
    } else if copies.is_empty() {
        Err("all organizations share it, and no device uses it".to_owned())
    } else {
        login(row.text("params")).map_err(str::to_owned)
    };
    match read {
        Ok(login) => {
            for (id, organization) in copies {
                import
                    .credentials
                    .push(credential(row, id, organization, &login)?);
            }
        }
        Err(reason) => {
            import
                .left_out
                .push(left_out(ImportKind::Credentials, id, name, reason));
        }
    }
    Ok(())
}

fn users_of(credentials: Uuid, uses: &[Use]) -> BTreeSet<OrganizationId> {
    let of_it = uses.iter().filter(|it| it.credentials == credentials);
    of_it.map(|it| it.organization).collect()
}

fn credential(
    row: &Row,
    id: CredentialId,
    organization: OrganizationId,
    login: &Login,
) -> Result<ImportedCredential, ReadError> {
    Ok(ImportedCredential {
        id,
        organization,
        name: row.text("name").to_owned(),
        username: login.username.clone(),
        port: login.port,
        secret: login.secret.clone(),
        created: row.instant("created")?,
    })
}

fn take_connection(used: &Use, import: &mut Import) -> Result<(), ReadError> {
    let (kind, id) = (ImportKind::Connections, used.row.uuid("id")?);
    let ids = [
        CredentialId(used.credentials),
        copy_for(used.credentials, used.organization),
    ];
    let credential = import.credentials.iter().find(|it| ids.contains(&it.id));
    let Some(credential) = credential.map(|it| it.id) else {
        let reason = "its credentials are left out";
        import.left_out.push(left_out(kind, id, &used.name, reason));
        return Ok(());
    };
    let own = object(used.row.text("params")).unwrap_or_default();
    if !own.is_empty() {
        let names: Vec<&str> = own.keys().map(String::as_str).collect();
        let reason = format!(
            "without parameters of its own ({}), only with those of its credentials",
            names.join(", ")
        );
        import.remarks.push(in_part(kind, &used.name, reason));
    }
    import.connections.push(ImportedConnection {
        id: ConnectionId(id),
        device: used.device,
        name: used.name.clone(),
        credential,
        is_enabled: used.row.flag("enabled")?,
        created: used.row.instant("created")?,
    });
    Ok(())
}
