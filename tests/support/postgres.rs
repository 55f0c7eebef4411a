//! A PostgreSQL database of its own for each server.

use reqwest::Url;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Makes a database that nothing else uses, in the PostgreSQL that the tests were given, and
/// answers with its URL as the configuration takes it. It stays when the test ends: the server
/// that `tests/servers/postgres.sh` starts is thrown away as a whole.
pub async fn create_database() -> String {
    create(&server_url(), "").await
}

/// Makes a copy of a database that nobody is connected to.
pub async fn copy_database(template: &str) -> String {
    let url = Url::parse(template).expect("a URL");
    let name = url.path().trim_start_matches('/');
    create(&server_url(), &format!("TEMPLATE {name}")).await
}

async fn create(server: &str, options: &str) -> String {
    let name = format!("fleetwire_outside_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(server)
        .await
        .expect("PostgreSQL answers");
    // The name is made of letters and digits above: nothing in it can end the identifier.
    let statement = AssertSqlSafe(format!("CREATE DATABASE {name} {options}"));
    connection
        .execute(statement)
        .await
        .expect("the database is created");
    connection
        .close()
        .await
        .expect("the connection ends in order");
    let mut url = Url::parse(server).expect("a URL");
    url.set_path(&name);
    url.into()
}

/// A transaction of somebody else, in another database of the same server, that has written and
/// does not end before this is dropped. Until then the server knows of commits that may yet come
/// before everybody else's.
pub struct Straggler {
    _connection: PgConnection,
}

impl Straggler {
    pub async fn begin() -> Self {
        let mut connection = PgConnection::connect(&server_url())
            .await
            .expect("PostgreSQL answers");
        for statement in ["BEGIN", "SELECT pg_current_xact_id()"] {
            connection
                .execute(statement)
                .await
                .expect("the transaction begins");
        }
        Self {
            _connection: connection,
        }
    }
}

fn server_url() -> String {
    const VARIABLE: &str = "FLEETWIRE_TEST_POSTGRES_URL";
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the tests' setting, not the product's"
    )]
    let url = std::env::var(VARIABLE);
    url.unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set: run `make test`, or `tests/servers/postgres.sh cargo test`")
    })
}
