//! The language of a page: the one chosen before, or else the browser's first that is spoken here.

use axum::extract::Query;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::cookies::{cookie, own_path};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    En,
    Zh,
}

const COOKIE: &str = "language";

impl Language {
    pub const ALL: [Language; 2] = [Language::En, Language::Zh];

    /// The language of a request.
    pub fn of(headers: &HeaderMap) -> Language {
        let chosen = cookie(headers, COOKIE).and_then(Language::parse);
        let accepted = || headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).and_then(accepted);
        chosen.or_else(accepted).unwrap_or(Language::En)
    }

    /// Reads a tag such as `zh` or `zh-CN`.
    pub fn parse(tag: &str) -> Option<Language> {
        let language = tag.split('-').next().unwrap_or_default();
        Language::ALL.into_iter().find(|known| known.code().eq_ignore_ascii_case(language))
    }

    pub fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Zh => "zh",
        }
    }

    /// The language for the attribute `lang`.
    pub fn tag(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Zh => "zh-CN",
        }
    }
}

/// Returns the language that the browser likes best, of those spoken here.
fn accepted(header: &str) -> Option<Language> {
    let mut best: Option<(Language, u32)> = None;
    for part in header.split(',') {
        let (tag, rest) = part.split_once(';').unwrap_or((part, ""));
        let Some(language) = Language::parse(tag.trim()) else { continue };
        let weight = weight(rest.trim().strip_prefix("q=").unwrap_or("1"));
        if weight > best.map_or(0, |(_, best)| best) {
            best = Some((language, weight));
        }
    }
    best.map(|(language, _)| language)
}

/// Returns a weight such as `0.8` in thousandths.
fn weight(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u32>().unwrap_or_default().min(1) * 1_000 + thousandths.parse::<u32>().unwrap_or_default()
}

#[derive(Deserialize)]
pub struct Choice {
    to: String,
    back: Option<String>,
}

/// Keeps the language that somebody chose.
pub async fn choose(Query(Choice { to, back }): Query<Choice>) -> Response {
    let back = Redirect::to(own_path(back.as_deref()));
    let Some(language) = Language::parse(&to) else { return back.into_response() };
    let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000", language.code());
    ([(header::SET_COOKIE, cookie)], back).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_s_first_language_that_is_spoken_here() {
        for (header, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Language::Zh)),
            ("de,en;q=0.5,zh;q=0.4", Some(Language::En)),
            ("fr;q=1, zh;q=0.25, en;q=0.125", Some(Language::Zh)),
            ("en;q=0, zh", Some(Language::Zh)),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(accepted(header), expected, "{header}");
        }
    }
}
