//! Checks the syntax of an e-mail address.

use email_address::{EmailAddress, Options};

/// Why a text is not a usable e-mail address, and what to write instead. The address itself is not quoted.
pub fn wrong(text: &str) -> Option<&'static str> {
    if !text.is_ascii() {
        return Some(
            "has characters outside ASCII; write the domain as xn--…, and ask the customer for an address in ASCII",
        );
    }
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Some("has control characters; remove them");
    }
    // Quoted names and IP addresses as domains are valid by the standard, but hardly any server accepts them.
    let options = Options::default().without_display_text().without_domain_literal();
    let is_address =
        EmailAddress::parse_with_options(text, options).is_ok() && !text.contains('"') && text.len() <= 254;
    (!is_address).then_some("not one address such as name@example.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_usable_or_refused() {
        for good in [
            "a@example.com",
            "a+tag@example.com",
            "o'hara@example.com",
            "A@EXAMPLE.COM",
            "a@xn--r8jz45g.jp",
            "%s@example.com",
            "a@localhost",
            &format!("{}@example.com", "a".repeat(64)),
            &format!("a@{}.com", "b".repeat(63)),
        ] {
            assert_eq!(wrong(good), None, "{good}");
        }
        for (bad, why) in [
            ("a@例え.jp", "outside ASCII"),
            ("ü@example.com", "outside ASCII"),
            ("a@example.com\u{202e}", "outside ASCII"),
            ("ａ@example.com", "outside ASCII"),
            ("a@ｅxample.com", "outside ASCII"),
            ("a@example.com\nBcc: b@evil.example", "control characters"),
            ("a@example.com\r\nBcc: b@evil.example", "control characters"),
            ("\"a\nb\"@example.com", "control characters"),
            ("a\0@x.com", "control characters"),
            ("a@example.com, b@example.com", "not one address"),
            ("<a@example.com>", "not one address"),
            ("Name <a@example.com>", "not one address"),
            ("a@b@c.com", "not one address"),
            ("a..b@example.com", "not one address"),
            (".a@example.com", "not one address"),
            ("a.@example.com", "not one address"),
            ("a@example..com", "not one address"),
            ("a@-example.com", "not one address"),
            ("a@example.com>", "not one address"),
            ("a;b@example.com", "not one address"),
            ("a@exa mple.com", "not one address"),
            ("postmaster", "not one address"),
            ("a@[127.0.0.1]", "not one address"),
            ("\"a b\"@example.com", "not one address"),
            ("\"a\\\"b\"@example.com", "not one address"),
            ("", "not one address"),
            (&format!("{}@example.com", "a".repeat(65)), "not one address"),
            (&format!("a@{}.com", "b".repeat(64)), "not one address"),
        ] {
            assert!(wrong(bad).is_some_and(|found| found.contains(why)), "{bad:?}: {:?}", wrong(bad));
        }
    }
}
