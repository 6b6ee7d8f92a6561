//! Requests that can't be answered, as pages: what happened, and what to do.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use minijinja::context;

use super::access::Visitor;
use super::language::Language;
use super::page::Page;
use super::state::State;

/// Why a page can't be shown. The words are in the page's language, under `failures`.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    /// The key of the words.
    why: &'static str,
    /// For the log.
    cause: Option<anyhow::Error>,
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

    pub fn into_page(self, console: &Arc<State>, language: Language) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!("a page of the console: {cause:#}");
        }
        let visitor = Visitor { name: String::new(), has_session: false };
        let page = Page { console: console.clone(), language, visitor, path: "/".to_owned() };
        (self.status, page.html("failure", context! { why => self.why })).into_response()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(cause: anyhow::Error) -> Failure {
        Failure { status: StatusCode::INTERNAL_SERVER_ERROR, why: "trouble", cause: Some(cause) }
    }
}

pub async fn nothing_there(page: Page) -> Response {
    Failure::not_found().into_page(&page.console, page.language)
}
