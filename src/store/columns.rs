//! The columns of the rows that are read whole, by name.
//!
//! No query takes whatever columns there are (`*`). A later version adds some while this one still runs
//! beside it, and PostgreSQL then refuses each prepared statement whose result would change: "cached plan
//! must not change result type".

/// The columns of a table's rows, behind `SELECT` or `RETURNING`.
macro_rules! columns {
    (audit) => {
        "audit.id, audit.moment, audit.actor, audit.user_id, audit.action, audit.model, \
         audit.object_id, audit.object"
    };
    (batch) => {
        "batch.id, batch.type, batch.type_label, batch.input, batch.label, batch.notes, \
         batch.by_devices, batch.organization_id, batch.location_id, batch.search, \
         batch.created_by, batch.created"
    };
    (batch_device) => {
        "batch_device.device_id, batch_device.device_name, batch_device.organization_id, \
         batch_device.command_id, batch_device.status, batch_device.exit_code, \
         batch_device.last_line, batch_device.reason"
    };
    (connection) => {
        "connection.id, connection.device_id, connection.credential_id, connection.is_enabled, \
         connection.host_key, connection.is_working, connection.failure_reason, \
         connection.last_attempt, connection.created, connection.modified"
    };
    // Without the secret.
    (credential) => {
        "credential.id, credential.organization_id, credential.name, credential.username, \
         credential.port, credential.kind, credential.old_algorithms, credential.created, \
         credential.modified"
    };
    (device) => {
        "device.id, device.name, device.organization_id, device.mac_address, device.key, \
         device.last_ip, device.management_ip, device.notes, device.addresses, device.is_active, \
         device.created, device.modified"
    };
    (organization) => {
        "organization.id, organization.name, organization.slug, organization.is_active, \
         organization.description, organization.email, organization.url, organization.created, \
         organization.modified"
    };
    (users) => {
        "users.id, users.username, users.email, users.first_name, users.last_name, \
         users.password_hash, users.password_version, users.is_active, users.is_staff, \
         users.is_superuser, users.expires, users.created, users.modified"
    };
}

/// `SELECT` of them, from their table and what follows its name.
macro_rules! select {
    ($table:ident, $rest:literal) => {
        concat!(
            "SELECT ",
            $crate::store::columns::columns!($table),
            " FROM ",
            stringify!($table),
            " ",
            $rest
        )
    };
}

pub(in crate::store) use {columns, select};

#[cfg(test)]
mod tests {
    /// The sources of the store, each with its name.
    fn sources(directory: &std::path::Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(sources(&path));
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.display().to_string(), text));
            }
        }
        found
    }

    #[test]
    fn no_query_takes_whatever_columns_there_are() {
        let store = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
        let sources = sources(&store);
        assert!(sources.len() > 40);
        for (name, text) in sources {
            // In two pieces, or this file would be found.
            for all in [
                concat!("SELECT ", "*"),
                concat!("RETURNING ", "*"),
                concat!(".", "* FROM"),
            ] {
                assert!(!text.contains(all), "{name}: {all}");
            }
        }
    }
}
