//! A request for a page, and its answer: a page of the books, or one that says why there is none.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Result;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::value::Serde;
use minijinja::{Value, context};

use super::failure::Failure;
use super::language::Language;
use super::state::State;
use super::visitor::Visitor;
use crate::books::environment::Environment;
use crate::scheme::Merchant;

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");

/// A request for a page: who asks, in which language, and for what.
pub struct Page {
    pub console: Arc<State>,
    pub language: Language,
    pub visitor: Visitor,
    /// Path and query, for the language switch.
    pub path: String,
}

impl FromRequestParts<Arc<State>> for Page {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Page, Infallible> {
        Ok(Page {
            console: state.clone(),
            language: parts.extensions.get().copied().unwrap_or_else(|| Language::of(&parts.headers)),
            visitor: parts.extensions.get().cloned().unwrap_or_else(Visitor::nobody),
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

impl Page {
    /// Returns the scheme opened to read.
    pub async fn environment(&self) -> Result<Arc<Environment>, Failure> {
        self.console.environment().await?.ok_or_else(Failure::no_books)
    }

    /// Renders a page of the books, or the page that says why there is none.
    pub fn answer(&self, name: &str, made: Result<(Arc<Environment>, Value), Failure>) -> Response {
        match made {
            Ok((environment, value)) => {
                let (scheme, zone) = (environment.scheme.name.as_str(), environment.scheme.zone.name());
                self.html(name, context! { scheme, zone, names => names(&environment, self.language), ..value })
            }
            Err(why) => self.fail(why),
        }
    }

    /// Answers that the request can't be answered.
    pub fn fail(&self, why: Failure) -> Response {
        failed(&self.console, self.language, why)
    }

    /// Renders a template. `value` takes the place of what the layout would show otherwise.
    pub fn html(&self, name: &str, value: Value) -> Response {
        let pages = &self.console.pages;
        let value = context! {
            ..value,
            ..context! {
                t => pages.words(self.language),
                lang => self.language.code(),
                lang_tag => self.language.tag(),
                page => name,
                path => self.path.as_str(),
                visitor => self.visitor.name.as_str(),
                has_session => self.visitor.has_session,
                scheme => "paylater",
                zone => "UTC",
            },
        };
        match pages.render(name, value) {
            Ok(html) => Html(html).into_response(),
            Err(why) => {
                // Only the place: the values of a page could identify a customer.
                let at = format!("{}:{}", why.name().unwrap_or(name), why.line().unwrap_or(0));
                tracing::error!(why = %why.kind(), at, "a page of the console can't be rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "this page can't be shown; the log says why\n").into_response()
            }
        }
    }
}

/// The names of merchants by id, in a language.
fn names(environment: &Environment, language: Language) -> Value {
    let name = |merchant: &Merchant| match (language, &merchant.name_zh) {
        (Language::Zh, Some(name)) => name.clone(),
        (Language::Zh, None) | (Language::En, _) => merchant.name.clone(),
    };
    let merchants = environment.scheme.merchants.iter();
    let names: BTreeMap<String, String> = merchants.map(|merchant| (merchant.id.clone(), name(merchant))).collect();
    Value::from(Serde(names))
}

/// The page that says why there is no other.
pub fn failed(console: &Arc<State>, language: Language, why: Failure) -> Response {
    if let Some(cause) = &why.cause {
        tracing::error!(why = format!("{cause:#}"), "a page of the console can't be shown");
    }
    let page = Page { console: console.clone(), language, visitor: Visitor::nobody(), path: "/".to_owned() };
    (why.status, page.html("failure", context! { why => why.why })).into_response()
}

pub async fn nothing_there(page: Page) -> Response {
    page.fail(Failure::not_found())
}

pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")], STYLE).into_response()
}

pub async fn icon() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=86400")], ICON).into_response()
}
