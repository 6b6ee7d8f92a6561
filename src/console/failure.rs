//! Why a request can't be answered. `page` shows it, with what to do.

use axum::http::StatusCode;

/// Why a page can't be shown. The words are in the page's language, under `failures`.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    /// The key of the words.
    pub why: &'static str,
    /// For the log.
    pub cause: Option<anyhow::Error>,
}

impl Failure {
    pub fn not_found() -> Failure {
        Failure { status: StatusCode::NOT_FOUND, why: "not_found", cause: None }
    }

    pub fn no_books() -> Failure {
        Failure { status: StatusCode::SERVICE_UNAVAILABLE, why: "no_books", cause: None }
    }

    /// It is there, but must not be shown.
    pub fn personal() -> Failure {
        Failure { status: StatusCode::FORBIDDEN, why: "personal", cause: None }
    }

    pub fn unknown_visitor() -> Failure {
        Failure { status: StatusCode::UNAUTHORIZED, why: "unknown_visitor", cause: None }
    }

    pub fn refused_host() -> Failure {
        Failure { status: StatusCode::MISDIRECTED_REQUEST, why: "refused_host", cause: None }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(cause: anyhow::Error) -> Failure {
        Failure { status: StatusCode::INTERNAL_SERVER_ERROR, why: "trouble", cause: Some(cause) }
    }
}
