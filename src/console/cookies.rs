//! What a browser sends back: cookies, and the path to return to.

use axum::http::{HeaderMap, header};

/// Returns the value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Returns a path of this console to go back to: never another site.
pub fn own_path(path: Option<&str>) -> &str {
    path.filter(|path| path.starts_with('/') && !path.starts_with("//") && !path.contains('\\')).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for (path, expected) in [
            (Some("/money?month=2026-03"), "/money?month=2026-03"),
            (Some("//example.com"), "/"),
            (Some("/\\example.com"), "/"),
            (Some("https://example.com"), "/"),
            (None, "/"),
        ] {
            assert_eq!(own_path(path), expected, "{path:?}");
        }
    }
}
