//! The address of a PostgreSQL store in messages.

use anyhow::Error;
use sqlx::postgres::PgConnectOptions;

/// The address of a PostgreSQL store for messages, without user and password.
pub(super) fn address(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("its default database");
    match options.get_socket() {
        Some(socket) => format!("PostgreSQL at {}, database {database}", socket.display()),
        None => format!("PostgreSQL at {}:{}, database {database}", options.get_host(), options.get_port()),
    }
}

pub(super) fn unreachable(why: sqlx::Error, options: &PgConnectOptions) -> Error {
    let address = address(options);
    Error::new(why)
        .context(format!("cannot connect to {address}; check that the server runs and that the address is correct"))
}
