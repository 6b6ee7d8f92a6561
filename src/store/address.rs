//! Where a PostgreSQL store is, as messages say it.

use anyhow::Error;
use sqlx::postgres::PgConnectOptions;

/// Where a PostgreSQL store is: for messages, so without user and password.
pub(super) fn address(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("its default database");
    match options.get_socket() {
        Some(socket) => format!("PostgreSQL at {}, database {database}", socket.display()),
        None => format!("PostgreSQL at {}:{}, database {database}", options.get_host(), options.get_port()),
    }
}

pub(super) fn unreachable(why: sqlx::Error, options: &PgConnectOptions) -> Error {
    let address = address(options);
    Error::new(why).context(format!("{address}, cannot be reached; see that it runs and that its address is right"))
}
