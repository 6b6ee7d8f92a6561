//! Who may look, and what browsers are told: the login, the check before every request, and the headers of every answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Form;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::context;
use serde::Deserialize;

use super::cookies::{cookie, own_path};
use super::failure::Failure;
use super::language::Language;
use super::page::{Page, failed};
use super::state;
use super::visitor::Visitor;
use crate::clock;

const SESSION: &str = "session";

/// Paths that everybody may ask for: they say nothing about the books.
const OPEN_PATHS: [&str; 6] = ["/healthz", "/readyz", "/login", "/language", "/style.css", "/icon.svg"];

/// How long a request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A wrong token is answered after this time.
const SLOWED_DOWN_BY: Duration = Duration::from_millis(300);

/// Lets a request in, or not, and adds the headers that protect pages.
pub async fn guard(State(console): State<Arc<state::State>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let language = Language::of(request.headers());
    let visitor = visitor(&console, request.headers());
    let response = match visitor {
        Err(Refused::Host) => failed(&console, language, Failure::refused_host()),
        Ok(visitor) => {
            request.extensions_mut().insert(visitor);
            request.extensions_mut().insert(language);
            answer(next, request).await
        }
        Err(Refused::Unknown) if OPEN_PATHS.contains(&path.as_str()) => {
            request.extensions_mut().insert(Visitor::nobody());
            request.extensions_mut().insert(language);
            answer(next, request).await
        }
        Err(Refused::Unknown) if console.settings.token.is_none() || path == "/metrics" => {
            failed(&console, language, Failure::unknown_visitor())
        }
        Err(Refused::Unknown) => {
            let back = request.uri().path_and_query().map_or("/", |path| path.as_str());
            Redirect::to(&format!("/login?back={}", minijinja::filters::urlencode(&back.into()).unwrap_or_default()))
                .into_response()
        }
    };
    with_headers(response)
}

async fn answer(next: Next, request: Request) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer in time; try again\n").into_response(),
    }
}

enum Refused {
    /// The request names a host that this console is not.
    Host,
    Unknown,
}

fn visitor(console: &state::State, headers: &HeaderMap) -> Result<Visitor, Refused> {
    let settings = &console.settings;
    if settings.is_open() {
        // A page of another site may name this machine under a host of its own, and would then be allowed to read.
        let is_local = headers.get(header::HOST).is_none_or(|host| host.to_str().is_ok_and(is_loopback));
        let local = Visitor { name: "local".to_owned(), has_session: false };
        return if is_local { Ok(local) } else { Err(Refused::Host) };
    }
    let named = settings.trusted_header.as_ref().and_then(|name| headers.get(name)?.to_str().ok());
    if let Some(name) = named.map(str::trim).filter(|name| !name.is_empty()) {
        return Ok(Visitor { name: name.to_owned(), has_session: false });
    }
    let Some(token) = &settings.token else { return Err(Refused::Unknown) };
    if cookie(headers, SESSION).is_some_and(|id| console.sessions.is_valid(id, clock::monotonic())) {
        return Ok(Visitor { name: "token".to_owned(), has_session: true });
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if bearer.is_some_and(|said| token.is(said.trim())) {
        return Ok(Visitor { name: "token".to_owned(), has_session: false });
    }
    Err(Refused::Unknown)
}

fn is_loopback(host: &str) -> bool {
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host });
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn with_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[derive(Deserialize)]
pub struct Back {
    back: Option<String>,
}

pub async fn login_page(page: Page, Query(Back { back }): Query<Back>) -> Response {
    page.html("login", context! { back => own_path(back.as_deref()), wrong => false })
}

#[derive(Deserialize)]
pub struct Login {
    token: String,
    back: Option<String>,
}

pub async fn login(page: Page, headers: HeaderMap, Form(login): Form<Login>) -> Response {
    let console = &page.console;
    let back = own_path(login.back.as_deref()).to_owned();
    let Some(token) = &console.settings.token else { return Redirect::to("/").into_response() };
    if !token.is(login.token.trim()) {
        tracing::warn!("a login to the console with a wrong token");
        tokio::time::sleep(SLOWED_DOWN_BY).await;
        let again = page.html("login", context! { back, wrong => true });
        return (StatusCode::UNAUTHORIZED, again).into_response();
    }
    let id = match console.sessions.begin(clock::monotonic()) {
        Ok(id) => id,
        Err(why) => return failed(console, page.language, why.into()),
    };
    tracing::info!("a login to the console");
    let seconds = console.settings.session.as_secs();
    let cookie = format!("{SESSION}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{}", secure(&headers));
    ([(header::SET_COOKIE, cookie)], Redirect::to(&back)).into_response()
}

pub async fn logout(page: Page, headers: HeaderMap) -> Response {
    if let Some(id) = cookie(&headers, SESSION) {
        page.console.sessions.end(id);
    }
    let cookie = format!("{SESSION}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

/// Behind a proxy that speaks HTTPS, the browser must not send the cookie without it.
fn secure(headers: &HeaderMap) -> &'static str {
    let is_https = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    if is_https { "; Secure" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:8340", true),
            ("127.0.0.1:8340", true),
            ("[::1]:8340", true),
            ("[::1]", true),
            ("example.com", false),
            ("127.0.0.1.example.com", false),
            ("localhost.example.com:8340", false),
            ("10.0.0.1:8340", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
